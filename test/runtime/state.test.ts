import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Binding, Engine, type EngineScope, type Program, type ProgramDefinition } from "#graft/runtime/index";
import { sessionOptions } from "#graft/runtime/session-options";
import type { TensorData } from "#graft/tensor-data";
import { decoder, heads, hidden, layers, width } from "./decoder.js";
import { f32, model, node } from "./graphs.js";

const room = 16;
const size = width / heads;
const caches = Array.from({ length: layers }, (_, n) => [`keys.${n}`, `values.${n}`]).flat();

let engine: Engine;
let whole: Program;
beforeAll(async () => {
  engine = await Engine.create({ threads: 1 });
  whole = await engine.compile(decoder("none"));
});
afterAll(() => engine.dispose());

type Rows = number[][];
type How = "replaced" | "written";

/** A causal mask of so many new positions. */
const causal = (length: number) =>
  f32(
    [length, length],
    Array.from({ length: length * length }, (_, i) => (i % length > Math.floor(i / length) ? hidden : 0)),
  );

/** Embeddings of one sequence's first positions. */
const prompt = (seed: number, length: number): Rows =>
  Array.from({ length }, (_, t) => Array.from({ length: width }, (_, i) => Math.sin(seed + 5 * t + i)));

function rowsOf({ shape, data }: TensorData): Rows[] {
  const [batch, length] = shape as [number, number];
  const row = (at: number) => Array.from((data as Float32Array).subarray(at * width, (at + 1) * width));
  return Array.from({ length: batch }, (_, b) => Array.from({ length }, (_, t) => row(b * length + t)));
}

const batchOf = (rows: readonly Rows[]) => f32([rows.length, rows[0]?.length ?? 0, width], rows.flat(2));

/** Sequences of one length that are continued together, in residents of their own. */
class Generation {
  /** All inputs and outputs so far, by sequence. */
  inputs: Rows[] = [];
  outputs: Rows[] = [];
  readonly bind: Binding;
  length = 0;

  constructor(
    private readonly scope: EngineScope,
    private readonly program: Program,
    private readonly how: How,
    name: string,
    private readonly reference: Program = whole,
  ) {
    this.bind = Object.fromEntries(caches.map((cache) => [cache, `${name}/${cache}`]));
  }

  async begin(sequences: Rows[]): Promise<void> {
    const shape = [sequences.length, heads, this.how === "written" ? room : 0, size];
    const empty = () => f32(shape, new Float32Array(shape.reduce((a, b) => a * b)));
    await this.scope.setResident(Object.fromEntries(this.residents.map((name) => [name, empty()])));
    this.inputs = sequences.map(() => []);
    this.outputs = sequences.map(() => []);
    this.length = 0;
    await this.step(sequences);
  }

  get residents(): string[] {
    return Object.values(this.bind);
  }

  async step(next: Rows[]): Promise<void> {
    const past = this.how === "written" ? room : this.length;
    const pastBias = f32(
      [past],
      Array.from({ length: past }, (_, t) => (t < this.length ? 0 : hidden)),
    );
    const count = next[0]?.length ?? 0;
    const inputs = { x: batchOf(next), newBias: causal(count), pastBias };
    const results = await this.program.run(inputs, {
      bind: this.bind,
      ...(this.how === "written" && { stateOffset: this.length }),
    });
    expect(Object.keys(results)).toEqual(["y"]);
    const y = rowsOf(results.y as TensorData);
    for (const [b, rows] of next.entries()) this.inputs[b]?.push(...rows);
    for (const [b, rows] of y.entries()) this.outputs[b]?.push(...rows);
    this.length += count;
  }

  /** One more position: made from the last output, as a decoder does. */
  async generate(): Promise<void> {
    await this.step(this.outputs.map((rows) => [(rows.at(-1) as number[]).map((value) => Math.tanh(value))]));
  }

  async reorder(indices: number[]): Promise<void> {
    await this.scope.reorderResident(this.residents, indices);
    this.inputs = indices.map((index) => [...(this.inputs[index] as Rows)]);
    this.outputs = indices.map((index) => [...(this.outputs[index] as Rows)]);
  }

