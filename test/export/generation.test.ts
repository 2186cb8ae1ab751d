import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { AutoModelForCausalLM as LanguageModelJs, Tensor } from "@huggingface/transformers";
import { AutoModelForCausalLM, exportOnnx, generate, getPeftModel, LoraConfig, PromptTuningConfig } from "graft-peft";
import { expect, onTestFinished, test } from "vitest";
import { goldenPath } from "../peft/numbers.js";
import { local } from "./transformers-js.js";

const assets = fileURLToPath(new URL("../../../shared/assets/models", import.meta.url));

const toTensor = (rows: readonly (readonly number[])[]) =>
  new Tensor("int64", BigInt64Array.from(rows.flat(), BigInt), [rows.length, rows[0]!.length]);

async function targetFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "graft-export-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  return folder;
}

const inputIds = [
  [30, 8, 17, 16],
  [0, 0, 20, 31],
];
const attentionMask = [
  [1, 1, 1, 1],
  [0, 0, 1, 1],
];

/** What transformers.js generates from an exported folder. */
async function generateJs(folder: string, options: Record<string, unknown>): Promise<number[][]> {
  const model = await LanguageModelJs.from_pretrained(...local(folder));
  const inputs = { input_ids: toTensor(inputIds), attention_mask: toTensor(attentionMask) };
  const found = (await model.generate({ ...inputs, do_sample: false, ...options } as never)) as Tensor;
  await model.dispose();
  return (found.tolist() as bigint[][]).map((row) => row.map(Number));
}

for (const [name, folder] of [
  ...["gpt2_lm", "llama_lm", "llama_smol", "qwen2_lm", "qwen3_lm", "mistral_lm"].map(
    (model) => [model, goldenPath(`models/${model}`)] as const,
  ),
  ...["gpt2-char-shakespeare", "llama-stories260K"].map((asset) => [asset, `${assets}/${asset}`] as const),
]) {
  const suffix = existsSync(folder) ? "" : " (left out: no ../shared/assets/models)";
  test.runIf(suffix === "")(`${name}: transformers.js generates the same tokens${suffix}`, async () => {
    const model = await AutoModelForCausalLM.fromPretrained(folder, { threads: 1 });
    onTestFinished(() => model.dispose());
    const options = { maxNewTokens: 12, padTokenId: 0, eosTokenId: [] };
    const { sequences } = await generate(model, { inputIds, attentionMask }, options);
    const target = await targetFolder();
    await exportOnnx(model, target);
    expect(await generateJs(target, { max_new_tokens: 12, eos_token_id: null })).toEqual(sequences);
  });
}

test("an adapter is exported merged; one with virtual tokens is refused", async () => {
  const base = await AutoModelForCausalLM.fromPretrained(goldenPath("models/llama_lm"), { threads: 1 });
  onTestFinished(() => base.dispose());
  const peft = getPeftModel(base, new LoraConfig({ initLoraWeights: false, taskType: "CAUSAL_LM" }));
  const options = { maxNewTokens: 8, padTokenId: 0, eosTokenId: [] };
  const { sequences } = await generate(peft, { inputIds, attentionMask }, options);
  const target = await targetFolder();
  await exportOnnx(peft, target);
  expect(await generateJs(target, { max_new_tokens: 8, eos_token_id: null })).toEqual(sequences);
  await peft.unload();
  const prompted = getPeftModel(base, new PromptTuningConfig({ numVirtualTokens: 3, taskType: "CAUSAL_LM" }));
  await expect(exportOnnx(prompted, target)).rejects.toThrow(/virtual tokens/);
});
