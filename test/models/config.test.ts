import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { AutoModel, AutoModelForImageClassification, AutoModelForSequenceClassification } from "graft-peft";
import { describe, expect, it } from "vitest";
import { copyOf } from "./folder.js";

const shapes = { withWeights: false };
const bert = (fields: Record<string, unknown>) =>
  AutoModelForSequenceClassification.fromConfig({ model_type: "bert", ...fields }, shapes);
const distilbert = (fields: Record<string, unknown>) => bert({ model_type: "distilbert", ...fields });
const deberta = (fields: Record<string, unknown>) => bert({ model_type: "deberta-v2", ...fields });
const vit = (fields: Record<string, unknown>) =>
  AutoModelForImageClassification.fromConfig({ model_type: "vit", ...fields }, shapes);

const hostile: [string, () => unknown, string, string][] = [
  ["no model_type", () => AutoModel.fromConfig({}), "invalid-config", "model_type"],
  ["a model type unknown here", () => AutoModel.fromConfig({ model_type: "mamba" }), "unsupported", '"mamba"'],
  ["a model type of an object", () => AutoModel.fromConfig({ model_type: {} }), "unsupported", "{}"],
  [
    "a head for the other kind of input",
    () => AutoModelForImageClassification.fromConfig({ model_type: "bert" }),
    "unsupported",
    "AutoModelForImageClassification",
  ],
  ["a size below zero", () => bert({ hidden_size: -4 }), "invalid-config", "hidden_size"],
  ["a size of text", () => bert({ hidden_size: "768" }), "invalid-config", "hidden_size"],
  ["a fraction", () => bert({ num_attention_heads: 2.5 }), "invalid-config", "num_attention_heads"],
  ["an absurd size", () => bert({ vocab_size: 1e12 }), "invalid-config", "vocab_size"],
  ["absurdly many layers", () => vit({ num_hidden_layers: 1e9 }), "invalid-config", "num_hidden_layers"],
  ["heads that do not divide", () => bert({ num_attention_heads: 7 }), "invalid-config", "768"],
  ["heads that do not divide (ViT)", () => vit({ num_attention_heads: 7 }), "invalid-config", "768"],
  ["an activation unknown here", () => bert({ hidden_act: "mystery" }), "invalid-config", "hidden_act"],
  ["a dropout of one", () => bert({ hidden_dropout_prob: 1 }), "invalid-config", "hidden_dropout_prob"],
  ["an epsilon of zero", () => vit({ layer_norm_eps: 0 }), "invalid-config", "layer_norm_eps"],
  ["relative positions", () => bert({ position_embedding_type: "relative_key" }), "unsupported", "relative_key"],
  ["a decoder", () => bert({ is_decoder: true }), "unsupported", "is_decoder"],
  ["padding outside the vocabulary", () => bert({ pad_token_id: 30522 }), "invalid-config", "pad_token_id"],
  ["patches larger than the image", () => vit({ image_size: 8 }), "invalid-config", "patch_size"],
  ["labels with a gap", () => bert({ id2label: { 0: "a", 2: "b" } }), "invalid-config", '"2"'],
  ["labels that are no text", () => bert({ id2label: { 0: ["x"] } }), "invalid-config", "id2label"],
  ["a problem type unknown here", () => bert({ problem_type: "ranking" }), "invalid-config", "problem_type"],
  ["no labels", () => bert({ id2label: {} }), "invalid-config", "id2label"],
  [
    "a label id with a zero before it",
    () => bert({ id2label: { 0: "a", "00": "b", 1: "c" } }),
    "invalid-config",
    '"00"',
  ],
  [
    "a deeply nested model type",
    () => AutoModel.fromConfig({ model_type: JSON.parse("[".repeat(200_000) + "]".repeat(200_000)) }),
    "unsupported",
    "a deeply nested value",
  ],
  [
    "a quantised checkpoint",
    () => bert({ quantization_config: { quant_method: "gptq", bits: 4 } }),
    "unsupported",
    '(quant_method "gptq")',
  ],
  [
    "one class of a single label",
    () => bert({ num_labels: 1, problem_type: "single_label_classification" }),
    "invalid-config",
    "one label only",
  ],
  [
    "a problem type unknown here, as an option",
    () => Reflect.apply(AutoModel.fromConfig, AutoModel, [{ model_type: "bert" }, { ...shapes, problemType: "x" }]),
    "invalid-argument",
    'problemType is "x"',
  ],
  ["DistilBERT's heads that do not divide", () => distilbert({ n_heads: 5 }), "invalid-config", "dim 768"],
  ["DistilBERT's width under its other name", () => distilbert({ hidden_size: 0 }), "invalid-config", "dim"],
  ["an even convolution", () => deberta({ conv_kernel_size: 4 }), "invalid-config", "conv_kernel_size 4 is even"],
  ["a convolution in groups", () => deberta({ conv_kernel_size: 3, conv_groups: 2 }), "unsupported", "conv_groups 2"],
  ["scores of positions alone", () => deberta({ pos_att_type: "c2p|p2p" }), "unsupported", '"p2p"'],
  ["a pooler of another width", () => deberta({ pooler_hidden_size: 10 }), "invalid-config", "pooler_hidden_size 10"],
  [
    "heads of another size",
    () => deberta({ attention_head_size: 32 }),
    "unsupported",
    "attention_head_size 32, which is not 64",
  ],
  [
    "more buckets than distances",
    () => deberta({ relative_attention: true, position_buckets: 256, max_relative_positions: 100 }),
    "invalid-config",
    "position_buckets 256",
  ],
  [
    "RoBERTa without positions",
    () => AutoModel.fromConfig({ model_type: "roberta", max_position_embeddings: 2 }, shapes),
    "invalid-config",
    "max_position_embeddings",
  ],
];

