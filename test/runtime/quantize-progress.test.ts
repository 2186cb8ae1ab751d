import { afterEach, describe, expect, it, vi } from "vitest";
import { defineProgram } from "#graft/compile/index";
import { matMul } from "#graft/graph/index";
import { Parameter, Trace } from "#graft/nn/index";
import { platform } from "#graft/platform/node";
import { int8Products } from "#graft/precision/int8/products";
import { EngineCore } from "#graft/runtime/core/engine-core";
import type { QuantizeProgress } from "#graft/runtime/index";

afterEach(() => vi.restoreAllMocks());

const size = 64;

/** A product with three frozen matrices, one after the other. */
function definition() {
  const trace = new Trace("eval", true);
  let y = trace.input("x", "float32", ["rows", size]);
  for (const name of ["first", "second", "third"]) {
    const weight = new Parameter([size, size]);
    weight.name = name;
    weight.initialize(1);
    y = matMul(y, trace.parameter(weight), { transposeB: true });
  }
  return defineProgram({ trace, outputs: { y }, purpose: "training", backend: "cpu", frozen: int8Products() });
}

/** What is told while the program is compiled twice, on a clock that each look at it moves on. */
async function told(millisecondsPerLook: number): Promise<QuantizeProgress[]> {
  const core = new EngineCore();
  const reports: QuantizeProgress[] = [];
  const report = (progress: QuantizeProgress): void => void reports.push(progress);
  await core.handlers.open({ backend: "cpu", threads: 1, wasmPaths: undefined, profileFolder: undefined }, 0, report);
  let now = 0;
  vi.spyOn(platform, "now").mockImplementation(() => {
    now += millisecondsPerLook;
    return now;
  });
  await core.handlers.compile({ definition: definition() }, 0, report);
  await core.handlers.close(undefined, 0, report);
  return reports;
}

describe("making int8 weights", () => {
  it("is told after each half second, and at its end", async () => {
    expect(await told(600)).toEqual([
      { done: 1, total: 3, seconds: 0.6 },
      { done: 2, total: 3, seconds: 1.2 },
      { done: 3, total: 3, seconds: 1.8 },
    ]);
    expect(await told(260)).toEqual([
      { done: 2, total: 3, seconds: 0.52 },
      { done: 3, total: 3, seconds: 0.78 },
    ]);
  });

  it("is not told where it takes less", async () => {
    expect(await told(100)).toEqual([]);
  });
});
