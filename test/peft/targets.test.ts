import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { AutoModelForImageClassification, AutoModelForSequenceClassification } from "#graft/models/index";
import { getPeftModel, LoraConfig, PeftModel } from "#graft/peft/index";
import { minimalSuffixes } from "#graft/peft/matching/minimal-suffixes";
import { fullMatch } from "#graft/peft/matching/python-regex";
import { refusal } from "./refusal.js";

const assets = fileURLToPath(new URL("../../../shared/assets/adapters/", import.meta.url));
const shapeOnly = { withWeights: false } as const;

const vitBase = (numLabels: number) =>
  AutoModelForImageClassification.fromConfig({ model_type: "vit" }, { ...shapeOnly, numLabels });

const tiny = { hidden_size: 8, num_hidden_layers: 2, num_attention_heads: 2, intermediate_size: 16, vocab_size: 20 };
const tinyBert = () => AutoModelForSequenceClassification.fromConfig({ model_type: "bert", ...tiny }, shapeOnly);
const tinyVit = () =>
  AutoModelForImageClassification.fromConfig({ model_type: "vit", ...tiny, image_size: 8, patch_size: 4 }, shapeOnly);

describe("ViT-B/16 with the settings of the walkthrough, without weights", () => {
  const model = vitBase(101);

  test("has 85,876,325 parameters", () => {
    expect(model.numParameters({ onlyTrainable: true })).toBe(85_876_325);
    expect(model.numParameters()).toBe(85_876_325);
  });

  test("trains 667,493 of 86,543,818, or of 86,466,149 with the head counted once", () => {
    const config = new LoraConfig({
      r: 16,
      loraAlpha: 16,
      targetModules: ["query", "value"],
      loraDropout: 0.1,
      bias: "none",
      modulesToSave: ["classifier"],
    });
    const peftModel = getPeftModel(model, config);
    expect(peftModel.getNbTrainableParameters()).toEqual([667_493, 86_543_818]);
    expect(peftModel.getNbTrainableParameters({ countSharedOnce: true })).toEqual([667_493, 86_466_149]);
    expect(peftModel.trainableParametersLine()).toBe(
      "trainable params: 667,493 || all params: 86,543,818 || trainable%: 0.7713",
    );
  });
});

/** The published config of deberta-v2-xxlarge. */
const debertaXxl = {
  model_type: "deberta-v2",
  hidden_size: 1536,
  num_hidden_layers: 48,
  num_attention_heads: 24,
  intermediate_size: 6144,
  vocab_size: 128100,
  type_vocab_size: 0,
  max_position_embeddings: 512,
  relative_attention: true,
  position_buckets: 256,
  max_relative_positions: -1,
  norm_rel_ebd: "layer_norm",
  share_att_key: true,
  pos_att_type: "p2c|c2p",
  position_biased_input: false,
  conv_kernel_size: 3,
  conv_act: "gelu",
  attention_head_size: 64,
  num_labels: 3,
};

describe("DeBERTa-XXL, without weights, as transformers and PEFT count it", () => {
  const model = () => AutoModelForSequenceClassification.fromConfig(debertaXxl, shapeOnly);

  test("has 1,566,915,075 parameters, and no elements", () => {
    const base = model();
    expect(base.numParameters()).toBe(1_566_915_075);
    expect([...base.network.parameters()].every(({ source }) => source.kind === "shape")).toBe(true);
  });

  test.each([
    [8, 2_359_296, 1_569_278_982],
    [16, 4_718_592, 1_571_638_278],
  ])("LoRA of rank %i trains %i, as in the LoRA paper, and the head", (r, trained, all) => {
    const head = 1536 * 3 + 3;
    const adapted = getPeftModel(model(), new LoraConfig({ r, taskType: "SEQ_CLS" }));
    expect(adapted.getNbTrainableParameters()).toEqual([trained + head, all]);
  });
});

