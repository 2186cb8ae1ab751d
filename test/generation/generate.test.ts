import { fileURLToPath } from "node:url";
import {
  AutoModel,
  AutoModelForCausalLM,
  createTrainingSession,
  type GenerationOptions,
  generate,
  generateStream,
  getPeftModel,
  LoraConfig,
  PeftModel,
  PreEmbedConfig,
  PreLayerConfig,
  type PreTrainedModel,
} from "graft-peft";
import { describe, expect, onTestFinished, test } from "vitest";

const folder = (name: string) => fileURLToPath(new URL(`../golden/models/${name}`, import.meta.url));

async function model(name = "llama_lm"): Promise<PreTrainedModel> {
  const loaded = await AutoModelForCausalLM.fromPretrained(folder(name), { threads: 1 });
  onTestFinished(() => loaded.dispose());
  return loaded;
}

const prompt = { inputIds: [[9, 8, 7, 6]] };
const padded = {
  inputIds: [
    [9, 8, 7, 6],
    [0, 0, 30, 31],
  ],
  attentionMask: [
    [1, 1, 1, 1],
    [0, 0, 1, 1],
  ],
};
const sampled: GenerationOptions = { doSample: true, maxNewTokens: 8, topK: 0 };

describe("sampling", () => {
  test("the same seed draws the same tokens, another one others; a row's neighbours do not matter", async () => {
    const llama = await model();
    const first = await generate(llama, padded, { ...sampled, seed: 3 });
    expect(await generate(llama, padded, { ...sampled, seed: 3 })).toEqual(first);
    expect(await generate(llama, padded, { ...sampled, seed: 4 })).not.toEqual(first);
    const alone = await generate(llama, prompt, { ...sampled, seed: 3 });
    expect(alone.newTokens[0]).toEqual(first.newTokens[0]);
  });

  test("draws tokens as often as the model says they come", async () => {
    const llama = await model();
    const { logits } = await llama(prompt);
    const last = Array.from(logits!.data).slice(-64);
    const most = Math.max(...last);
    const weights = last.map((logit) => Math.exp(logit - most));
    const sum = weights.reduce((a, b) => a + b);
    const many = { ...sampled, maxNewTokens: 1, numReturnSequences: 2000, eosTokenId: [] };
    const { newTokens } = await generate(llama, prompt, many);
    const counts = new Array<number>(64).fill(0);
    for (const [token] of newTokens) counts[token as number] = (counts[token as number] as number) + 1;
    for (const [token, weight] of weights.entries()) {
      const share = weight / sum;
      const deviation = Math.sqrt((share * (1 - share)) / 2000);
      expect(Math.abs((counts[token] as number) / 2000 - share)).toBeLessThan(5 * deviation + 1e-3);
    }
  });

  test("with the likeliest token alone it is the greedy search", async () => {
    const llama = await model();
    const greedy = await generate(llama, prompt, { maxNewTokens: 8 });
    expect(await generate(llama, prompt, { ...sampled, topK: 1 })).toEqual(greedy);
    expect(await generate(llama, prompt, { ...sampled, topP: 1e-6 })).toEqual(greedy);
  });
});

describe("a text ends", () => {
  test("at any EOS token, and at a stop sequence among its new tokens", async () => {
    const llama = await model();
    const { newTokens } = await generate(llama, prompt, { maxNewTokens: 10 });
    const [tokens] = newTokens as [number[]];
    const third = tokens[2] as number;
    const at = tokens.indexOf(third) + 1;
    const ended = await generate(llama, prompt, { maxNewTokens: 10, eosTokenId: [63, third] });
    expect(ended.newTokens).toEqual([tokens.slice(0, at)]);
    const stopped = await generate(llama, prompt, { maxNewTokens: 10, stopSequences: [tokens.slice(3, 5)] });
    expect(stopped.newTokens).toEqual([tokens.slice(0, 5)]);
    const inPrompt = await generate(llama, prompt, { maxNewTokens: 10, stopSequences: [[6, tokens[0] as number]] });
    expect(inPrompt.newTokens).toEqual(newTokens);
  });

  test("20 tokens after its prompt by default, or where the context ends", async () => {
    const llama = await model();
    const { newTokens } = await generate(llama, prompt, { eosTokenId: [] });
    expect(newTokens[0]).toHaveLength(20);
    const long = { inputIds: [Array.from({ length: 38 }, (_, i) => i + 4)] };
    expect((await generate(llama, long, { eosTokenId: [] })).newTokens[0]).toHaveLength(3);
    expect((await generate(llama, prompt, { eosTokenId: [], maxLength: 7 })).newTokens[0]).toHaveLength(3);
  });
});

