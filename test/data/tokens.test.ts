import { readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { DataCollatorForTokenClassification, readTokenDataset, tokenizeWords } from "#graft/data/index";
import { Tokenizer } from "#graft/data/tokenizing/tokenizer";

const golden = (path: string) => fileURLToPath(new URL(`../golden/data/${path}`, import.meta.url));

interface Aligned {
  words: string[];
  wordLabels: number[];
  maxLength: number | null;
  ids: number[];
  wordIds: (number | null)[];
  labels: number[];
}

const { tokenizers }: { tokenizers: Record<string, Aligned[]> } = JSON.parse(
  readFileSync(golden("token-alignment.json"), "utf8"),
);

describe.each(["tiny-wordpiece", "tiny-bpe"])("words of %s", (name) => {
  it("become the tokens and labels of transformers' example", async () => {
    const tokenizer = await Tokenizer.fromFolder(golden(name));
    for (const { words, wordLabels, maxLength, ids, wordIds, labels } of tokenizers[name]!) {
      const options = maxLength === null ? { maxLength: 1000 } : { maxLength };
      const row = await tokenizeWords([{ words, labels: wordLabels }], tokenizer, options).get(0, {
        seed: 0,
        epoch: 0,
      });
      expect([...row.inputIds], words.join(" ")).toEqual(ids);
      expect(row.wordIds, words.join(" ")).toEqual(wordIds);
      expect([...row.labels!], words.join(" ")).toEqual(labels);
    }
  });
});

describe("batches of tokens", () => {
  it("labels are padded with -100, on the side that tokens are", async () => {
    const tokenizer = await Tokenizer.fromFolder(golden("tiny-wordpiece"));
    const { rows } = tokenizeWords(
      [
        { words: ["Monday", ",", "Tuesday"], labels: [1, 0, 2] },
        { words: ["Monday"], labels: [3] },
      ],
      tokenizer,
    );
    const { inputIds, attentionMask, labels } = DataCollatorForTokenClassification(tokenizer)(rows);
    expect(labels).toEqual({
      dtype: "int32",
      shape: [2, 5],
      data: Int32Array.of(-100, 1, 0, 2, -100, -100, 3, -100, -100, -100),
    });
    expect(inputIds!.shape).toEqual([2, 5]);
    expect([...(attentionMask!.data as Int32Array)]).toEqual([1, 1, 1, 1, 1, 1, 1, 1, 0, 0]);
    const others = DataCollatorForTokenClassification(tokenizer, { labelPadTokenId: 9, padToMultipleOf: 8 })(rows);
    expect([...(others.labels!.data as Int32Array)].slice(8)).toEqual([-100, 3, -100, 9, 9, 9, 9, 9]);
  });

  it("refuses labels that do not match words or tokens, and rows without", async () => {
    const tokenizer = await Tokenizer.fromFolder(golden("tiny-wordpiece"));
    expect(() => tokenizeWords([{ words: ["Monday", "a"], labels: [1] }], tokenizer)).toThrow(
      /row 0 has 2 words and 1/,
    );
    const collate = DataCollatorForTokenClassification(tokenizer);
    const inputIds = Int32Array.of(2, 3);
    expect(() => collate([{ inputIds, labels: [1] }])).toThrow(/2 tokens and 1 labels/);
    expect(() => collate([{ inputIds, labels: [1, 1] }, { inputIds }])).toThrow(
      /1 of 2 rows of a batch have no labels/,
    );
    expect(collate([{ inputIds }]).labels).toBeUndefined();
  });
});

describe("files of tagged words", () => {
  let folder: string;
  const fileOf = async (name: string, text: string) => {
    await writeFile(join(folder, name), text);
    return join(folder, name);
  };
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "graft-tokens-"));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  const sentences = [
    { words: ["Ada", "Lovelace", "wrote"], labels: [0, 1, 2] },
    { words: ["Nothing"], labels: [2] },
  ];
  const label2id = { "B-PER": 0, "I-PER": 1, O: 2 };

  it("CoNLL: tabs or blanks, tags last, documents apart, no empty line at the end", async () => {
    const plain =
      "\ufeff-DOCSTART- -X- O\r\n\r\nAda NNP B-PER\r\nLovelace NNP I-PER\r\nwrote VB O\r\n\r\n\r\nNothing X O";
    expect(await readTokenDataset(await fileOf("a.txt", plain))).toEqual({
      examples: sentences,
      label2id,
      labels: ["B-PER", "I-PER", "O"],
    });
    const tabs = "x\tB-PER\tAda\nx\tI-PER\tLovelace\nx\tO\tNew York\n";
    const options = { textColumn: 2, labelColumn: "1" };
    expect((await readTokenDataset(await fileOf("b.conll", tabs), options)).examples).toEqual([
      { words: ["Ada", "Lovelace", "New York"], labels: [0, 1, 2] },
    ]);
  });

  it("JSON lines: tags by name or number", async () => {
    const named =
      '{"tokens":["Ada","Lovelace","wrote"],"tags":["B-PER","I-PER","O"]}\n{"tokens":["Nothing"],"tags":["O"]}';
    expect(await readTokenDataset(await fileOf("a.jsonl", named))).toMatchObject({ examples: sentences, label2id });
    const numbered = '{"words":["Ada","Lovelace","wrote"],"ner_tags":[0,1,2]}\n{"words":["Nothing"],"ner_tags":[2]}';
    const path = await fileOf("b.jsonl", numbered);
    expect(await readTokenDataset(path, { label2id })).toMatchObject({ examples: sentences, label2id });
    expect((await readTokenDataset(path)).labels).toEqual(["LABEL_0", "LABEL_1", "LABEL_2"]);
    expect(await readTokenDataset(path, { labelColumn: null, start: 1 })).toEqual({
      examples: [{ words: ["Nothing"] }],
      label2id: {},
      labels: [],
    });
  });

  it.each<[string, string, string, object, string, RegExp]>([
    ["a line without a tag", "a.conll", "Ada B-PER\nwrote\n", {}, "invalid-csv", /a\.conll:2 has 1 column/],
    ["an empty word", "a.conll", "Ada\tO\n\tO\n", {}, "invalid-csv", /a\.conll:2 .* no column 0/],
    ["a tag that is not known", "a.conll", "Ada B-LOC\n", { label2id: { O: 0 } }, "invalid-label", /a\.conll:1.*B-LOC/],
    ["no sentence", "a.conll", "-DOCSTART- O\n\n", {}, "empty-dataset", /no rows/],
    ["a range without rows", "a.conll", "Ada O\n", { start: 1 }, "empty-dataset", /1 sentences/],
    ["a column by name", "a.conll", "Ada O\n", { textColumn: "token" }, "invalid-argument", /no names/],
    [
      "fewer tags than words",
      "a.jsonl",
      '{"tokens":["a","b"],"tags":["O"]}',
      {},
      "invalid-label",
      /a\.jsonl:1 has 2 words and 1/,
    ],
    ["words that are no list", "a.jsonl", '{"tokens":"a b","tags":["O"]}', {}, "invalid-json", /not a list of words/],
    ["tags of another kind", "a.jsonl", '{"tokens":["a"],"tags":[1.5]}', {}, "invalid-json", /not a list of tags/],
  ])("refuses %s", async (_, name, text, options, code, message) => {
    const path = await fileOf(name, text);
    await expect(readTokenDataset(path, options)).rejects.toMatchObject({
      name: "GraftError",
      code,
      message: expect.stringMatching(message),
    });
  });
});
