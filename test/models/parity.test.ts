import {
  AutoModel,
  AutoModelForCausalLM,
  AutoModelForImageClassification,
  AutoModelForSequenceClassification,
  type LoadingReport,
} from "graft-peft";
import { describe, expect, it, test } from "vitest";
import type { TensorData } from "#graft/tensor-data";
import { atTokens, goldenFolder, inputsOf, maxDifference, readTensors } from "./golden.js";
import { autoClassOf, goldenClassifiers, goldenModels } from "./registry.js";

/** The bound is 1e-4; these small models stay below 1e-5. */
const TOLERANCE = 1e-5;

describe.each(goldenClassifiers)("$name", ({ name, head }) => {
  it("gives transformers' logits and loss, and nothing to report", async () => {
    const reports: LoadingReport[] = [];
    const onReport = (report: LoadingReport) => reports.push(report);
    const model = await autoClassOf(head).fromPretrained(goldenFolder(name), { threads: 1, onReport });
    const io = await readTensors(`${goldenFolder(name)}/io.safetensors`);
    const outputs = await model({ ...inputsOf(io), labels: io.get("labels")! });
    const close = (found: TensorData | undefined, key: string) =>
      expect(maxDifference(atTokens(found, io), atTokens(io.get(key), io)), key).toBeLessThan(TOLERANCE);
    close(outputs.logits, "logits");
    expect(Math.abs(outputs.loss! - Number(io.get("loss")!.data[0]))).toBeLessThan(TOLERANCE);
    expect((await model(inputsOf(io))).loss).toBeUndefined();
    if (io.has("ids_alone.logits")) {
      const alone = await model({ inputIds: io.get("input_ids")! });
      expect(maxDifference(alone.logits, io.get("ids_alone.logits"))).toBeLessThan(TOLERANCE);
    }
    if (io.has("positions.logits")) {
      close((await model({ ...inputsOf(io), positionIds: io.get("position_ids")! })).logits, "positions.logits");
    }
    expect(reports).toEqual([
      { missingKeys: [], unexpectedKeys: [], mismatchedKeys: [], replacedKeys: [], newlyInitialized: [] },
    ]);
    await model.dispose();
  });
});

describe.each(goldenModels)("$name without a head", ({ name }) => {
  it("gives transformers' hidden states and pooled output; a prefix in the file is stripped", async () => {
    const model = await AutoModel.fromPretrained(goldenFolder(name), { threads: 1, onReport: () => {} });
    const io = await readTensors(`${goldenFolder(name)}/io.safetensors`);
    const outputs = await model(inputsOf(io));
    const close = (found: TensorData | undefined, key: string) =>
      expect(maxDifference(atTokens(found, io), atTokens(io.get(key), io)), key).toBeLessThan(TOLERANCE);
    close(outputs.lastHiddenState, "last_hidden_state");
    if (io.has("positions.last_hidden_state")) {
      const { lastHiddenState } = await model({ ...inputsOf(io), positionIds: io.get("position_ids")! });
      close(lastHiddenState, "positions.last_hidden_state");
    }
    // A checkpoint without a pooler gets a fresh one, which has nothing to be compared with.
    if (io.has("pooler_output")) {
      expect(maxDifference(outputs.poolerOutput, io.get("pooler_output"))).toBeLessThan(TOLERANCE);
    }
    if (io.has("ids_alone.last_hidden_state")) {
      const alone = await model({ inputIds: io.get("input_ids")! });
      expect(maxDifference(alone.lastHiddenState, io.get("ids_alone.last_hidden_state"))).toBeLessThan(TOLERANCE);
    }
    await model.dispose();
  });
});

describe("parameter counts, without weights", () => {
  const count = (config: Record<string, unknown>, numLabels: number) =>
    AutoModelForImageClassification.fromConfig(config, { numLabels, withWeights: false }).numParameters();

  it("ViT-B/16 with 101 labels has 85,876,325 parameters", () => {
    expect(count({ model_type: "vit" }, 101)).toBe(85_876_325);
  });

  it("BERT-base and RoBERTa-base classifiers have transformers' counts", () => {
    const text = (config: Record<string, unknown>) =>
      AutoModelForSequenceClassification.fromConfig(config, { numLabels: 2, withWeights: false }).numParameters();
    expect(text({ model_type: "bert" })).toBe(109_483_778);
    expect(text({ model_type: "distilbert" })).toBe(66_955_010);
    expect(text({ model_type: "roberta", max_position_embeddings: 514, type_vocab_size: 1 })).toBe(124_647_170);
  });

  test.each([
    ["GPT-2", { model_type: "gpt2" }, 124_439_808],
    ["GPT-3 175B", { model_type: "gpt2", n_layer: 96, n_embd: 12288, n_head: 96, n_positions: 2048 }, 174_604_259_328],
    [
      "SmolLM2-135M",
      {
        model_type: "llama",
        vocab_size: 49152,
        hidden_size: 576,
        intermediate_size: 1536,
        num_hidden_layers: 30,
        num_attention_heads: 9,
        num_key_value_heads: 3,
        tie_word_embeddings: true,
      },
      134_515_008,
    ],
    [
      "Qwen2.5-0.5B",
      {
        model_type: "qwen2",
        hidden_size: 896,
        intermediate_size: 4864,
        num_hidden_layers: 24,
        num_attention_heads: 14,
        num_key_value_heads: 2,
        tie_word_embeddings: true,
      },
      494_032_768,
    ],
    [
      "Qwen3-0.6B",
      {
        model_type: "qwen3",
        hidden_size: 1024,
        intermediate_size: 3072,
        num_hidden_layers: 28,
        num_attention_heads: 16,
        num_key_value_heads: 8,
        tie_word_embeddings: true,
      },
      596_049_920,
    ],
  ])("%s has transformers' count", (_, config, count) => {
    expect(AutoModelForCausalLM.fromConfig(config, { withWeights: false }).numParameters()).toBe(count);
  });
});