test("without a prompt it begins with the BOS token", async () => {
  const llama = await model();
  const { sequences } = await generate(llama, {}, { maxNewTokens: 3 });
  expect(sequences).toEqual((await generate(llama, { inputIds: [[1]] }, { maxNewTokens: 3 })).sequences);
});

test("streams what generate gives, and ends when nobody reads on", async () => {
  const llama = await model();
  const whole = await generate(llama, padded, { maxNewTokens: 6, eosTokenId: [] });
  const rows: number[][] = [[], []];
  for await (const tokens of generateStream(llama, padded, { maxNewTokens: 6, eosTokenId: [] })) {
    for (const [row, token] of tokens.entries()) if (token !== null) rows[row]?.push(token);
  }
  expect(rows).toEqual(whole.newTokens);
  const engine = await llama.runner.engine();
  const before = await engine.residentBytes();
  for await (const tokens of generateStream(llama, padded, { maxNewTokens: 6 })) {
    expect(tokens).toHaveLength(2);
    expect(await engine.residentBytes()).toBeGreaterThan(before);
    break;
  }
  expect(await engine.residentBytes()).toBe(before);
});

test("texts generated at the same time do not meet", async () => {
  const llama = await model();
  const other = { inputIds: [[40, 41]] };
  const [a, b] = [
    await generate(llama, prompt, { maxNewTokens: 8 }),
    await generate(llama, other, { maxNewTokens: 8 }),
  ];
  expect(
    await Promise.all([
      generate(llama, prompt, { maxNewTokens: 8 }),
      generate(llama, other, { maxNewTokens: 8 }),
      generate(llama, padded, { maxNewTokens: 8, numBeams: 3 }),
    ]),
  ).toMatchObject([a, b, {}]);
});

test("an abort ends it and frees the cache", async () => {
  const llama = await model();
  await generate(llama, prompt, { maxNewTokens: 2 });
  const engine = await llama.runner.engine();
  const before = await engine.residentBytes();
  const controller = new AbortController();
  const reading = (async () => {
    for await (const _ of generateStream(llama, prompt, { signal: controller.signal, eosTokenId: [] }))
      controller.abort();
  })();
  await expect(reading).rejects.toMatchObject({ code: "aborted" });
  expect(await engine.residentBytes()).toBe(before);
});

test("adapters are switched between calls, and no program is compiled for another of equal form", async () => {
  const base = await model("gpt2_lm");
  const plain = await generate(base, prompt, { maxNewTokens: 8 });
  const config = () => new LoraConfig({ r: 4, initLoraWeights: false, taskType: "CAUSAL_LM" });
  const peft = getPeftModel(base, config(), { seed: 1 });
  peft.addAdapter("second", config(), { seed: 2 });
  const first = await generate(peft, prompt, { maxNewTokens: 8 });
  const { sessions } = await (await base.runner.engine()).counters();
  peft.setAdapter("second");
  const second = await generate(peft, prompt, { maxNewTokens: 8 });
  expect((await (await base.runner.engine()).counters()).sessions).toBe(sessions);
  expect(second).not.toEqual(first);
  peft.setAdapter("default");
  expect(await generate(peft, prompt, { maxNewTokens: 8 })).toEqual(first);
  expect(await peft.disableAdapter(() => generate(peft, prompt, { maxNewTokens: 8 }))).toEqual(plain);
});

const golden = (name: string) => async (base: PreTrainedModel) => {
  const folder = fileURLToPath(new URL(`../golden/methods/${name}`, import.meta.url));
  return PeftModel.fromPretrained(base, folder, { onWarning: () => {} });
};

