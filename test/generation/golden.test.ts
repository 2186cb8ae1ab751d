import { existsSync, readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { AutoModelForCausalLM, type GenerationOptions, generate, PeftModel } from "graft-peft";
import { describe, expect, onTestFinished, test } from "vitest";
import { camelCase } from "#graft/case";
import { minP, noRepeatNgram, repetitionPenalty, temperature, topK, topP } from "#graft/generation/processors";

const path = (name: string) => fileURLToPath(new URL(`../golden/${name}`, import.meta.url));
const assets = fileURLToPath(new URL("../../../shared/assets/models", import.meta.url));

interface Case {
  readonly name: string;
  readonly options: Readonly<Record<string, unknown>>;
  readonly input_ids: number[][];
  readonly attention_mask: number[][];
  readonly sequences: number[][];
  readonly scores: number[] | null;
}

interface Golden {
  readonly model?: string;
  readonly asset?: string;
  readonly adapter?: string;
  readonly cases: readonly Case[];
}

const goldens = readdirSync(path("generation"))
  .filter((name) => name !== "processors.json")
  .map((name) => JSON.parse(readFileSync(path(`generation/${name}`), "utf8")) as Golden);

const optionsOf = (raw: Readonly<Record<string, unknown>>): GenerationOptions =>
  Object.fromEntries(Object.entries(raw).map(([key, value]) => [camelCase(key), value]));

async function load({ model, asset, adapter }: Golden) {
  const folder = asset === undefined ? path(`models/${model}`) : `${assets}/${asset}`;
  const base = await AutoModelForCausalLM.fromPretrained(folder, { threads: 1 });
  onTestFinished(() => base.dispose());
  return adapter === undefined
    ? base
    : PeftModel.fromPretrained(base, path(`methods/${adapter}`), { onWarning: () => {} });
}

describe.each(goldens)("$model $asset $adapter", (golden) => {
  const isThere = golden.asset === undefined || existsSync(`${assets}/${golden.asset}`);
  const suffix = isThere ? "" : " (left out: no ../shared/assets/models)";

  test.runIf(isThere)(`generates transformers' tokens, and beams have its scores${suffix}`, async () => {
    const model = await load(golden);
    for (const { name, options, input_ids, attention_mask, sequences, scores } of golden.cases) {
      const found = await generate(model, { inputIds: input_ids, attentionMask: attention_mask }, optionsOf(options));
      const lengths = found.newTokens.map((tokens) => tokens.length + (input_ids[0]?.length ?? 0));
      const cut = (rows: readonly (readonly number[])[]) => rows.map((row, i) => row.slice(0, lengths[i]));
      expect(cut(found.sequences), name).toEqual(cut(sequences));
      expect(
        found.sequences.map((row) => row.length),
        name,
      ).toEqual(sequences.map((row) => row.length));
      // transformers' beams take a padding token of id 0 for none, and fill rows with the EOS token then.
      const fill = scores === null ? [options.pad_token_id] : [options.pad_token_id, 2];
      const rest = sequences.flatMap((row, i) => row.slice(lengths[i]));
      expect(
        rest.filter((token) => !fill.includes(token)),
        name,
      ).toEqual([]);
      for (const [row, score] of (scores ?? []).entries()) {
        expect(Math.abs((found.sequencesScores?.[row] as number) - score), name).toBeLessThan(1e-4);
      }
      if (scores === null) expect(found.sequencesScores).toBeUndefined();
    }
  });
});

const processors = { minP, noRepeatNgram, repetitionPenalty, temperature, topK, topP };

interface ProcessorCase {
  readonly name: keyof typeof processors;
  readonly options: Readonly<Record<string, number>>;
  readonly logits: number[][];
  readonly tokens: number[][];
  readonly left: (number | null)[][];
}

const processorCases: readonly ProcessorCase[] = JSON.parse(
  readFileSync(path("generation/processors.json"), "utf8"),
).cases;

test.each(processorCases)("$name $options leaves transformers' logits", ({ name, options, logits, tokens, left }) => {
  const process = processors[name](Object.values(options)[0] as number);
  for (const [row, given] of logits.entries()) {
    const scores = Float32Array.from(given);
    process(scores, tokens[row] as number[], 0);
    const wanted = (left[row] as (number | null)[]).map((value) => value ?? Number.NEGATIVE_INFINITY);
    for (const [token, score] of scores.entries()) {
      if (score !== wanted[token]) expect(Math.abs(score - (wanted[token] as number))).toBeLessThan(1e-6);
    }
  }
});
