import { readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { readSentencePiece } from "#graft/data/tokenizing/sentence-piece";
import { Tokenizer } from "#graft/data/tokenizing/tokenizer";
import { goldenFolder } from "./tokenizer-golden.js";

const bytesOf = (name: string): Uint8Array => readFileSync(`${goldenFolder}spm/${name}.model`);
const refusal = { name: "GraftError", code: "invalid-tokenizer" };

test("a model is read with its special pieces", () => {
  const { pieces, type, unknown, beginning, end, charsMap } = readSentencePiece(
    bytesOf("deberta-symbols"),
    "spm.model",
  );
  expect({ type, unknown, beginning, end, charsMap }).toEqual({
    type: "unigram",
    unknown: { id: 3, text: "<unk>" },
    beginning: { id: 1, text: "[CLS]" },
    end: { id: 2, text: "[SEP]" },
    charsMap: undefined,
  });
  const added = pieces.filter(({ kind }) => kind !== "other").map(({ text, kind }) => [text, kind]);
  expect(added).toEqual([
    ["[PAD]", "control"],
    ["[CLS]", "control"],
    ["[SEP]", "control"],
    ["<ctrl>", "control"],
    ["<ent>", "user-defined"],
    ["foo", "user-defined"],
    ["[MASK]", "user-defined"],
  ]);
  expect(readSentencePiece(bytesOf("llama"), "tokenizer.model")).toMatchObject({ type: "other", byteFallback: true });
});

test("a file that was cut anywhere before its end is refused", () => {
  const bytes = bytesOf("t5");
  for (let length = 1; length < bytes.length - 300; length += 7) {
    expect(() => readSentencePiece(bytes.subarray(0, length), "m"), String(length)).toThrow(
      expect.objectContaining(refusal),
    );
  }
});

test.each([
  ["an empty file", new Uint8Array()],
  [
    "a Git LFS pointer",
    new TextEncoder().encode("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n"),
  ],
  ["zeros", new Uint8Array(1000)],
  ["ones", new Uint8Array(1000).fill(255)],
])("%s is refused", (_what, bytes) => {
  expect(() => readSentencePiece(bytes, "spm.model")).toThrow(
    expect.objectContaining({ ...refusal, message: expect.stringMatching(/^spm\.model is no SentencePiece model: /) }),
  );
});

test("classes that are not made from such a model say so", async () => {
  const folder = await mkdtemp(join(tmpdir(), "graft-spm-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  await writeFile(join(folder, "spm.model"), bytesOf("deberta"));
  await writeFile(join(folder, "tokenizer_config.json"), JSON.stringify({ tokenizer_class: "BertTokenizer" }));
  await expect(Tokenizer.fromFolder(folder)).rejects.toMatchObject({
    code: "unsupported",
    message: expect.stringContaining("the tokenizer class BertTokenizer is not made from a SentencePiece model"),
    hint: expect.stringContaining("DebertaV2Tokenizer"),
  });
});