test.each<[string, string, (base: PreTrainedModel) => Promise<PeftModel>]>([
  ["a prefix", "gpt2_lm", golden("gpt2_prefix")],
  ["a prefix", "llama_lm", golden("llama_prefix")],
  ["a prompt", "gpt2_lm", golden("gpt2_prompt")],
  ["a prompt", "llama_lm", golden("llama_prompt")],
  ["PreEmbed", "gpt2_lm", async (base) => getPeftModel(base, new PreEmbedConfig({ numPrefixTokens: 3 }))],
  ["PreLayer", "llama_lm", async (base) => getPeftModel(base, new PreLayerConfig({ numPrefixTokens: 3 }))],
])("%s on %s: padded prompts go on as forward passes over the whole text say", async (_, name, adapt) => {
  const peft = await adapt(await model(name));
  const { newTokens } = await generate(peft, padded, { maxNewTokens: 6, eosTokenId: [] });
  for (const [index, tokens] of newTokens.entries()) {
    const row = [...(padded.inputIds[index] as number[])];
    const mask = [...(padded.attentionMask[index] as number[])];
    for (const token of tokens) {
      const { logits } = await peft({ inputIds: [row], attentionMask: [mask] });
      const last = Array.from(logits!.data).slice(-64);
      expect(token).toBe(last.indexOf(Math.max(...last)));
      row.push(token);
      mask.push(1);
    }
  }
});

test("generates with what was trained a moment ago", async () => {
  const peft = getPeftModel(await model(), new LoraConfig({ r: 4, taskType: "CAUSAL_LM" }), { seed: 1 });
  const before = await generate(peft, prompt, { maxNewTokens: 6, eosTokenId: [] });
  const session = createTrainingSession(peft, { optimizer: "adamw" });
  const inputIds = [[9, 8, 7, 6, 40, 41, 42, 43, 44, 45]];
  for (let step = 0; step < 40; step++) {
    await session.forwardBackward({ inputIds, labels: inputIds });
    await session.optimizerStep({ learningRate: 0.05 });
  }
  const after = await generate(peft, prompt, { maxNewTokens: 6, eosTokenId: [] });
  expect(after.newTokens).toEqual([[40, 41, 42, 43, 44, 45]]);
  expect(before.newTokens).not.toEqual(after.newTokens);
  expect(await peft.disableAdapter(() => generate(peft, prompt, { maxNewTokens: 6, eosTokenId: [] }))).toEqual(before);
});

describe("refuses by name", () => {
  test.each<[string, GenerationOptions, RegExp]>([
    ["temperature", { temperature: 0 }, /temperature/],
    ["topP", { topP: 1.5 }, /topP/],
    ["an unknown option", { beams: 3 } as GenerationOptions, /beams is no option/],
    ["more texts than beams", { numBeams: 2, numReturnSequences: 3 }, /numReturnSequences is 3/],
    ["several greedy texts", { numReturnSequences: 3 }, /greedy search finds one/],
    ["sampling among beams", { numBeams: 2, doSample: true }, /sampling among beams/],
    ["more tokens than positions", { maxNewTokens: 38 }, /38 new tokens after a prompt of 4 .* 40 positions/],
    ["a length that the prompt has", { maxLength: 4 }, /maxLength is 4/],
    ["an empty stop sequence", { stopSequences: [[]] }, /stopSequences is empty/],
  ])("%s", async (_, options, message) => {
    await expect(generate(await model(), prompt, options)).rejects.toThrow(message);
  });

  test.each([
    ["padding on the right", { inputIds: [[9, 8, 0]], attentionMask: [[1, 1, 0]] }, /padded on the right/],
    ["padding between tokens", { inputIds: [[9, 0, 8]], attentionMask: [[1, 0, 1]] }, /padding between/],
    ["a mask of another shape", { inputIds: [[9, 8]], attentionMask: [[1]] }, /does not fit/],
    ["prompts of different lengths", { inputIds: [[9, 8], [7]] }, /different lengths/],
    ["an empty prompt", { inputIds: [[]] }, /no token to begin with/],
    ["an id beyond the vocabulary", { inputIds: [[64]] }, /token id 64/],
    ["a prompt longer than the context", { inputIds: [new Array<number>(41).fill(5)] }, /41 tokens, .* at most 40/],
  ])("%s", async (_, inputs, message) => {
    await expect(generate(await model(), inputs)).rejects.toThrow(message);
  });

  test("a model that is no language model, and beams that are to be streamed", async () => {
    const base = await AutoModel.fromPretrained(folder("llama_lm"), { threads: 1, onReport: () => {} });
    onTestFinished(() => base.dispose());
    await expect(generate(base, prompt)).rejects.toThrow(/a LlamaModel cannot generate text/);
    const stream = generateStream(await model(), prompt, { numBeams: 2 });
    await expect(stream.next()).rejects.toThrow(/numBeams is 2/);
  });
});
