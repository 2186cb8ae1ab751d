import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { fillDropoutMask } from "#graft/random";
import { Engine, type Program, type ProgramDefinition } from "#graft/runtime/index";
import type { TensorData } from "#graft/tensor-data";
import { constant, f32, longRun, model, node, product, regression } from "./graphs.js";

let engine: Engine;
beforeAll(async () => {
  engine = await Engine.create({ threads: 1 });
});
afterAll(() => engine.dispose());

const weight = constant("weight", [1, 2, 3, 4, 5, 6], [3, 2]);

describe("Program.run", () => {
  it("runs with any number of rows", async () => {
    const program = await engine.compile(product(weight));
    const one = await program.run({ x: f32([1, 3], [1, 0, 2]) });
    expect(one.y).toEqual(f32([1, 2], [11, 14]));
    const none = await program.run({ x: f32([0, 3], []) });
    expect(none.y).toEqual(f32([0, 2], []));
    await program.dispose();
    await expect(program.run({ x: f32([1, 3], [1, 0, 2]) })).rejects.toMatchObject({ code: "invalid-argument" });
  });

  it.each<[string, Record<string, TensorData>, string, RegExp]>([
    ["a missing input", {}, "invalid-argument", /missing: x/],
    ["an unknown input", { x: f32([1, 3], [1, 2, 3]), z: f32([], [1]) }, "invalid-argument", /unknown: z/],
    ["another dtype", { x: { dtype: "int32", shape: [1, 3], data: new Int32Array(3) } }, "dtype-mismatch", /int32/],
    ["too few dimensions", { x: f32([3], [1, 2, 3]) }, "shape-mismatch", /2 dimensions/],
    ["a fixed dimension", { x: f32([1, 2], [1, 2]) }, "shape-mismatch", /dimension 1 must be 3/],
    [
      "a length that is not the shape's",
      { x: f32([2, 3], [1, 2, 3]) },
      "shape-mismatch",
      /6 elements, and 3 were given/,
    ],
    [
      "an array of another type",
      { x: { dtype: "float32", shape: [1, 3], data: new Float64Array(3) } as unknown as TensorData },
      "dtype-mismatch",
      /Float64Array/,
    ],
  ])("refuses %s", async (_, inputs, code, message) => {
    const program = await engine.compile(product(weight));
    const run = program.run(inputs);
    await expect(run).rejects.toMatchObject({ name: "GraftError", code, message: expect.stringMatching(message) });
    await program.dispose();
  });

  it("refuses one dimension with two values, also against a resident tensor", async () => {
    const program = await engine.compile(regression());
    const x = f32([2, 3], Array(6).fill(1));
    await expect(program.run({ x, y: f32([2, 1], [1, 1]) })).rejects.toMatchObject({ code: "missing-tensor" });
    await engine.setResident({ weight: f32([3, 1], [1, 1, 1]), bias: f32([1], [0]) });
    await expect(program.run({ x, y: f32([4, 1], [1, 1, 1, 1]) })).rejects.toThrow(/"rows" is 4 here and 2 in "x"/);
    await engine.setResident({ weight: f32([2, 1], [1, 1]) });
    await expect(program.run({ x, y: f32([2, 1], [1, 1]) })).rejects.toThrow(/"features" is 3 here and 2 in "weight"/);
    await engine.removeResident(["weight", "bias"]);
    await expect(program.run({ x, y: f32([2, 1], [1, 1]) })).rejects.toMatchObject({ code: "missing-tensor" });
    await program.dispose();
  });

  it("checks dimensions that are expressions of others", async () => {
    const inputs = [
      { name: "flat", dtype: "float32" as const, shape: ["2*rows+1"] },
      { name: "x", dtype: "float32" as const, shape: ["rows"] },
    ];
    const definition: ProgramDefinition = {
      model: model({
        node: [node("Identity", ["x"], "a"), node("Identity", ["flat"], "b")],
        input: inputs,
        output: ["a", "b"].map((name, i) => ({ name, dtype: "float32" as const, shape: [...inputs[1 - i]!.shape] })),
      }),
      purpose: "prediction",
      inputs,
      outputs: ["a", "b"],
      resident: [],
      masks: [],
    };
    const program = await engine.compile(definition);
    const x = f32([2], [1, 2]);
    expect((await program.run({ x, flat: f32([5], [1, 2, 3, 4, 5]) }, { fetch: ["b"] })).b?.shape).toEqual([5]);
    await expect(program.run({ x, flat: f32([4], [1, 2, 3, 4]) })).rejects.toThrow(/dimension 0 \(.*\) must be 5/);
    await expect(program.run({ x, flat: x }, { fetch: ["c"] })).rejects.toThrow(/no output "c"/);
    await program.dispose();
  });
});

