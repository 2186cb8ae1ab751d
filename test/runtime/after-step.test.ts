import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { defineProgram } from "#graft/compile/index";
import { abs, add, cast, greater, mul, type Tensor } from "#graft/graph/index";
import { Trace } from "#graft/nn/index";
import { Engine, type OptimizerHandle, type Program, type ProgramDefinition } from "#graft/runtime/index";
import type { TensorData } from "#graft/tensor-data";
import { f32, regression } from "./graphs.js";

const beta = 0.85;
const threshold = 0.02;
const start = [0.5, -0.25, 0.125];
const batch = (step: number) => ({
  x: f32(
    [4, 3],
    Array.from({ length: 12 }, (_, i) => Math.sin(3 * step + i)),
  ),
  y: f32(
    [4, 1],
    Array.from({ length: 4 }, (_, i) => Math.cos(3 * step + i)),
  ),
});

function define(write: (slot: (name: string) => Tensor) => Tensor, keptAs: string): ProgramDefinition {
  const trace = new Trace("eval");
  const slots: string[] = [];
  const result = write((name) => {
    slots.push(name);
    return trace.input(name, "float32", ["length", 1]);
  });
  const definition = defineProgram({
    trace,
    outputs: { result },
    purpose: "prediction",
    backend: "cpu",
    state: { result: { slot: keptAs } },
  });
  return { ...definition, resident: slots };
}

/** average <- beta average + (1 - beta) |w g| */
const importance = () =>
  define(
    (slot) => add(mul(slot("average"), beta), mul(abs(mul(slot("w"), slot("gradient:weight"))), 1 - beta)),
    "average",
  );

/** w <- w where its average is above the threshold, else 0 */
const mask = () => define((slot) => mul(slot("w"), cast(greater(slot("average"), threshold), "float32")), "w");

let engine: Engine;
let training: Program;
let optimizer: OptimizerHandle;
beforeEach(async () => {
  engine = await Engine.create({ threads: 1 });
  training = await engine.compile(regression());
  await engine.setResident({ weight: f32([3, 1], start), bias: f32([1], [0]), kept: f32([3, 1], [0, 0, 0]) });
  const parameters = ["weight", "bias"].map((name) => ({ name, weightDecay: 0 }));
  optimizer = await engine.createOptimizer({ optimizer: "sgd", parameters });
});
afterEach(() => engine.dispose());

const values = async (name: string) => Array.from((await engine.getResident([name]))[name]?.data as Float32Array);
const gradient = async () => Array.from((await training.gradients()).weight?.data as Float32Array);

describe("programs after a step", () => {
  it.each([0, 0.3])("see the new weights and the gradients, clipped to %s, and keep what they make", async (clip) => {
    const program = await engine.compile(importance());
    const bind = { w: "weight", average: "kept" };
    let expected = [0, 0, 0];
    for (const step of [0, 1, 2]) {
      await training.accumulate(batch(step), { weight: 0.5 });
      await training.accumulate(batch(step + 10), { weight: 0.5 });
      const sums = await gradient();
      const { gradNorm } = await optimizer.step({ learningRate: 0.1, maxGradNorm: clip, after: [{ program, bind }] });
      if (clip > 0) expect(gradNorm).toBeGreaterThan(clip);
      const scale = clip > 0 ? clip / (gradNorm + 1e-6) : 1;
      const weights = await values("weight");
      expected = expected.map(
        (before, i) => beta * before + (1 - beta) * Math.abs((weights[i] as number) * (sums[i] as number) * scale),
      );
      const averages = await values("kept");
      for (const [i, average] of averages.entries()) expect(average).toBeCloseTo(expected[i] as number, 7);
      expect(Math.min(...averages)).toBeGreaterThan(1e-5);
      expect(await training.gradients()).toEqual({});
    }
  });

  it("change nothing of the update itself", async () => {
    const program = await engine.compile(importance());
    await training.accumulate(batch(0));
    await optimizer.step({ learningRate: 0.1, maxGradNorm: 0.3 });
    const without = await values("weight");
    await engine.setResident({ weight: f32([3, 1], start), bias: f32([1], [0]) });
    await training.accumulate(batch(0));
    await optimizer.step({
      learningRate: 0.1,
      maxGradNorm: 0.3,
      after: [{ program, bind: { w: "weight", average: "kept" } }],
    });
    expect(await values("weight")).toEqual(without);
  });

  it("see what those before them have kept, and may change what is trained", async () => {
    const programs = [await engine.compile(importance()), await engine.compile(mask())];
    await training.accumulate(batch(0));
    const bind = { w: "weight", average: "kept" };
    await optimizer.step({ learningRate: 0.1, after: programs.map((program) => ({ program, bind })) });
    const [weights, averages] = [await values("weight"), await values("kept")];
    const isKept = averages.map((average) => average > threshold);
    expect([isKept.includes(true), isKept.includes(false)]).toEqual([true, true]);
    expect(weights.map((weight) => weight !== 0)).toEqual(isKept);
    await training.accumulate(batch(1));
    await optimizer.step({ learningRate: 0.1 });
    expect(await values("weight")).not.toEqual(weights);
  });

  it("are refused before anything changes", async () => {
    const program = await engine.compile(importance());
    const stateless = await engine.compile({ ...importance(), state: {} });
    const foreign = await engine.scope().compile(importance());
    await training.accumulate(batch(0));
    const [before, sums] = [await values("weight"), await gradient()];
    const bind = { w: "weight", average: "kept" };
    const refused: [Parameters<OptimizerHandle["step"]>[0]["after"], string, RegExp][] = [
      [
        [
          { program, bind },
          { program, bind: { ...bind, average: "no" } },
        ],
        "missing-tensor",
        /"no" for slot "average"/,
      ],
      [
        [{ program, bind: { ...bind, "gradient:weight": "gradient:kept" } }],
        "missing-tensor",
        /no gradient of "kept" for slot "gradient:weight"/,
      ],
      [[{ program: stateless, bind: { w: "weight", average: "kept" } }], "invalid-argument", /has no state/],
      [[{ program: foreign, bind }], "invalid-argument", /another scope/],
      [[{ program, bind, inputs: { z: f32([], [1]) } }], "invalid-argument", /unknown: z/],
    ];
    for (const [after, code, message] of refused) {
      const step = optimizer.step({ learningRate: 0.1, ...(after && { after }) });
      await expect(step).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
      expect(await values("weight")).toEqual(before);
      expect(await gradient()).toEqual(sums);
    }
    expect((await optimizer.state()).step).toBe(0);
  });

  it("cannot be misled by a resident with a gradient's name", async () => {
    const tensors: Record<string, TensorData> = { "gradient:weight": f32([1], [1]) };
    await expect(engine.setResident(tensors)).rejects.toMatchObject({ code: "invalid-argument" });
  });
});
