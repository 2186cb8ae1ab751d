import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AutoModelForCausalLM, AutoModelForSequenceClassification } from "graft-peft";
import { describe, expect, onTestFinished, test } from "vitest";
import { openSafetensors } from "#graft/safetensors/read";
import { goldenFolder } from "./golden.js";

const llama = {
  model_type: "llama",
  vocab_size: 32,
  hidden_size: 16,
  intermediate_size: 24,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 2,
};
const gpt2 = { model_type: "gpt2", vocab_size: 32, n_positions: 24, n_embd: 16, n_layer: 2, n_head: 2 };
const shapes = { withWeights: false };

describe("a config", () => {
  test.each<[string, Record<string, unknown>, RegExp]>([
    ["another rotary type", { rope_parameters: { rope_type: "dynamic", factor: 2 } }, /"dynamic" \(built are default,/],
    ["another rotary type, as older files have it", { rope_scaling: { type: "longrope" } }, /"longrope"/],
    ["positions for a part of a head", { partial_rotary_factor: 0.5 }, /partial_rotary_factor 0.5/],
    ["a linear type without a factor", { rope_scaling: { type: "linear" } }, /factor/],
    ["key heads that divide nothing", { num_key_value_heads: 3 }, /num_key_value_heads 3/],
    ["heads of odd size", { head_dim: 5 }, /5 features cannot be turned/],
    ["padding beyond the vocabulary", { pad_token_id: 32 }, /pad_token_id 32 is not below/],
  ])("with %s is refused by name", (_, field, message) => {
    expect(() => AutoModelForCausalLM.fromConfig({ ...llama, ...field }, shapes)).toThrow(message);
  });

  test.each<[Record<string, unknown>, RegExp]>([
    [{ n_embd: 15 }, /n_embd 15 is no multiple/],
    [{ add_cross_attention: true }, /cross-attention/],
  ])("of GPT-2 with %o is refused by name", (field, message) => {
    expect(() => AutoModelForCausalLM.fromConfig({ ...gpt2, ...field }, shapes)).toThrow(message);
  });
});

test("without a padding token a classifier takes one text at a time, and reads its last token", async () => {
  const model = AutoModelForSequenceClassification.fromConfig(gpt2, { numLabels: 3, threads: 1 });
  onTestFinished(() => model.dispose());
  const rows = [
    [9, 8, 7],
    [6, 5, 4],
  ];
  await expect(model({ inputIds: rows })).rejects.toThrow(/2 rows, but the model takes at most 1/);
  const alone = await model({ inputIds: [[9, 8, 7]] });
  const other = await model({ inputIds: [[9, 8, 6]] });
  expect(alone.logits).not.toEqual(other.logits);
});

test("a text longer than the positions is refused", async () => {
  const model = AutoModelForCausalLM.fromConfig(gpt2, { threads: 1 });
  onTestFinished(() => model.dispose());
  await expect(model({ inputIds: [new Array<number>(25).fill(3)] })).rejects.toThrow(/at most 24/);
});

test.each([
  ["gpt2_lm", true],
  ["gpt2_untied", false],
  ["llama_smol", true],
  ["llama_lm", false],
])("%s: a projection that is tied is counted and saved once", async (name, isTied) => {
  const model = await AutoModelForCausalLM.fromPretrained(goldenFolder(name), { threads: 1 });
  onTestFinished(() => model.dispose());
  const names = model.namedParameters().map(([key]) => key);
  expect(names.includes("lm_head.weight")).toBe(!isTied);
  const folder = await mkdtemp(join(tmpdir(), "graft-decoder-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  await model.savePretrained(folder);
  const { entries } = await openSafetensors(join(folder, "model.safetensors"));
  expect([...entries.keys()].sort()).toEqual([...names].sort());
  const { entries: own } = await openSafetensors(join(goldenFolder(name), "model.safetensors"));
  expect([...entries.keys()].sort()).toEqual([...own.keys()].sort());
});