  async expectWhole(): Promise<void> {
    const { y } = await this.reference.run({ x: batchOf(this.inputs), newBias: causal(this.length) });
    const expected = rowsOf(y as TensorData);
    expect(this.outputs.length).toBe(expected.length);
    const differences = expected.flat(2).map((value, i) => Math.abs(value - (this.outputs.flat(2)[i] as number)));
    expect(differences.length).toBe(this.inputs.length * this.length * width);
    expect(Math.max(...differences)).toBeLessThan(1e-6);
  }
}

describe.each<How>(["replaced", "written"])("caches that are %s", (how) => {
  let scope: EngineScope;
  let program: Program;
  beforeAll(async () => {
    scope = engine.scope();
    program = await scope.compile(decoder(how));
  });
  afterAll(() => scope.dispose());
  const generation = (name: string) => new Generation(scope, program, how, name);

  it("give step by step what the whole sequence gives, and upload nothing", async () => {
    const sequences = generation("a");
    await sequences.begin([prompt(1, 3), prompt(2, 3)]);
    const { bytesUploaded } = await scope.counters();
    for (let step = 0; step < 10; step++) await sequences.generate();
    await sequences.expectWhole();
    expect(sequences.length).toBe(13);
    expect((await scope.counters()).bytesUploaded).toBe(bytesUploaded);
    expect(program.outputs).toEqual(["y"]);
  });

  it("follow the beams", async () => {
    const beams = generation("beams");
    await beams.begin([prompt(1, 2), prompt(2, 2)]);
    for (const order of [[1, 0], [1, 0, 1], [0, 1, 2], [2, 2, 0], [1]]) {
      await beams.generate();
      await beams.reorder(order);
    }
    await beams.generate();
    await beams.expectWhole();
  });

  it("of sequences of several lengths lie side by side", async () => {
    const [short, long] = [generation("short"), generation("long")];
    await long.begin([prompt(3, 6)]);
    await short.begin([prompt(4, 1), prompt(5, 1), prompt(6, 1)]);
    for (let step = 0; step < 4; step++) await Promise.all([short.generate(), long.generate()]);
    await short.expectWhole();
    await long.expectWhole();
  });

  it("are dropped, and begun anew", async () => {
    const sequence = generation("dropped");
    await sequence.begin([prompt(7, 3)]);
    await sequence.generate();
    const bytes = await scope.residentBytes();
    await scope.removeResident(sequence.residents);
    expect(await scope.residentBytes()).toBeLessThan(bytes);
    await expect(sequence.generate()).rejects.toMatchObject({
      code: "missing-tensor",
      message: 'the engine holds no resident tensor "dropped/keys.0" for slot "keys.0"',
    });
    await sequence.begin([prompt(8, 2)]);
    await sequence.generate();
    await sequence.expectWhole();
  });
});

