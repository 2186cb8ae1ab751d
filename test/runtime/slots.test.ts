import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Engine, type ProgramDefinition } from "#graft/runtime/index";
import type { TensorData } from "#graft/tensor-data";
import { f32, model, node, regression } from "./graphs.js";

let engine: Engine;
beforeEach(async () => {
  engine = await Engine.create({ threads: 1 });
});
afterEach(() => engine.dispose());

const inputs = { x: f32([2, 3], [1, 2, 3, -1, 0, 2]), y: f32([2, 1], [1, -1]) };
const french = { weight: "weight.french", bias: "bias.french" };
const german = { weight: "weight.german", bias: "bias.german" };
const residents = {
  weight: f32([3, 1], [0, 0, 0]),
  bias: f32([1], [0]),
  "weight.french": f32([3, 1], [1, 2, 3]),
  "bias.french": f32([1], [4]),
  "weight.german": f32([3, 1], [-1, 0, 1]),
  "bias.german": f32([1], [1]),
};

/** y = x (a0 b0 + a1 b1): two adapters at once, each of a rank of its own. */
function twoAdapters(): ProgramDefinition {
  const slots = [0, 1].flatMap((n) => [
    { name: `a#${n}`, dtype: "float32" as const, shape: [2, `rank#${n}`] },
    { name: `b#${n}`, dtype: "float32" as const, shape: [`rank#${n}`, 2] },
  ]);
  const declared = [{ name: "x", dtype: "float32" as const, shape: ["rows", 2] }, ...slots];
  return {
    model: model({
      node: [
        ...[0, 1].flatMap((n) => [
          node("MatMul", ["x", `a#${n}`], `xa${n}`),
          node("MatMul", [`xa${n}`, `b#${n}`], `xab${n}`),
        ]),
        node("Add", ["xab0", "xab1"], "y"),
      ],
      input: declared,
      output: [{ name: "y", dtype: "float32", shape: ["rows", 2] }],
    }),
    purpose: "prediction",
    inputs: declared,
    outputs: ["y"],
    resident: slots.map(({ name }) => name),
    masks: [],
  };
}

describe("slots", () => {
  it("are filled by the residents that the run names, and by those of their own names", async () => {
    const program = await engine.compile(regression());
    await engine.setResident(residents);
    expect(program.slots).toEqual(["weight", "bias"]);
    const predict = async (bind?: Record<string, string>) => {
      const { prediction } = await program.run(inputs, { bind, fetch: ["prediction"] });
      return Array.from(prediction?.data as Float32Array);
    };
    expect(await predict()).toEqual([0, 0]);
    expect(await predict(french)).toEqual([18, 9]);
    expect(await predict(german)).toEqual([3, 4]);
    expect(await predict({ weight: "weight.french" })).toEqual([14, 5]);
    expect(await predict(french)).toEqual([18, 9]);
    await engine.setResident({ "bias.french": f32([1], [0]) });
    expect(await predict(french)).toEqual([14, 5]);
  });

  it("are filled otherwise without a session and without an upload", async () => {
    const program = await engine.compile(regression());
    await engine.setResident(residents);
    const before = await engine.counters();
    expect(before).toEqual({ sessions: 1, bytesUploaded: 4 * 12, runs: 0 });
    for (const bind of [french, german, french, {}]) await program.run(inputs, { bind });
    await program.accumulate(inputs, { bind: german });
    expect(await engine.counters()).toEqual({ ...before, runs: 5 });
  });

  it("may be filled by two adapters of different ranks, or twice by one", async () => {
    const program = await engine.compile(twoAdapters());
    await engine.setResident({
      "a.one": f32([2, 1], [1, 2]),
      "b.one": f32([1, 2], [3, 4]),
      "a.two": f32([2, 3], [1, 0, 0, 0, 1, 1]),
      "b.two": f32([3, 2], [1, 2, 3, 4, 5, 6]),
    });
    const x = f32([1, 2], [1, 10]);
    const run = (first: string, second: string) =>
      program.run(
        { x },
        { bind: { "a#0": `a.${first}`, "b#0": `b.${first}`, "a#1": `a.${second}`, "b#1": `b.${second}` } },
      );
    const one = [63, 84];
    const two = [81, 102];
    const sum = (a: number[], b: number[]) =>
      f32(
        [1, 2],
        a.map((value, i) => value + (b[i] as number)),
      );
    expect((await run("one", "two")).y).toEqual(sum(one, two));
    expect((await run("two", "one")).y).toEqual(sum(one, two));
    expect((await run("one", "one")).y).toEqual(sum(one, one));
    const mixed = { "a#0": "a.one", "b#0": "b.two", "a#1": "a.one", "b#1": "b.one" };
    await expect(program.run({ x }, { bind: mixed })).rejects.toMatchObject({
      code: "shape-mismatch",
      message: expect.stringMatching(/slot "b#0", filled by resident "b.two", is declared .*"rank#0" is 3 here and 1/),
    });
  });

  it("name what is missing or unknown", async () => {
    const program = await engine.compile(regression());
    await engine.setResident(residents);
    await expect(program.run(inputs, { bind: { weight: "weight.dutch" } })).rejects.toMatchObject({
      code: "missing-tensor",
      message: 'the engine holds no resident tensor "weight.dutch" for slot "weight"',
    });
    await expect(program.run(inputs, { bind: { wieght: "weight.french" } })).rejects.toMatchObject({
      code: "invalid-argument",
      message: expect.stringMatching(/no slot "wieght"/),
    });
    await program.run(inputs, { bind: french });
    await engine.removeResident(["weight.french"]);
    await expect(program.run(inputs, { bind: french })).rejects.toMatchObject({ code: "missing-tensor" });
  });

  it("refuse a resident of another dtype", async () => {
    const program = await engine.compile(regression());
    const whole = { dtype: "int32" as const, shape: [1], data: Int32Array.of(1) };
    await engine.setResident({ ...residents, whole });
    await expect(program.run(inputs, { bind: { bias: "whole" } })).rejects.toMatchObject({ code: "dtype-mismatch" });
  });
});

