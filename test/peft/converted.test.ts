import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Matrix } from "ml-matrix";
import { describe, expect, onTestFinished, test } from "vitest";
import { readParameter } from "#graft/models/index";
import { getPeftModel, IA3Config, LoraConfig, PeftModel } from "#graft/peft/index";
import { openSafetensors, readAllTensors } from "#graft/safetensors/read";
import type { TensorData } from "#graft/tensor-data";
import { metaOf, namesIn } from "./method-goldens.js";
import { inputsFor, loadGoldenModel } from "./models.js";
import { goldenPath, readGolden, relativeL2 } from "./numbers.js";
import { refusal } from "./refusal.js";

async function scratch(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "graft-converted-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  return folder;
}

const matrixOf = ({ data, shape }: TensorData): Matrix =>
  Matrix.from1DArray(shape[0] as number, shape[1] as number, Array.from(data as Float32Array));

/** B A by the module's key. */
function products(tensors: ReadonlyMap<string, TensorData>): Map<string, Matrix> {
  const pairs = [...tensors].flatMap(([key, a]): [string, Matrix][] => {
    const b = tensors.get(key.replace("lora_A", "lora_B"));
    return key.includes("lora_A") && b ? [[key.replace(".lora_A.weight", ""), matrixOf(b).mmul(matrixOf(a))]] : [];
  });
  return new Map(pairs);
}

const readFolder = async (folder: string) =>
  readAllTensors(await openSafetensors(join(folder, "adapter_model.safetensors")));

async function configIn(folder: string): Promise<Record<string, unknown>> {
  const { base_model_name_or_path: _, ...config } = JSON.parse(
    await readFile(join(folder, "adapter_config.json"), "utf8"),
  );
  return config;
}

describe.each(namesIn("converted"))("%s as plain LoRA of twice the rank", (name) => {
  const golden = (part: string) => goldenPath(`converted/${name}/${part}`);

  async function trained() {
    const base = await loadGoldenModel(metaOf(`converted/${name}`).base);
    onTestFinished(() => base.dispose());
    const { tensors: io } = await readGolden(`converted/${name}/io.safetensors`);
    return { base, io, model: await PeftModel.fromPretrained(base, golden("trained")) };
  }

  test("computes on the base what the adapter computes on the residual", async () => {
    const { base, io, model } = await trained();
    const { logits } = await model(inputsFor(base, io));
    expect(relativeL2(logits, io.get("logits"))).toBeLessThan(1e-5);
    for (const initial of [golden("initial"), true as const]) {
      const folder = await scratch();
      await model.savePretrained(folder, { pathInitialModelForWeightConversion: initial });
      const plain = await loadGoldenModel(metaOf(`converted/${name}`).base);
      onTestFinished(() => plain.dispose());
      const weights = plain.namedParameters().map(([, { content }]) => content);
      const converted = await PeftModel.fromPretrained(plain, folder);
      expect(relativeL2((await converted(inputsFor(plain, io))).logits, io.get("logits"))).toBeLessThan(1e-5);
      // Nothing is taken out of the base.
      const bases = plain.namedParameters().filter(([, { owner }]) => owner === null);
      expect(bases.every(([, { adjustments }]) => adjustments.length === 0)).toBe(true);
      expect(bases.every(([, { content }]) => weights.includes(content))).toBe(true);
    }
    // The adapter itself goes on as it was.
    expect((await model(inputsFor(base, io))).logits).toEqual(logits);
  });

  test("config and factors are PEFT's, and the head is there, which PEFT leaves out", async () => {
    const { model } = await trained();
    const folder = await scratch();
    const before = await readFile(join(golden("initial"), "adapter_config.json"));
    await model.savePretrained(folder, { pathInitialModelForWeightConversion: golden("initial") });
    expect(await readFile(join(golden("initial"), "adapter_config.json"))).toEqual(before);
    expect(await configIn(folder)).toEqual(await configIn(golden("converted")));
    const [found, wanted] = [await readFolder(folder), await readFolder(golden("converted"))];
    for (const [key, tensor] of wanted) expect(found.get(key), key).toEqual(tensor);
    const others = [...found.keys()].filter((key) => !wanted.has(key));
    expect(others.length).toBeGreaterThan(0);
    expect(others.every((key) => key.includes("classifier"))).toBe(true);
  });

  test("without the folder of the initial adapter B A is PEFT's, and the base what it was", async () => {
    const { model } = await trained();
    const folder = await scratch();
    await model.savePretrained(folder, { pathInitialModelForWeightConversion: true });
    const [found, wanted] = [products(await readFolder(folder)), products(await readFolder(golden("converted")))];
    expect([...found.keys()]).toEqual([...wanted.keys()]);
    const initial = products(await readFolder(golden("trained")));
    for (const [key, product] of wanted) {
      // The difference of two products of the weight's own size: its rounding is relative to these.
      const difference = Matrix.sub(found.get(key) as Matrix, product).norm();
      expect(difference / (initial.get(key) as Matrix).norm(), key).toBeLessThan(1e-5);
    }
  });
});

test("embeddings and DoRA's magnitudes go with it; what left no residual is filled up with zeros", async () => {
  const base = await loadGoldenModel("bert_seqcls");
  onTestFinished(() => base.dispose());
  const { tensors: io } = await readGolden("models/bert_seqcls/io.safetensors");
  const config = new LoraConfig({
    taskType: "SEQ_CLS",
    targetModules: ["query", "word_embeddings"],
    initLoraWeights: "pissa",
    useDora: true,
    r: 4,
  });
  const model = getPeftModel(base, config);
  for (const [name, parameter] of model.namedParameters()) {
    if (!/lora_(A|embedding_A|magnitude)/.test(name)) continue;
    const { data, shape } = await readParameter(parameter);
    const moved = data.map((value, index) => value + 0.1 * Math.sin(index));
    parameter.setData({ dtype: "float32", shape, data: moved });
  }
  const { logits } = await model(inputsFor(base, io));
  const folder = await scratch();
  await model.savePretrained(folder, { pathInitialModelForWeightConversion: true });
  const plain = await loadGoldenModel("bert_seqcls");
  onTestFinished(() => plain.dispose());
  const converted = await PeftModel.fromPretrained(plain, folder);
  expect((converted.peftConfig.default as LoraConfig).r).toBe(8);
  expect(relativeL2((await converted(inputsFor(plain, io))).logits, logits)).toBeLessThan(1e-5);
});

describe("refused by name", () => {
  async function save(config: LoraConfig | IA3Config, initial: string | true) {
    const base = await loadGoldenModel("bert_seqcls");
    onTestFinished(() => base.dispose());
    const model = getPeftModel(base, config);
    const folder = join(await scratch(), "out");
    return refusal(() => model.savePretrained(folder, { pathInitialModelForWeightConversion: initial }));
  }

  test.each([
    ["LORA", new LoraConfig({ taskType: "SEQ_CLS" })],
    ["IA3", new IA3Config({ taskType: "SEQ_CLS" })],
  ])("%s, which changes no weights", async (type, config) => {
    const error = await save(config, true);
    expect(error.code).toBe("unsupported");
    expect(error.message).toContain(`(${type}) leaves the base's weights as they are`);
  });

  test("the folder of another adapter", async () => {
    const config = new LoraConfig({ taskType: "SEQ_CLS", initLoraWeights: "pissa", targetModules: ["query", "value"] });
    const error = await save(config, goldenPath("converted/bert_pissa/initial"));
    expect(error.code).toBe("adapter-mismatch");
    expect(error.message).toContain("of another shape");
  });
});
