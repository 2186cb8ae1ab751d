import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { Tokenizer } from "#graft/data/tokenizing/tokenizer";
import type { TruncationStrategy } from "#graft/data/tokenizing/truncation";
import { GraftError } from "#graft/errors";

interface Answers {
  vocabSize: number;
  texts: (number[] | number)[];
  pairs: { ids: number[]; types: number[] }[];
  truncatedPairs: (number[] | null)[][];
  truncatedTexts?: (number[] | null)[][];
  random: number[];
  sst2?: number[];
  mrpc?: number[];
}
interface Golden {
  texts: string[];
  pairs: [string, string][];
  lengths: number[];
  random: string[];
  tiny: Record<string, Answers>;
  assets: Record<string, Answers>;
}

const folder = fileURLToPath(new URL("../golden/data/", import.meta.url));
const assets = fileURLToPath(new URL("../../../shared/assets/", import.meta.url));
const golden: Golden = JSON.parse(readFileSync(`${folder}tokenizers.json`, "utf8"));

/** The ids as base 31 digits, modulo 2^32, as the reference script computes it. */
function checksum(ids: Int32Array): number {
  return ids.reduce((value, id) => (Math.imul(value, 31) + id + 1) >>> 0, 0);
}

function checkAgainst(tokenizer: Tokenizer, answers: Answers): void {
  expect(tokenizer.vocabSize).toBe(answers.vocabSize);
  golden.texts.forEach((text, i) => {
    const ids = tokenizer.encode(text).inputIds;
    const expected = answers.texts[i]!;
    const actual = typeof expected === "number" ? checksum(ids) : Array.from(ids);
    expect({ text, ids: actual }).toEqual({ text, ids: expected });
  });
  golden.random.forEach((text, i) => {
    expect({ text, ids: checksum(tokenizer.encode(text).inputIds) }).toEqual({ text, ids: answers.random[i] });
  });
}

function checkPairs(tokenizer: Tokenizer, answers: Answers): void {
  golden.pairs.forEach(([first, second], i) => {
    const encoding = tokenizer.encode(first, second);
    expect(Array.from(encoding.inputIds)).toEqual(answers.pairs[i]!.ids);
    if (encoding.tokenTypeIds !== undefined) expect(Array.from(encoding.tokenTypeIds)).toEqual(answers.pairs[i]!.types);
    golden.lengths.forEach((maxLength, k) => {
      const cut = tokenizer.encode(first, second, { maxLength });
      expect({ maxLength, ids: Array.from(cut.inputIds) }).toEqual({ maxLength, ids: answers.truncatedPairs[i]![k] });
      const single = answers.truncatedTexts?.[i]?.[k];
      if (single) expect(Array.from(tokenizer.encode(first, undefined, { maxLength }).inputIds)).toEqual(single);
    });
  });
}

describe.each(Object.entries(golden.tiny))("%s", (name, answers) => {
  it("gives Hugging Face's ids for difficult and random texts", async () => {
    checkAgainst(await Tokenizer.fromFolder(folder + name), answers);
  });

  it("gives Hugging Face's pairs, token types and truncation", async () => {
    checkPairs(await Tokenizer.fromFolder(folder + name), answers);
  });
});

const present = existsSync(`${assets}tokenizers`);
if (!present) console.log("tokenizer assets are not here: the tests of real tokenizers are left out");

describe.runIf(present).each(Object.entries(golden.assets))("real tokenizer %s", (name, answers) => {
  const rows = (task: string, columns: number[]) =>
    readFileSync(`${assets}datasets/glue/${task}/train.tsv`, "utf8")
      .replace(/^\ufeff/, "")
      .split("\n")
      .slice(1, 501)
      .map((line) => columns.map((column) => line.split("\t")[column]!));

  it("gives Hugging Face's ids for difficult texts and pairs", async () => {
    const tokenizer = await Tokenizer.fromFolder(`${assets}tokenizers/${name}`);
    checkAgainst(tokenizer, answers);
    checkPairs(tokenizer, answers);
  });

  it("gives Hugging Face's ids for 500 rows of SST-2 and of MRPC", async () => {
    const tokenizer = await Tokenizer.fromFolder(`${assets}tokenizers/${name}`);
    const sums = (task: string, columns: number[]) =>
      rows(task, columns).map(([first, second]) => checksum(tokenizer.encode(first!, second).inputIds));
    expect(sums("SST-2", [0])).toEqual(answers.sst2);
    expect(sums("MRPC", [3, 4])).toEqual(answers.mrpc);
  });
});

it("gives the unknown token's id for words that a WordLevel vocabulary lacks", () => {
  const letters = { type: "Split", pattern: { Regex: "." }, behavior: "Isolated", invert: false };
  const model = { type: "WordLevel", unk_token: "[UNK]", vocab: { "[PAD]": 0, "[UNK]": 1, A: 2, C: 3 } };
  const files = { tokenizer: { version: "1.0", pre_tokenizer: letters, model }, config: {}, specialTokensMap: {} };
  expect(Array.from(Tokenizer.fromFiles(files).encode("AXCx").inputIds)).toEqual([2, 1, 3, 1]);
});

describe("what cannot be tokenised is refused", () => {
  const tokenizer = Tokenizer.fromFolder(`${folder}tiny-wordpiece`);
  const five = 5 as unknown as string;
  const cases: [string, (tokenizer: Tokenizer) => unknown, string][] = [
    ["a number for a text", (it) => it.encode(five), "5 is no text"],
    ["a length that is no number", (it) => it.encode("a", undefined, { maxLength: Number.NaN }), "maxLength is NaN"],
    ["half a token", (it) => it.encode("a", undefined, { maxLength: 4.5 }), "maxLength is 4.5"],
    ["no room", (it) => it.encode("a", undefined, { maxLength: 1 }), "less than the 2 special tokens"],
    [
      "an unknown strategy",
      (it) => it.encode("a", undefined, { truncation: "both" as TruncationStrategy }),
      'there is no truncation strategy "both"',
    ],
    [
      "padding to multiples of 0",
      (it) => it.padBatch([it.encode("a")], { padToMultipleOf: 0 }),
      "padToMultipleOf is 0",
    ],
    ["padding to half a token", (it) => it.padBatch([it.encode("a")], { maxLength: 7.5 }), "maxLength is 7.5"],
  ];
  it.each(cases)("%s", async (_, run, message) => {
    const loaded = await tokenizer;
    expect(() => run(loaded)).toThrow(message);
    expect(() => run(loaded)).toThrow(GraftError);
  });
});
