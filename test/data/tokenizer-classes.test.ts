import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import type { WordEncoding } from "#graft/data/tokenizing/options";
import type { Encoding } from "#graft/data/tokenizing/padding";
import { Tokenizer } from "#graft/data/tokenizing/tokenizer";
import {
  goldenFolder,
  numbersChecksum,
  readGolden,
  type SharedParts,
  textChecksum,
  wholeFile,
} from "./tokenizer-golden.js";

interface Answers {
  specialTokens: Record<string, string>;
  padTokenId: number | null;
  inputs: string[];
  paddingSide: string;
  maxLength: number | null;
  singles: number[];
  pairs: number[];
  words: number[];
  decoded: number[];
}
interface Golden {
  texts: string[];
  pairs: [string, string][];
  words: string[][];
  folders: Record<string, { files: Record<string, unknown>; answers: Answers }>;
}

const classes = readGolden<Golden>("tokenizers-classes.json.gz");
const sentencePiece = readGolden<Golden>("tokenizers-spm.json.gz");
expect(sentencePiece.texts).toEqual(classes.texts);
const golden = { ...classes, folders: { ...classes.folders, ...sentencePiece.folders } };
const parts = readGolden<SharedParts>("tokenizers-table.json.gz");
const root = mkdtempSync(join(tmpdir(), "graft-tokenizers-"));
afterAll(() => rmSync(root, { recursive: true }));

function write(files: Record<string, unknown>): string {
  const folder = mkdtempSync(join(root, "folder-"));
  for (const [name, content] of Object.entries(files)) {
    if (name.endsWith(".model")) {
      copyFileSync(`${goldenFolder}spm/${(content as { model: string }).model}.model`, join(folder, name));
      continue;
    }
    const whole = name === "tokenizer.json" ? wholeFile(content as { model: string }, parts) : content;
    writeFileSync(join(folder, name), typeof whole === "string" ? whole : JSON.stringify(whole));
  }
  return folder;
}

const checksum = ({ inputIds, tokenTypeIds = new Int32Array(), attentionMask = new Int32Array() }: Encoding) =>
  numbersChecksum([...inputIds, -1, ...tokenTypeIds, -2, ...attentionMask]);
const wordsChecksum = ({ inputIds, wordIds }: WordEncoding) =>
  numbersChecksum([...inputIds, -1, ...wordIds.map((word) => word ?? -1)]);
const namesInFiles: Record<string, string> = {
  inputIds: "input_ids",
  attentionMask: "attention_mask",
  tokenTypeIds: "token_type_ids",
};

/** What transformers was asked, asked of Graft. */
function answersOf(tokenizer: Tokenizer): Answers {
  const { pairs, words } = golden;
  const encodings = golden.texts.map((text) => tokenizer.encode(text));
  const pairSums = [{}, { maxLength: 7 }, { addSpecialTokens: false }].flatMap((options) =>
    pairs.map(([first, second]) => checksum(tokenizer.encode(first, second, options))),
  );
  const short = tokenizer.encode("a", undefined, { addSpecialTokens: false });
  const padded = tokenizer.padTokenId === undefined ? undefined : tokenizer.padBatch([short], { maxLength: 40 });
  return {
    specialTokens: { ...tokenizer.specialTokens },
    padTokenId: tokenizer.padTokenId ?? null,
    inputs: tokenizer.modelInputNames.map((name) => namesInFiles[name]!),
    paddingSide: padded?.attentionMask?.data[0] === 0 ? "left" : "right",
    maxLength: tokenizer.modelMaxLength ?? null,
    singles: encodings.map(checksum),
    pairs: pairSums,
    words: [
      ...words.map((list) => wordsChecksum(tokenizer.encodeWords(list))),
      wordsChecksum(tokenizer.encodeWords(words[1]!, words[2]!, { maxLength: 14 })),
    ],
    decoded: encodings.flatMap(({ inputIds }) =>
      [{}, { skipSpecialTokens: true }, { cleanUpTokenizationSpaces: true }].map((options) =>
        textChecksum(tokenizer.decode(inputIds, options)),
      ),
    ),
  };
}

describe.each(Object.entries(golden.folders))("%s", (_, { files, answers }) => {
  const folder = write(files);

  it("is what transformers makes of it", async () => {
    const actual = answersOf(await Tokenizer.fromFolder(folder));
    // Without a pad token nothing is padded, and Graft has no side to show.
    const paddingSide = answers.padTokenId === null ? "right" : answers.paddingSide;
    expect({ ...actual, inputs: [...actual.inputs].sort() }).toEqual({
      ...answers,
      paddingSide,
      inputs: [...answers.inputs].sort(),
    });
  });

  it("is the same from a folder that it was saved in", async () => {
    const tokenizer = await Tokenizer.fromFolder(folder);
    const copy = mkdtempSync(join(root, "copy-"));
    await tokenizer.savePretrained(copy);
    expect(answersOf(await Tokenizer.fromFolder(copy))).toEqual(answersOf(tokenizer));
  });
});
