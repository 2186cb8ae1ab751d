import { join } from "node:path";
import {
  AutoModelForSequenceClassification,
  createTrainingSession,
  type FrozenPrecisionReport,
  GraftError,
  getPeftModel,
  Int8Precision,
  LoraConfig,
} from "graft-peft";
import { describe, expect, it } from "vitest";
import type { PreparedInputs } from "#graft/models/index";
import { outlierFeatures } from "#graft/onnx/index";
import type { PreparedModel } from "#graft/precision/index";
import { judgeProducts } from "#graft/precision/int8/guard";
import { probeProducts } from "#graft/precision/int8/probe";

const config = {
  model_type: "bert",
  vocab_size: 100,
  hidden_size: 64,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  intermediate_size: 128,
  max_position_embeddings: 32,
  type_vocab_size: 2,
  hidden_act: "gelu",
  hidden_dropout_prob: 0,
  attention_probs_dropout_prob: 0,
  initializer_range: 0.2,
};
const batch = {
  inputIds: Array.from({ length: 4 }, (_, row) =>
    Array.from({ length: 16 }, (_, column) => (row * 37 + column * 11) % 100),
  ),
  labels: [0, 1, 1, 0],
};

function model() {
  const base = AutoModelForSequenceClassification.fromConfig(config, { numLabels: 2, seed: 3, threads: 1 });
  return getPeftModel(
    base,
    new LoraConfig({ taskType: "SEQ_CLS", r: 4, targetModules: ["query", "value"], initLoraWeights: false }),
    { seed: 5 },
  );
}

const masks = { seed: 0, step: 0, microStep: 0 };

/** What the first batch decides. */
async function decided(model: PreparedModel, inputs: PreparedInputs): Promise<FrozenPrecisionReport> {
  const precision = new Int8Precision();
  await precision.prepare(model, inputs, masks);
  return precision.report!;
}

async function gradientsOf(precision: "f32" | "int8", kept: readonly string[] = []) {
  const peft = model();
  const report: FrozenPrecisionReport = {
    used: precision,
    reason: "",
    products: kept.map((product) => ({ product, error: 1, keptFloat32: true })),
  };
  const session = createTrainingSession(peft, {
    optimizer: "sgd",
    frozenPrecision: precision === "int8" ? new Int8Precision({ report }) : "f32",
  });
  const { loss } = await session.forwardBackward(batch);
  const gradients = await session.gradients();
  await peft.dispose();
  return { loss, gradients };
}

function compare(a: ArrayLike<number>, b: ArrayLike<number>) {
  let [dot, left, right] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    dot += a[i]! * b[i]!;
    left += a[i]! ** 2;
    right += b[i]! ** 2;
  }
  return dot / Math.sqrt(left * right);
}