describe("state that does not fit", () => {
  const step = (length: number, at: number | undefined) => ({
    inputs: { x: batchOf([prompt(1, length)]), newBias: causal(length), pastBias: f32([room], new Float32Array(room)) },
    options: { stateOffset: at },
  });
  let scope: EngineScope;
  let program: Program;
  const empty = () => f32([1, heads, room, size], new Float32Array(room * width));
  beforeAll(async () => {
    scope = engine.scope();
    program = await scope.compile(decoder("written"));
    await scope.setResident(Object.fromEntries(caches.map((name) => [name, empty()])));
  });
  afterAll(() => scope.dispose());

  it.each([undefined, -1, 0.5])("has an offset of %s", async (offset) => {
    const { inputs, options } = step(1, offset);
    await expect(program.run(inputs, options)).rejects.toMatchObject({
      code: "invalid-argument",
      message: `stateOffset is ${offset}`,
    });
  });

  it("has no room left, and nothing is written", async () => {
    const { inputs, options } = step(3, 14);
    await expect(program.run(inputs, options)).rejects.toMatchObject({
      code: "shape-mismatch",
      message: expect.stringMatching(/"new.keys.0" .* does not fit into resident "keys.0" .* at 14 along axis 2/),
    });
    expect(await scope.getResident(["keys.0"])).toEqual({ "keys.0": empty() });
  });

  it("is asked for as an output, or bound twice to one resident", async () => {
    const { inputs, options } = step(1, 0);
    await expect(program.run(inputs, { ...options, fetch: ["new.keys.0"] })).rejects.toThrow(
      /returns no output "new.keys.0"/,
    );
    await expect(program.run(inputs, { ...options, bind: { "keys.0": "values.0" } })).rejects.toThrow(
      /would both go to resident "values.0"/,
    );
  });

  it("is reordered by what is no slice of it", async () => {
    await expect(scope.reorderResident(caches, [0, 1])).rejects.toThrow(/no slice 1 along axis 0/);
    await expect(scope.reorderResident(caches, [0], 4)).rejects.toThrow(/has no axis 4/);
    await expect(scope.reorderResident(caches, [0.5])).rejects.toThrow(/index 0 is 0.5/);
    await expect(scope.reorderResident(["nothing"], [0])).rejects.toMatchObject({ code: "missing-tensor" });
  });

  it.each<[string, Partial<ProgramDefinition>, RegExp]>([
    ["an unknown output", { state: { z: { slot: "total" } } }, /state "z" is no output/],
    ["an axis that is none", { state: { sum: { slot: "total", axis: -1 } } }, /along axis -1/],
    ["a slot that is a given input", { state: { sum: { slot: "x" } } }, /"x" is an input that does not stay/],
    ["a slot twice", { state: { sum: { slot: "s" }, same: { slot: "s" } } }, /share one slot/],
  ])("is declared with %s", async (_, change, message) => {
    await expect(engine.compile({ ...counter(), ...change })).rejects.toThrow(message);
  });
});

/** total <- total + x */
function counter(): ProgramDefinition {
  const inputs = ["x", "total"].map((name) => ({ name, dtype: "float32" as const, shape: [2] }));
  const outputs = ["sum", "same"].map((name) => ({ name, dtype: "float32" as const, shape: [2] }));
  return {
    model: model({
      node: [node("Add", ["x", "total"], "sum"), node("Identity", ["x"], "same")],
      input: inputs,
      output: outputs,
    }),
    purpose: "prediction",
    inputs,
    outputs: ["sum", "same"],
    resident: ["total"],
    masks: [],
    state: { sum: { slot: "total" } },
  };
}

describe("state", () => {
  it("goes to the resident that the run names", async () => {
    const scope = engine.scope();
    const program = await scope.compile(counter());
    await scope.setResident({ total: f32([2], [1, 2]), other: f32([2], [0, 0]) });
    const x = f32([2], [10, 20]);
    expect(await program.run({ x })).toEqual({ same: x });
    await program.run({ x });
    await program.run({ x }, { bind: { total: "other" }, fetch: [] });
    expect(await scope.getResident()).toEqual({ total: f32([2], [21, 42]), other: f32([2], [10, 20]) });
    await scope.dispose();
  });
});

describe("state in WebAssembly", () => {
  it.each<How>(["replaced", "written"])("is %s and gives what the whole sequence gives there", async (how) => {
    const wasm = await Engine.create({ threads: 1, backend: "wasm" });
    const program = await wasm.compile(decoder(how));
    const sequences = new Generation(wasm, program, how, "a", await wasm.compile(decoder("none")));
    await sequences.begin([prompt(1, 3), prompt(2, 3)]);
    await sequences.generate();
    await sequences.reorder([1, 1]);
    await sequences.generate();
    await sequences.expectWhole();
    await wasm.dispose();
  });
});

describe("a session for generation", () => {
  it("packs its weights, which those for whole batches leave where they lie", () => {
    const place = { threads: 1, providers: ["cpu"] };
    const packing = (purpose: "generation" | "prediction") =>
      (sessionOptions(purpose, place).extra as { session: Record<string, string> }).session.disable_prepacking;
    expect([packing("generation"), packing("prediction")]).toEqual([undefined, "1"]);
  });
});
