import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Matrix } from "ml-matrix";
import { describe, expect, onTestFinished, test } from "vitest";
import {
  decompose,
  largestTriplets,
  randomisedTriplets,
  randomNormal,
  type Triplets,
} from "#graft/linear-algebra/decompositions";
import { productsOf, toTensor } from "#graft/linear-algebra/products";
import type { Vectors } from "#graft/linear-algebra/vectors";
import { type PreTrainedModel, readParameter } from "#graft/models/index";
import { getPeftModel, LoraConfig, PeftModel } from "#graft/peft/index";
import { CounterRng } from "#graft/random";
import type { TensorData } from "#graft/tensor-data";
import { metaOf, plainName } from "./method-goldens.js";
import { inputsFor, loadGoldenModel } from "./models.js";
import { readGolden, relativeL2 } from "./numbers.js";
import { refusal } from "./refusal.js";

/** Settings of the goldens' configs, with an initialisation of the model's kind. */
const configOf = (golden: string, initLoraWeights: LoraConfig["initLoraWeights"]) =>
  new LoraConfig({
    r: 4,
    loraAlpha: 8,
    targetModules: golden.startsWith("vit") ? ["q_proj", "v_proj"] : ["query", "value"],
    initLoraWeights,
    ...(golden.startsWith("vit") ? { modulesToSave: ["classifier"] } : { taskType: "SEQ_CLS" as const }),
  });

async function fresh(golden: string, init: LoraConfig["initLoraWeights"], seed = 0) {
  const base = await loadGoldenModel(metaOf(`methods/${golden}`).base);
  onTestFinished(() => base.dispose());
  const { tensors: io } = await readGolden(`methods/${golden}/io.safetensors`);
  const before = await base(inputsFor(base, io));
  return { base, io, before, model: getPeftModel(base, configOf(golden, init), { seed }) };
}

/** PEFT's first factors and residuals, by transformers 4's names of this model. */
async function initialOf(golden: string, { names }: PreTrainedModel["network"]) {
  const { tensors } = await readGolden(`methods/${golden}/init.safetensors`);
  const plain = (key: string) => plainName(names.toV4(plainName(key)));
  return new Map([...tensors].map(([key, tensor]) => [plain(key.replace(/^(init|base)\./, "")), tensor]));
}

const matrixOf = ({ data, shape }: TensorData): Matrix =>
  Matrix.from1DArray(shape[0] as number, shape[1] as number, Array.from(data as Float32Array));

const distance = (found: Matrix, wanted: Matrix): number => Matrix.sub(found, wanted).norm() / wanted.norm();

/** What the adapter's layers hold: B A by path. */
async function productsIn(model: PeftModel): Promise<Map<string, { a: Matrix; b: Matrix }>> {
  const parameters = new Map(model.namedParameters());
  const found = new Map<string, { a: Matrix; b: Matrix }>();
  for (const path of model.targetedModuleNames) {
    const read = async (name: string) => {
      const entry = [...parameters].find(([key]) => plainName(key) === `${path}.${name}.weight`);
      return matrixOf(await readParameter(entry?.[1] as Parameters<typeof readParameter>[0]));
    };
    found.set(path, { a: await read("lora_A"), b: await read("lora_B") });
  }
  return found;
}

const weightOf = async (base: PreTrainedModel, path: string): Promise<TensorData> => {
  const entry = base.namedParameters().find(([key]) => key === `${path}.weight`);
  return readParameter(entry?.[1] as Parameters<typeof readParameter>[0]);
};