describe("gradients of slots", () => {
  it("belong to the residents that filled them, and train those alone", async () => {
    const program = await engine.compile(regression());
    await engine.setResident(residents);
    const parameters = [
      { name: "weight.french", weightDecay: 0 },
      { name: "bias.french", weightDecay: 0 },
    ];
    const optimizer = await engine.createOptimizer({ optimizer: "sgd", parameters });
    const fetch = ["gradBias", "gradWeight"];
    const { outputs } = await program.accumulate(inputs, { bind: french, fetch });
    const other = await program.accumulate(inputs, { bind: german, weight: 0.5, fetch });
    const half = (output: string) => (other.outputs[output] as TensorData<"float32">).data.map((value) => value / 2);
    expect(await program.gradients(french)).toEqual({
      "weight.french": outputs.gradWeight,
      "bias.french": outputs.gradBias,
    });
    expect(await program.gradients(german)).toEqual({
      "weight.german": f32([3, 1], half("gradWeight")),
      "bias.german": f32([1], half("gradBias")),
    });
    expect(await program.gradients()).toEqual({});
    const { "weight.french": _, "bias.french": __, ...untouched } = residents;
    await optimizer.step({ learningRate: 1 });
    const after = await engine.getResident();
    expect(after).toMatchObject(untouched);
    expect(after["bias.french"]).toEqual(f32([1], [4 - (outputs.gradBias?.data[0] as number)]));
    expect(await program.gradients(french)).toEqual({});
    expect(Object.keys(await program.gradients(german))).toEqual(["weight.german", "bias.german"]);
  });

  it("of two slots filled by one resident add up", async () => {
    const declared = ["p", "q"].map((name) => ({ name, dtype: "float32" as const, shape: [2] }));
    const program = await engine.compile({
      model: model({
        node: [
          node("Mul", ["p", "q"], "product"),
          node("ReduceSum", ["product"], "loss", { keepdims: 0 }),
          node("Identity", ["q"], "gradP"),
          node("Identity", ["p"], "gradQ"),
        ],
        input: declared,
        output: [
          { name: "loss", dtype: "float32", shape: [] },
          { name: "gradP", dtype: "float32", shape: [2] },
          { name: "gradQ", dtype: "float32", shape: [2] },
        ],
      }),
      purpose: "training",
      inputs: declared,
      outputs: ["loss", "gradP", "gradQ"],
      resident: ["p", "q"],
      masks: [],
      gradients: { p: "gradP", q: "gradQ" },
      loss: "loss",
    });
    await engine.setResident({ w: f32([2], [3, 5]) });
    const bind = { p: "w", q: "w" };
    const { loss } = await program.accumulate({}, { bind, weight: 0.5 });
    expect(loss).toBe(34);
    expect(await program.gradients(bind)).toEqual({ w: f32([2], [3, 5]) });
  });
});