describe("Engine.compile", () => {
  it.each<[string, Partial<ProgramDefinition>, RegExp]>([
    ["undeclared inputs", { inputs: [] }, /inputs x are not declared/],
    ["outputs that do not exist", { outputs: ["y", "z"] }, /no outputs z/],
    ["resident tensors that are no inputs", { resident: ["weight"] }, /resident "weight" is no input/],
    ["a loss that is no output", { loss: "loss" }, /loss "loss" is no output/],
    ["gradients of inputs that do not stay", { gradients: { x: "y" } }, /not resident/],
  ])("refuses %s", async (_, change, message) => {
    const definition = { ...product(weight), ...change };
    await expect(engine.compile(definition)).rejects.toThrow(message);
  });

  it("passes ONNX Runtime's own refusal on", async () => {
    const broken = { ...product(weight), model: model({ node: [node("NoSuchOp", [], "y")], input: [], output: [] }) };
    await expect(engine.compile(broken)).rejects.toMatchObject({
      code: "engine",
      message: expect.stringMatching(/NoSuchOp/),
    });
    await expect(engine.compile({ ...broken, model: new Uint8Array([1, 2, 3]) })).rejects.toMatchObject({
      code: "engine",
    });
  });
});

describe("dropout masks", () => {
  const masked = (): ProgramDefinition => {
    const shape = ["rows", "2*rows"];
    const inputs = [
      { name: "x", dtype: "float32" as const, shape: ["rows"] },
      { name: "m0", dtype: "uint8" as const, shape },
      { name: "m1", dtype: "bool" as const, shape },
    ];
    return {
      model: model({
        node: [node("Identity", ["x"], "y"), node("Identity", ["m0"], "a"), node("Identity", ["m1"], "b")],
        input: inputs,
        output: ["y", "a", "b"].map((name, i) => ({ ...inputs[i]!, name })),
      }),
      purpose: "training",
      inputs,
      outputs: ["y", "a", "b"],
      resident: [],
      masks: [
        { name: "m0", shape, keepProbability: 0.5, site: 0 },
        { name: "m1", shape, keepProbability: 0.9, site: 7 },
      ],
    };
  };

  it("are those of (seed, step, micro-step, site), at every size", async () => {
    const program = await engine.compile(masked());
    for (const rows of [9, 4, 12]) {
      const masks = { seed: 3, step: rows, microStep: 1 };
      const { a, b } = await program.run({ x: f32([rows], Array(rows).fill(0)) }, { masks });
      const expected = (keep: number, site: number) => {
        const data = new Uint8Array(rows * rows * 2);
        fillDropoutMask(data, keep, [3, rows, 1, site]);
        return data;
      };
      expect(a).toEqual({ dtype: "uint8", shape: [rows, 2 * rows], data: expected(0.5, 0) });
      expect(b).toEqual({ dtype: "bool", shape: [rows, 2 * rows], data: expected(0.9, 7) });
    }
    await program.dispose();
  });

  it("need a key and cannot be fed", async () => {
    const program = await engine.compile(masked());
    const x = f32([1], [0]);
    await expect(program.run({ x })).rejects.toThrow(/dropout masks/);
    const m0: TensorData = { dtype: "uint8", shape: [1, 2], data: new Uint8Array(2) };
    await expect(program.run({ x, m0 })).rejects.toThrow(/unknown: m0/);
    await program.dispose();
  });
});