describe("frozenPrecision int8", () => {
  it("gives gradients whose cosine with float32's is above 0.99, and other bits", async () => {
    const exact = await gradientsOf("f32");
    const rounded = await gradientsOf("int8");
    expect(Object.keys(rounded.gradients)).toEqual(Object.keys(exact.gradients));
    expect(Object.keys(exact.gradients).length).toBeGreaterThan(8);
    for (const [name, gradient] of Object.entries(exact.gradients)) {
      const cosine = compare(gradient.data as Float32Array, rounded.gradients[name]!.data as Float32Array);
      expect(cosine, name).toBeGreaterThan(0.99);
    }
    expect(rounded.loss).not.toBe(exact.loss);
    expect(Math.abs(rounded.loss - exact.loss)).toBeLessThan(0.02 * exact.loss);
  });

  it("measures every frozen product on the first batch, in both directions where there is a gradient", async () => {
    const peft = model();
    const prepared = peft.prepareInputs(batch);
    const probes = await probeProducts(peft.runner, prepared, masks);
    const named = probes.map(({ product }) => product);
    expect(named).toContain("bert.encoder.layer.0.intermediate.dense.weight (forward)");
    expect(named).toContain("bert.encoder.layer.1.attention.self.key.weight (backward)");
    // Nothing below the first adapted layer is differentiated.
    expect(named).not.toContain("bert.encoder.layer.0.attention.self.key.weight (backward)");
    for (const { product, error } of probes) {
      expect(error, product).toBeGreaterThan(1e-3);
      expect(error, product).toBeLessThan(0.05);
    }
    await peft.dispose();
  });

  it("keeps the products that the guard names in float32: all of them kept, the numbers are float32's", async () => {
    const peft = model();
    const probes = await probeProducts(peft.runner, peft.prepareInputs(batch), masks);
    await peft.dispose();
    const exact = await gradientsOf("f32");
    const kept = await gradientsOf(
      "int8",
      probes.map(({ product }) => product),
    );
    expect(kept.loss).toBe(exact.loss);
    expect(kept.gradients).toEqual(exact.gradients);
  });

  it("keeps the first layer's forward products in float32, and no other products of the layers of this model", async () => {
    const peft = model();
    const decisions = await judgeProducts(peft.runner, peft.prepareInputs(batch), masks);
    await peft.dispose();
    const kept = decisions.filter(({ place }) => place === "first layer");
    expect(kept.every(({ product, keptFloat32 }) => keptFloat32 && /layer\.0\..*forward/.test(product))).toBe(true);
    expect(kept).toHaveLength(6);
    expect(decisions.filter(({ place, keptFloat32 }) => keptFloat32 && place === undefined)).toEqual([]);
    expect(decisions.length).toBeGreaterThan(18);
  });

  it("keeps heads and poolers in float32, however large", async () => {
    const base = AutoModelForSequenceClassification.fromConfig(config, { numLabels: 70, seed: 3, threads: 1 });
    const peft = getPeftModel(base, new LoraConfig({ r: 4, targetModules: ["query", "value"] }), { seed: 5 });
    const decisions = await judgeProducts(peft.runner, peft.prepareInputs(batch), masks);
    await peft.dispose();
    const outside = decisions.filter(({ place }) => place === "outside the layers");
    expect(outside.map(({ product }) => product.split(" ")[0])).toContain("classifier.weight");
    expect(outside.map(({ product }) => product.split(" ")[0])).toContain("bert.pooler.dense.weight");
    expect(outside.every(({ keptFloat32 }) => keptFloat32)).toBe(true);
  });

  it("keeps a product in float32 where int8 is too inaccurate, and says so", async () => {
    const peft = model();
    const weight = [...peft.network.parameters()].find(({ name }) =>
      name.endsWith("layer.1.attention.output.dense.weight"),
    )!;
    // One column holds a value beside which int8 rounds all others to zero.
    const data = Float32Array.from(
      { length: 64 * 64 },
      (_, at) => (at % 64 === 0 ? 1e4 : 1) * (((at * 7919) % 13) - 6),
    );
    weight.setData({ dtype: "float32", shape: [64, 64], data });
    const decisions = await judgeProducts(peft.runner, peft.prepareInputs(batch), masks);
    const decision = decisions.find(({ product }) => product === `${weight.name} (backward)`)!;
    expect(decision.error).toBeGreaterThan(0.05);
    expect(decision).toMatchObject({ keptFloat32: true });
    expect(decision.place).toBeUndefined();
    await peft.dispose();
  });

  it("keeps products in float32 whose error is no number", async () => {
    const peft = model();
    const weight = [...peft.network.parameters()].find(({ name }) =>
      name.endsWith("layer.1.attention.output.dense.weight"),
    )!;
    weight.setData({
      dtype: "float32",
      shape: [64, 64],
      data: new Float32Array(64 * 64).fill(1).fill(Number.NaN, 9, 10),
    });
    const decisions = await judgeProducts(peft.runner, peft.prepareInputs(batch), masks);
    const decision = decisions.find(({ product }) => product === `${weight.name} (forward)`)!;
    expect(decision.error).toBeNaN();
    expect(decision.keptFloat32).toBe(true);
    await peft.dispose();
  });

  it("uses float32 where all frozen matrices are small, and says so", async () => {
    const small = { ...config, hidden_size: 32, intermediate_size: 48 };
    const base = AutoModelForSequenceClassification.fromConfig(small, { numLabels: 2, seed: 3, threads: 1 });
    const peft = getPeftModel(base, new LoraConfig({ taskType: "SEQ_CLS", r: 4, targetModules: ["query"] }));
    const report = await decided(peft, peft.prepareInputs(batch));
    await peft.dispose();
    expect(report.used).toBe("f32");
    expect(report.reason).toMatch(/too small|hardly faster/);
  });

  it("sets outlier features apart where that makes a product more accurate", async () => {
    const peft = model();
    const scale = [...peft.network.parameters()].find(({ name }) =>
      name.includes("layer.1.attention.output.LayerNorm"),
    );
    // Feature 7 becomes forty times as large as the others.
    scale?.setData({ dtype: "float32", shape: [64], data: new Float32Array(64).fill(1).fill(40, 7, 8) });
    const decisions = await judgeProducts(peft.runner, peft.prepareInputs(batch), masks);
    await peft.dispose();
    const apart = decisions.filter(({ outliers }) => outliers);
    expect(apart.map(({ product }) => product)).toContain("bert.encoder.layer.1.intermediate.dense.weight (forward)");
    for (const { outliers, error } of apart) {
      expect(outliers?.map(({ feature }) => feature)).toContain(7);
      expect(error).toBeLessThan(0.02);
    }
  });

  it("takes features of twice the median for outliers, and the power of two nearest to the root", () => {
    const squares = Float32Array.of(1, 1, 1, 4.1, 1, 256, 0, 1, 3.9);
    expect(outlierFeatures(squares)).toEqual([
      { feature: 3, factor: 2 },
      { feature: 5, factor: 4 },
    ]);
    expect(outlierFeatures(new Float32Array(8))).toEqual([]);
  });

  it("evaluates against the float32 base", async () => {
    const peft = model();
    const before = await peft(batch);
    const precision = new Int8Precision({ report: { used: "int8", reason: "", products: [] } });
    await precision.prepare(peft, peft.prepareInputs(batch), masks);
    expect(await peft(batch)).toEqual(before);
    await peft.dispose();
  });

  it("is refused where nothing is frozen", async () => {
    const base = AutoModelForSequenceClassification.fromConfig(config, { numLabels: 2, seed: 3 });
    const attempt = decided(base, base.prepareInputs(batch));
    await expect(attempt).rejects.toThrow(GraftError);
    await expect(attempt).rejects.toMatchObject({ code: "unsupported" });
    await base.dispose();
  });

  it("reads decisions that a run left behind", async () => {
    const { readPrecisionReport, writePrecisionReport } = await import("#graft/precision/index");
    const { mkdtemp, rm, writeFile } = await import("node:fs/promises");
    const { tmpdir } = await import("node:os");
    const folder = await mkdtemp(join(tmpdir(), "graft-int8-"));
    const report: FrozenPrecisionReport = {
      used: "int8",
      reason: "because",
      products: [{ product: "a (forward)", error: 0.1, keptFloat32: true }],
    };
    expect(await readPrecisionReport(folder)).toBeUndefined();
    await writePrecisionReport(folder, report);
    expect(await readPrecisionReport(folder)).toEqual(report);
    const odd = { ...report, products: [{ product: "a (forward)", error: Number.NaN, keptFloat32: true }] };
    await writePrecisionReport(folder, odd);
    expect(await readPrecisionReport(folder)).toEqual(odd);
    for (const broken of ["{}", '{"used": "int8"}', '{"used": "bf16", "reason": "", "products": []}']) {
      await writeFile(join(folder, "frozen_precision.json"), broken);
      await expect(readPrecisionReport(folder)).rejects.toMatchObject({ code: "invalid-config" });
    }
    await rm(folder, { recursive: true });
  });
});