describe("targetModules", () => {
  const adapted = (model: Parameters<typeof getPeftModel>[0], options: ConstructorParameters<typeof LoraConfig>[0]) =>
    getPeftModel(model, new LoraConfig(options), { onWarning: () => {} }).targetedModuleNames;

  test("names of transformers 4 and 5 pick the same modules", () => {
    const v4 = adapted(tinyVit(), { targetModules: ["query", "attention.output.dense"] });
    expect(v4).toHaveLength(4);
    expect(adapted(tinyVit(), { targetModules: ["q_proj", "o_proj"] })).toEqual(v4);
    expect(adapted(tinyVit(), { targetModules: String.raw`.*\.layers\.\d+\.attention\.(q_proj|o_proj)` })).toEqual(v4);
    const regex = String.raw`.*\.layer\.\d+\.attention\.(attention\.query|output\.dense)`;
    expect(adapted(tinyVit(), { targetModules: regex })).toEqual(v4);
  });

  test("a pattern for transformers 5 that fits a container of transformers 4 picks what transformers 5 has", async () => {
    const layers = adapted(tinyVit(), { targetModules: String.raw`.*attention\..*` });
    expect(layers).toEqual(adapted(tinyVit(), { targetModules: ["q_proj", "k_proj", "v_proj", "o_proj"] }));
    expect(layers).toHaveLength(8);
    const error = await refusal(() => adapted(tinyVit(), { targetModules: ".*layer.*" }));
    expect(error.code).toBe("unsupported");
  });

  test("a name matches a whole path or its end after a dot, never a part of a word", async () => {
    const error = await refusal(() => adapted(tinyBert(), { targetModules: ["uery"] }));
    expect(error.code).toBe("target-modules-not-found");
  });

  test("a regular expression must match the whole path", async () => {
    expect(adapted(tinyBert(), { targetModules: ".*query" })).toHaveLength(2);
    expect((await refusal(() => adapted(tinyBert(), { targetModules: "query" }))).code).toBe(
      "target-modules-not-found",
    );
  });

  test("BERT's default is query and value; ViT has none", async () => {
    const layers = [0, 1].flatMap((layer) =>
      ["query", "value"].map((name) => `bert.encoder.layer.${layer}.attention.self.${name}`),
    );
    expect(adapted(tinyBert(), {})).toEqual(layers);
    const error = await refusal(() => adapted(tinyVit(), {}));
    expect(error.code).toBe("invalid-config");
    expect(error.message).toContain("vit");
  });

  test("all-linear adapts every linear layer but the head of a SEQ_CLS model", () => {
    expect(adapted(tinyBert(), { targetModules: "ALL-linear", taskType: "SEQ_CLS" })).toHaveLength(13);
    expect(adapted(tinyBert(), { targetModules: "all-linear" })).toContain("classifier");
  });

  test("what matches nothing is named with the nearest candidates", async () => {
    const error = await refusal(() => adapted(tinyBert(), { targetModules: ["querry", "vlaue"] }));
    expect(error.code).toBe("target-modules-not-found");
    expect(error.message).toContain("querry");
    expect(error.hint).toContain("query");
    expect(error.hint).toContain("value");
  });

  test("what is excluded or saved whole is not adapted", async () => {
    const options = { targetModules: ["query", "key"], excludeModules: ["layer.0.attention.self.key"] };
    expect(adapted(tinyBert(), options)).toHaveLength(3);
    const all = { targetModules: ["query"], excludeModules: ["query"] };
    expect((await refusal(() => adapted(tinyBert(), all))).message).toContain("excluded");
    const saved = { targetModules: ["query", "pooler.dense"], modulesToSave: ["pooler"] };
    expect(adapted(tinyBert(), saved)).toHaveLength(2);
  });

  test("a target that LoRA cannot go around is refused", async () => {
    const error = await refusal(() => adapted(tinyBert(), { targetModules: ["LayerNorm"] }));
    expect(error.code).toBe("unsupported");
    expect(error.message).toContain("LayerNorm");
  });

  test("a module to save that does not exist is refused with the nearest names", async () => {
    const options = { targetModules: ["query"], modulesToSave: ["clasifier"] };
    const error = await refusal(() => adapted(tinyBert(), options));
    expect(error.code).toBe("invalid-config");
    expect(error.hint).toContain("classifier");
  });

  test("what is no LoraConfig is refused", async () => {
    const error = await refusal(() => Reflect.apply(getPeftModel, undefined, [tinyBert(), { r: 4 }]));
    expect(error.code).toBe("invalid-argument");
    expect(error.message).toContain('{"r":4}');
  });

  test("a refused config leaves the model as it was", async () => {
    const model = tinyBert();
    await refusal(() => adapted(model, { targetModules: ["nothing"] }));
    expect(model.numParameters({ onlyTrainable: true })).toBe(model.numParameters());
    expect(adapted(model, {})).toHaveLength(4);
  });
});