describe("while a run is on", () => {
  const SIZE = 768;
  const x = () => f32([SIZE, SIZE], { length: SIZE * SIZE });
  let slow: Program;
  beforeAll(async () => {
    slow = await engine.compile(longRun(SIZE, 40));
  });

  it("the calling thread stays free", async () => {
    let ticks = 0;
    const timer = setInterval(() => ticks++, 5);
    await slow.run({ x: x() });
    clearInterval(timer);
    expect(ticks).toBeGreaterThan(2);
  });

  it("an abort rejects at once, and a request that waits is dropped", async () => {
    await engine.setResident({ weight: f32([3, 1], [1, 1, 1]), bias: f32([1], [0]) });
    const training = await engine.compile(regression());
    const controller = new AbortController();
    const first = slow.run({ x: x() });
    const inputs = { x: f32([1, 3], [1, 1, 1]), y: f32([1, 1], [1]) };
    const second = training.accumulate(inputs, { signal: controller.signal });
    controller.abort();
    await expect(second).rejects.toMatchObject({ name: "GraftError", code: "aborted" });
    await expect(training.accumulate(inputs, { signal: controller.signal })).rejects.toMatchObject({ code: "aborted" });
    await first;
    expect(await training.gradients()).toEqual({});
    expect((await training.accumulate(inputs)).loss).toBe(4);
    await training.dispose();
  });

  it("dispose rejects what waits", async () => {
    const other = await Engine.create({ threads: 1 });
    const program = await other.compile(longRun(SIZE, 40));
    const runs = [program.run({ x: x() }), program.run({ x: x() })];
    const settled = Promise.allSettled(runs);
    await other.dispose();
    for (const result of await settled)
      expect(result).toMatchObject({ status: "rejected", reason: { code: "aborted" } });
    await expect(program.run({ x: x() })).rejects.toMatchObject({ code: "aborted" });
    await program.dispose();
    await other.dispose();
    expect([engine.hasEnded, other.hasEnded]).toEqual([false, true]);
  });
});

describe("Engine.create", () => {
  it.each([0, -1, 1.5, Number.NaN])("refuses %s threads", async (threads) => {
    await expect(Engine.create({ threads })).rejects.toMatchObject({
      code: "invalid-argument",
      message: `threads is ${threads}`,
    });
  });
});

describe("the worker", () => {
  it("answers with an error where a result cannot be sent, and goes on", async () => {
    const other = await Engine.create({ threads: 1, workerUrl: new URL("./unsendable-worker.mjs", import.meta.url) });
    await other.setResident({ unsendable: f32([1], [1]), sendable: f32([1], [2]) });
    await expect(other.getResident(["unsendable"])).rejects.toMatchObject({
      code: "engine",
      message: expect.stringMatching(/could not be cloned/),
    });
    expect(await other.getResident(["sendable"])).toEqual({ sendable: f32([1], [2]) });
    await other.dispose();
  });

  it("does not keep the process alive", async () => {
    const module = new URL("../../dist/node/runtime/index.js", import.meta.url);
    const script = `const { Engine } = await import(${JSON.stringify(module.href)});
      const engine = await Engine.create(); await engine.setResident({}); console.log("ready", engine.backend);`;
    const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "-e", script], {
      timeout: 30_000,
    });
    expect(stdout.trim()).toBe("ready cpu");
  });

  it("starts in a process with options of V8's own", async () => {
    const script = fileURLToPath(new URL("./start-engine.mjs", import.meta.url));
    const options = ["--max-old-space-size=2048", "--expose-gc", script];
    const { stdout } = await promisify(execFile)(process.execPath, options, { timeout: 30_000 });
    expect(stdout.trim()).toBe("ready cpu");
  });

  it("names a module that is not there", async () => {
    const missing = Engine.create({ workerUrl: new URL("./no-worker.js", import.meta.url) });
    await expect(missing).rejects.toMatchObject({ name: "GraftError", code: "engine" });
  });
});