describe.each([
  ["bert_pissa", "pissa"],
  ["vit_pissa", "pissa"],
  ["bert_olora", "olora"],
] as const)("%s", (golden, init) => {
  test("B A and the residual are PEFT's, and the outputs those of the base", async () => {
    const { base, io, before, model } = await fresh(golden, init);
    expect(relativeL2((await model(inputsFor(base, io))).logits, before.logits)).toBeLessThan(1e-5);
    const wanted = await initialOf(golden, base.network);
    for (const [path, { a, b }] of await productsIn(model)) {
      const [wantedA, wantedB] = ["lora_A", "lora_B"].map((name) =>
        matrixOf(wanted.get(`${path}.${name}.weight`) as TensorData),
      ) as [Matrix, Matrix];
      expect(distance(b.mmul(a), wantedB.mmul(wantedA)), path).toBeLessThan(1e-5);
      expect(relativeL2(await weightOf(base, path), wanted.get(`${path}.weight`)), path).toBeLessThan(1e-5);
    }
  });

  test("disabled is the base to the bit, and unload restores its bits", async () => {
    const { base, io, before, model } = await fresh(golden, init);
    const contents = base.namedParameters().map(([, { source }]) => source);
    await model(inputsFor(base, io));
    const disabled = await model.disableAdapter(() => model(inputsFor(base, io)));
    expect(disabled.logits).toEqual(before.logits);
    await model.unload();
    expect((await base(inputsFor(base, io))).logits).toEqual(before.logits);
    // The head was saved whole and keeps its trained values, which are those it had.
    const after = base.namedParameters().map(([, { source }]) => source);
    expect(after.filter((source, index) => source !== contents[index])).toEqual([]);
  });

  test("merged at once it is the base again", async () => {
    const { base, io, before, model } = await fresh(golden, init);
    await model.mergeAdapter();
    expect(relativeL2((await model(inputsFor(base, io))).logits, before.logits)).toBeLessThan(1e-5);
  });

  test("a second adapter that would leave a residual is refused by name, and changes nothing", async () => {
    const { base, io, model } = await fresh(golden, init);
    const logits = (await model(inputsFor(base, io))).logits;
    const error = await refusal(() => model.addAdapter("other", configOf(golden, init)));
    expect(error.code).toBe("unsupported");
    expect(error.message).toContain("default");
    expect((await model(inputsFor(base, io))).logits).toEqual(logits);
  });
});