test("Python's regular expressions: named groups, inline flags, anchors", async () => {
  expect(fullMatch(String.raw`(?P<a>x)(?P=a)\Z`)("xx")).toBe(true);
  expect(fullMatch("(?i)ABC")("abc")).toBe(true);
  expect((await refusal(() => fullMatch("("))).code).toBe("invalid-config");
});

test("the shortest path ends that tell the targets from the rest", () => {
  // The example of PEFT's own documentation of this function.
  const targets = [0, 1].flatMap((i) =>
    ["q_proj", "v_proj"].map((name) => `model.decoder.layers.${i}.self_attn.${name}`),
  );
  expect(minimalSuffixes(targets, ["model.encoder.layers.0.self_attn.k_proj"])).toEqual(["q_proj", "v_proj"]);
  expect(minimalSuffixes(["a.x.dense"], ["a.y.dense"])).toEqual(["x.dense"]);
});

describe.runIf(existsSync(assets))("published adapters (../shared/assets) on models without weights", () => {
  const roberta = {
    model_type: "roberta",
    vocab_size: 50265,
    max_position_embeddings: 514,
    type_vocab_size: 1,
    layer_norm_eps: 1e-5,
  };
  const robertaBase = () => AutoModelForSequenceClassification.fromConfig(roberta, shapeOnly);

  test("RoBERTa, written by PEFT 0.18: every tensor finds its place", async () => {
    const folder = `${assets}roberta-base_lora_mrpc_peft0.18dev`;
    const model = await PeftModel.fromPretrained(robertaBase(), folder);
    expect(model.targetedModuleNames).toHaveLength(24);
    // A and B of 24 layers and RoBERTa's head (dense and out_proj): 52 tensors in the file.
    const adapterParameters = model.namedParameters().filter(([name]) => /lora_|^classifier/.test(name));
    expect(adapterParameters).toHaveLength(52);
    for (const [name, parameter] of adapterParameters) expect(parameter.source.kind, name).toBe("memory");
  });

  test("ViT with names of transformers 4, which PEFT 0.21 with transformers 5 cannot attach", async () => {
    const folder = `${assets}vit-base_lora_food101`;
    const numLabels = Object.keys(JSON.parse(readFileSync(`${folder}/id2label.json`, "utf8"))).length;
    const model = await PeftModel.fromPretrained(vitBase(numLabels), folder);
    expect(model.targetedModuleNames).toHaveLength(24);
  });

  test("an adapter for another base: the tensors that differ are named, the model stays usable", async () => {
    const base = vitBase(7);
    const error = await refusal(() => PeftModel.fromPretrained(base, `${assets}vit-base_lora_food101`));
    expect(error.code).toBe("adapter-mismatch");
    expect(error.message).toContain("classifier.weight");
    expect(base.namedParameters().some(([name]) => name.includes("lora"))).toBe(false);
    expect(base.numParameters({ onlyTrainable: true })).toBe(base.numParameters());
  });

  test("pickled weights are read; those of another model are named", async () => {
    const error = await refusal(() => PeftModel.fromPretrained(robertaBase(), `${assets}peft-regression_lora_mlp`));
    expect(error.code).toBe("target-modules-not-found");
    const other = await refusal(() => PeftModel.fromPretrained(robertaBase(), `${assets}t5-small_lora_bin_peft0.2`));
    expect(other.code).toBe("target-modules-not-found");
  });

  test("another method is refused by name", async () => {
    const error = await refusal(() => PeftModel.fromPretrained(robertaBase(), `${assets}roberta-base_unilora`));
    expect(error.message).toContain("UNILORA");
  });
});