describe("configs that cannot be used are refused by field", () => {
  it.each(hostile)("%s", (_, build, code, part) => {
    expect(build).toThrow(
      expect.objectContaining({ name: "GraftError", code, message: expect.stringContaining(part) }),
    );
  });

  it("a file that is no JSON, and one that is a list", async () => {
    const folder = await copyOf("bert_seqcls");
    await writeFile(join(folder, "config.json"), '{"model_type": "bert",}');
    await expect(AutoModel.fromPretrained(folder)).rejects.toMatchObject({
      code: "invalid-json",
      message: expect.stringContaining("line 1, column 23"),
    });
    await writeFile(join(folder, "config.json"), "[]");
    await expect(AutoModel.fromPretrained(folder)).rejects.toMatchObject({ code: "invalid-json" });
  });

  it("sizes that are not the file's", async () => {
    const folder = await copyOf("bert_seqcls", { intermediate_size: 64 });
    await expect(AutoModel.fromPretrained(folder)).rejects.toMatchObject({
      code: "shape-mismatch",
      message: expect.stringContaining("encoder.layer.0.intermediate.dense.weight is [48,32] in the file and [64,32]"),
    });
  });
});

describe("labels", () => {
  const config = (options: object) => bertWith(options).config;
  const bertWith = (options: object) =>
    AutoModelForSequenceClassification.fromConfig(
      { model_type: "bert", id2label: { 0: "bad", 1: "good" } },
      { ...shapes, ...options },
    );

  it("come from the config, or from id2label, label2id or numLabels", () => {
    expect(config({})).toMatchObject({ numLabels: 2, label2id: { bad: 0, good: 1 } });
    expect(config({ numLabels: 2 }).id2label).toEqual({ 0: "bad", 1: "good" });
    expect(config({ numLabels: 3 }).id2label).toEqual({ 0: "LABEL_0", 1: "LABEL_1", 2: "LABEL_2" });
    expect(config({ label2id: { x: 1, y: 0 } }).id2label).toEqual({ 0: "y", 1: "x" });
    expect(config({ id2label: ["p", "q", "p"] })).toMatchObject({ numLabels: 3, label2id: { p: 2, q: 1 } });
  });

  it.each<[string, object, Record<number, string>]>([
    ["numbers for names", { id2label: { 0: 7, 1: 3 }, label2id: { 7: 0, 3: 1 } }, { 0: "7", 1: "3" }],
    ["ids as texts", { label2id: { x: "0", y: "1" } }, { 0: "x", 1: "y" }],
    [
      "a label2id that is none beside id2label",
      { id2label: { 0: "x", 1: "y" }, label2id: { 0: "x" } },
      { 0: "x", 1: "y" },
    ],
    ["another num_labels than id2label's", { id2label: { 0: "x", 1: "y" }, num_labels: 1 }, { 0: "LABEL_0" }],
    ["num_labels alone", { num_labels: 1 }, { 0: "LABEL_0" }],
    ["nothing", {}, { 0: "LABEL_0", 1: "LABEL_1" }],
  ])("in config.json: %s, as transformers reads it", (_, fields, id2label) => {
    const model = AutoModelForSequenceClassification.fromConfig({ model_type: "bert", ...fields }, shapes);
    expect(model.config.id2label).toEqual(id2label);
  });

  it.each<[string, object]>([
    ["a gap", { id2label: { 0: "x", 2: "y" } }],
    ["no label", { id2label: {} }],
    ["no number", { label2id: { x: "first" } }],
    ["no class", { num_labels: 0 }],
  ])("in config.json: %s is refused", (_, fields) => {
    const build = () => AutoModelForSequenceClassification.fromConfig({ model_type: "bert", ...fields }, shapes);
    expect(build).toThrow(expect.objectContaining({ code: "invalid-config" }));
  });

  it("that contradict each other are refused", () => {
    for (const options of [
      { numLabels: 0 },
      { numLabels: 3, id2label: ["a", "b"] },
      { id2label: ["a", "b"], label2id: { a: 1, b: 0 } },
      { label2id: { a: 0, b: 0 } },
      { label2id: { a: 0, b: 2 } },
    ]) {
      expect(() => bertWith(options)).toThrow(expect.objectContaining({ code: "invalid-config" }));
    }
  });
});