test("PiSSA by randomised decomposition leaves nothing out, and what is saved loads with the same logits", async () => {
  const { base, io, before, model } = await fresh("bert_pissa_niter_4", "pissa_niter_4");
  const { logits } = await model(inputsFor(base, io));
  expect(relativeL2(logits, before.logits)).toBeLessThan(1e-5);
  const folder = await mkdtemp(join(tmpdir(), "graft-pissa-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  await model.savePretrained(folder);
  const other = await loadGoldenModel("bert_seqcls");
  onTestFinished(() => other.dispose());
  const loaded = await PeftModel.fromPretrained(other, folder);
  expect((await loaded(inputsFor(other, io))).logits).toEqual(logits);
});

test("MiCA: B is PEFT's up to signs, frozen, and nothing else than A and the head is trained", async () => {
  const { base, io, before, model } = await fresh("bert_mica", "mica");
  expect(relativeL2((await model(inputsFor(base, io))).logits, before.logits)).toBe(0);
  const wanted = await initialOf("bert_mica", base.network);
  for (const [path, { a, b }] of await productsIn(model)) {
    expect(a.norm()).toBe(0);
    const golden = matrixOf(wanted.get(`${path}.lora_B.weight`) as TensorData);
    for (let column = 0; column < 4; column++) {
      const cosine = b.getColumnVector(column).dot(golden.getColumnVector(column));
      expect(Math.abs(cosine), `${path} ${column}`).toBeCloseTo(1, 4);
    }
  }
  const trained = model.trainedGroups().flatMap(({ parameters }) => parameters.map(({ name }) => name));
  expect(trained.some((name) => name.includes("lora_B"))).toBe(false);
});

test("orthogonal: B A is zero and both factors have orthogonal halves of PEFT's size", async () => {
  const { base, io, before, model } = await fresh("bert_orthogonal", "orthogonal");
  expect(relativeL2((await model(inputsFor(base, io))).logits, before.logits)).toBeLessThan(1e-5);
  const wanted = await initialOf("bert_orthogonal", base.network);
  let [own, golden] = [0, 0];
  for (const [path, { a, b }] of await productsIn(model)) {
    expect(b.mmul(a).norm() / (a.norm() * b.norm())).toBeLessThan(1e-6);
    own += a.norm() + b.norm();
    for (const name of ["lora_A", "lora_B"]) {
      golden += matrixOf(wanted.get(`${path}.${name}.weight`) as TensorData).norm();
    }
  }
  expect(own / golden).toBeGreaterThan(0.8);
  expect(own / golden).toBeLessThan(1.25);
});

test.each([
  ["orthogonal", { r: 3 }, "even"],
  ["pissa", { r: 33 }, "32 singular vectors"],
  ["mica", { r: 40 }, "32 singular vectors"],
] as const)("%s with %j is refused", async (initLoraWeights, options, words) => {
  const base = await loadGoldenModel("bert_seqcls");
  onTestFinished(() => base.dispose());
  const config = new LoraConfig({ targetModules: ["query"], initLoraWeights, ...options });
  const error = await refusal(() => getPeftModel(base, config));
  expect(error.code).toBe("invalid-config");
  expect(error.message).toMatch(words);
});

test("PiSSA does not go around the convolution of patches", async () => {
  const base = await loadGoldenModel("vit_imgcls");
  onTestFinished(() => base.dispose());
  const config = new LoraConfig({ targetModules: ["projection"], initLoraWeights: "pissa" });
  const error = await refusal(() => getPeftModel(base, config));
  expect(error.code).toBe("unsupported");
  expect(error.message).toContain("projection");
});

const columnsIn = ({ data, length, count }: Vectors): Matrix =>
  Matrix.from1DArray(count, length, Array.from(data)).transpose();

const inColumns = ({ u, s, v }: Triplets) => ({ u: columnsIn(u), s, v: columnsIn(v) });

describe("decompositions by products alone", () => {
  const weight = randomNormal(90, 60, new CounterRng([3]));
  const products = productsOf(toTensor(weight));

  test("the largest triplets are singular, orthonormal and the largest", async () => {
    const { u, s, v } = inColumns(largestTriplets(products, 6, new CounterRng([1])));
    expect(distance(weight.mmul(v), u.mmul(Matrix.diag([...s])))).toBeLessThan(1e-5);
    expect(distance(weight.transpose().mmul(u), v.mmul(Matrix.diag([...s])))).toBeLessThan(1e-5);
    expect(Matrix.sub(u.transpose().mmul(u), Matrix.eye(6)).norm()).toBeLessThan(1e-6);
    // What is left has no larger singular value than the last of them.
    const rest = Matrix.sub(weight, u.mmul(Matrix.diag([...s])).mmul(v.transpose()));
    const { s: next } = largestTriplets(productsOf(toTensor(rest)), 1, new CounterRng([2]));
    expect(next[0] as number).toBeLessThanOrEqual((s[5] as number) * 1.000001);
  });

  test("the randomised ones come near the largest, the nearer the more iterations", async () => {
    const { s: exact } = largestTriplets(products, 6, new CounterRng([1]));
    const errorOf = (iterations: number): number => {
      const { s } = randomisedTriplets(products, 6, iterations, new CounterRng([1]));
      return Math.max(...s.map((value, index) => Math.abs(value / (exact[index] as number) - 1)));
    };
    const [one, many] = [errorOf(1), errorOf(64)];
    expect(many).toBeLessThan(one);
    expect(many).toBeLessThan(0.01);
  });

  test("all that a small matrix has, where as many are asked for", async () => {
    const small = randomNormal(5, 3, new CounterRng([4]));
    const { u, s, v } = inColumns(largestTriplets(productsOf(toTensor(small)), 3, new CounterRng([1])));
    expect(distance(u.mmul(Matrix.diag([...s])).mmul(v.transpose()), small)).toBeLessThan(1e-6);
  });

  test.each([
    ["values that come twice", (i: number, j: number) => (i === j ? 1 + Math.floor(i / 12) : 0)],
    ["a rank below the count", (i: number, j: number) => (i + 1) * (j + 2)],
    ["zeros alone", () => 0],
  ])("%s", (_, elementAt) => {
    const matrix = Matrix.zeros(40, 48);
    for (let i = 0; i < 40; i++) for (let j = 0; j < 48; j++) matrix.set(i, j, elementAt(i, j));
    const { u, s, v } = inColumns(largestTriplets(productsOf(toTensor(matrix)), 6, new CounterRng([1])));
    const { s: exact, u: left, v: right } = inColumns(decompose(matrix, 6));
    const size = Math.max(1, exact[0] as number);
    for (const [at, value] of exact.entries()) expect(Math.abs((s[at] as number) - value) / size).toBeLessThan(1e-6);
    expect(Matrix.sub(v.transpose().mmul(v), Matrix.eye(6)).norm()).toBeLessThan(1e-6);
    const [found, wanted] = [u.mmul(Matrix.diag([...s])), left.mmul(Matrix.diag([...exact]))];
    // Among equal values any vectors will do: what counts is that W v = s u.
    expect(Matrix.sub(matrix.mmul(v), found).norm() / size).toBeLessThan(1e-5);
    expect(Matrix.sub(matrix.mmul(right), wanted).norm() / size).toBeLessThan(1e-5);
  });
});
