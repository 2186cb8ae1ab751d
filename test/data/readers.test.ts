import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { type RowRange, selectRows, splitDataset } from "#graft/data/dataset";
import { readImageFolder } from "#graft/data/readers/image-folder";
import { labelNames } from "#graft/data/readers/labels";
import { readTextDataset, textDatasetFrom } from "#graft/data/readers/text-dataset";
import { GraftError } from "#graft/errors";

const folder = mkdtempSync(join(tmpdir(), "graft-readers-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function file(name: string, contents: string | Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, contents);
  return path;
}

describe("delimited text", () => {
  it("reads TSV with quotes as ordinary characters, as GLUE's files have them", async () => {
    const path = file("glue.tsv", 'sentence\tlabel\nan "open quote\t1\n"\t0\nsaid ""so""\t1\n');
    const { examples, label2id } = await readTextDataset(path);
    expect(examples).toEqual([
      { text: 'an "open quote', label: 1 },
      { text: '"', label: 0 },
      { text: 'said ""so""', label: 1 },
    ]);
    expect(label2id).toEqual({ LABEL_0: 0, LABEL_1: 1 });
  });

  it("reads quoted CSV with delimiters, quotes and line breaks in cells, a BOM, CRLF and class names", async () => {
    const path = file("quoted.csv", '\ufefftext,label\r\n"a, ""b""\r\nc",good\r\nplain,bad\r\n');
    const { examples, labels } = await readTextDataset(path);
    expect(examples).toEqual([
      { text: 'a, "b"\r\nc', label: 1 },
      { text: "plain", label: 0 },
    ]);
    expect(labels).toEqual(["bad", "good"]);
  });

  it("reads files without a header, pairs, regression targets and unlabelled rows", async () => {
    const bare = file("bare.tsv", "x\t1\t\tfirst\ny\t0\t*\tsecond\n");
    const cola = await readTextDataset(bare, { header: false, textColumn: 3, labelColumn: 1 });
    expect(cola.examples.map(({ text, label }) => [text, label])).toEqual([
      ["first", 1],
      ["second", 0],
    ]);
    const pairs = file("pairs.tsv", "sentence1\tsentence2\tscore\na\tb\t2.75\n");
    expect((await readTextDataset(pairs, { problemType: "regression" })).examples).toEqual([
      { text: "a", textPair: "b", label: 2.75 },
    ]);
    expect((await readTextDataset(pairs, { labelColumn: null, textPairColumn: null })).examples).toEqual([
      { text: "a" },
    ]);
  });

  it("leaves blanks around labels out, and the carriage returns of lines that end otherwise than the first", async () => {
    const spaced = await readTextDataset(file("spaced.csv", "text, label\na, up\nb,down\nc,up \n"));
    expect(spaced.label2id).toEqual({ down: 0, up: 1 });
    expect(spaced.examples.map(({ label }) => label)).toEqual([1, 0, 1]);
    const trailing = await readTextDataset(file("trailing.tsv", "text\tlabel\na\t1 \nb\t0\n"));
    expect(trailing.label2id).toEqual({ LABEL_0: 0, LABEL_1: 1 });
    for (const text of [
      "text,label\na,up\r\nb,down\nc,up\n",
      "text,label\r\na,up\nb,down\r\nc,up",
      "text,label\ra,up\rb,down\rc,up\r",
    ]) {
      const { examples, labels } = await readTextDataset(file("mixed.csv", text));
      expect(labels).toEqual(["down", "up"]);
      expect(examples.map((example) => example.text)).toEqual(["a", "b", "c"]);
    }
  });

  it("names file and line of an empty label", async () => {
    for (const options of [{}, { label2id: { up: 0 } }]) {
      await expect(readTextDataset(file("blank.csv", "text,label\r\na,up\nb, \n"), options)).rejects.toMatchObject({
        code: "invalid-label",
        message: expect.stringMatching(/blank\.csv:3: the label is empty$/),
      });
    }
  });

  it("takes class numbers that no data set has for a mistake", async () => {
    const path = file("ids.csv", "text,label\na,17\nb,4294967295\n");
    const error = await readTextDataset(path).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(GraftError);
    expect((error as GraftError).message).toContain("ids.csv:3: the label 4294967295");
    expect((await readTextDataset(path, { problemType: "regression" })).examples[1]?.label).toBe(4294967295);
  });

  it("reads a range of rows", async () => {
    const path = file("many.csv", `text,label\n${Array.from({ length: 50 }, (_, i) => `row ${i},0`).join("\n")}\n`);
    const texts = async (range: RowRange) => (await readTextDataset(path, range)).examples.map(({ text }) => text);
    expect(await texts({ end: 2 })).toEqual(["row 0", "row 1"]);
    expect(await texts({ start: 48 })).toEqual(["row 48", "row 49"]);
    expect(await texts({ start: 3, end: 5 })).toEqual(["row 3", "row 4"]);
    await expect(texts({ start: 60, end: 70 })).rejects.toMatchObject({ code: "empty-dataset" });
  });

  it("names file and line of a row with too many cells, of an open quote, and of an unknown label", async () => {
    await expect(readTextDataset(file("cells.tsv", "text\tlabel\na\t0\nb\t1\t2\n"))).rejects.toMatchObject({
      code: "invalid-csv",
      message: expect.stringMatching(/cells\.tsv:3: 3 cells .* 2$/),
    });
    await expect(readTextDataset(file("open.csv", 'text,label\na,0\n"b,1\n'))).rejects.toMatchObject({
      code: "invalid-csv",
      message: expect.stringMatching(/open\.csv:\d/),
    });
    const unknown = readTextDataset(file("unknown.csv", "text,label\na,yes\nb,maybe\n"), {
      label2id: { no: 0, yes: 1 },
    });
    await expect(unknown).rejects.toMatchObject({
      code: "invalid-label",
      message: expect.stringMatching(/unknown\.csv:3: unknown label "maybe"/),
      hint: expect.stringContaining("no, yes"),
    });
  });

  it("takes class numbers where label2id has names, but not beside names, and no number beyond them", async () => {
    const label2id = { negative: 0, positive: 1 };
    const path = file("numbers.csv", "text,label\na,1\nb,0\n");
    expect((await readTextDataset(path, { label2id })).examples.map(({ label }) => label)).toEqual([1, 0]);
    await expect(readTextDataset(file("mixed.csv", "text,label\na,1\nb,negative\n"), { label2id })).rejects.toThrow(
      /mixed\.csv:\d: the label/,
    );
    await expect(readTextDataset(file("two.csv", "text,label\na,2\n"), { label2id })).rejects.toThrow(
      /two\.csv:2.*"2"/,
    );
  });

  it("refuses empty files, unknown columns, repeated columns, other encodings and unknown extensions", async () => {
    await expect(readTextDataset(file("empty.csv", ""))).rejects.toMatchObject({ code: "empty-dataset" });
    await expect(readTextDataset(file("header.csv", "text,label\n"))).rejects.toMatchObject({ code: "empty-dataset" });
    await expect(readTextDataset(file("other.csv", "words,points\na,1\n"))).rejects.toThrow(/it has: words, points/);
    await expect(readTextDataset(file("twice.csv", "text,text\na,1\n"))).rejects.toThrow(/two columns/);
    await expect(readTextDataset(file("latin.csv", Uint8Array.of(116, 10, 0xe9, 10)))).rejects.toThrow(/UTF-8/);
    await expect(readTextDataset(file("data.xlsx", "x"))).rejects.toMatchObject({ code: "unsupported" });
    await expect(readTextDataset(join(folder, "none.csv"))).rejects.toMatchObject({ code: "file-not-found" });
  });

  it("refuses regression targets that are not numbers", async () => {
    const path = file("targets.csv", "text,label\na,1.5\nb,high\n");
    await expect(readTextDataset(path, { problemType: "regression" })).rejects.toThrow(/targets\.csv:3.*"high"/);
  });
});

describe("JSON lines", () => {
  it("reads objects, number labels and class names", async () => {
    const path = file("rows.jsonl", '{"text": "a\\nb", "label": 1}\n\n{"text": "c", "label": 0}\n');
    expect((await readTextDataset(path)).examples).toEqual([
      { text: "a\nb", label: 1 },
      { text: "c", label: 0 },
    ]);
  });

  it("names the line of bad JSON, of a row that is no object, and of a missing text", async () => {
    await expect(readTextDataset(file("bad.jsonl", '{"text": "a", "label": 0}\n{"text": \n'))).rejects.toMatchObject({
      code: "invalid-json",
      message: expect.stringContaining("bad.jsonl:2"),
    });
    await expect(readTextDataset(file("list.jsonl", "[1]\n"))).rejects.toThrow(/list\.jsonl:1/);
    const missing = file("missing.jsonl", '{"text": "a", "label": 0}\n{"label": 0}\n');
    await expect(readTextDataset(missing)).rejects.toThrow(/missing\.jsonl:2: "text" is missing/);
  });
});

describe("rows in memory", () => {
  it("takes arrays, generators and async generators, with class names", async () => {
    const rows = [
      { text: "a", label: "b" },
      { text: "c", label: "a" },
    ];
    async function* later() {
      yield* rows;
    }
    const expected = [
      { text: "a", label: 1 },
      { text: "c", label: 0 },
    ];
    expect((await textDatasetFrom(rows)).examples).toEqual(expected);
    expect((await textDatasetFrom(rows.values())).examples).toEqual(expected);
    expect((await textDatasetFrom(later())).examples).toEqual(expected);
    expect((await textDatasetFrom([{ text: "x" }])).examples).toEqual([{ text: "x" }]);
  });

  it("names the row without a label or with an unknown one", async () => {
    await expect(textDatasetFrom([{ text: "a", label: 0 }, { text: "b" }])).rejects.toThrow(
      /the data:1: the label is empty/,
    );
    await expect(textDatasetFrom([{ text: "a", label: "q" }], { label2id: { x: 0 } })).rejects.toThrow(
      /the data:0.*"q"/,
    );
    await expect(textDatasetFrom([])).rejects.toMatchObject({ code: "empty-dataset" });
  });
});

describe("image folders", () => {
  const root = join(folder, "pictures");
  // What is a picture is decided by its content, whatever it is called.
  const gif = "GIF89a\x01\x00\x01\x00";
  for (const path of ["train/b", "train/a", "train/.cache", "test/a", "extra/c"])
    mkdirSync(join(root, path), { recursive: true });
  for (const path of [
    "train/b/2.jpg",
    "train/b/1.PNG",
    "train/b/.hidden.jpg",
    "train/b/notes.txt",
    "train/a/x.jpeg",
    "train/.cache/y.jpg",
    "test/a/z.jpg",
    "extra/c/q.jpg",
  ]) {
    writeFileSync(join(root, path), path.endsWith(".txt") ? "notes" : gif);
  }

  it("gives sorted classes and paths, without hidden files and other files", async () => {
    const { examples, label2id, labels } = await readImageFolder(root, { split: "train" });
    expect(label2id).toEqual({ a: 0, b: 1 });
    expect(labels).toEqual(["a", "b"]);
    expect(examples).toEqual([
      { image: join(root, "train/a/x.jpeg"), label: 0 },
      { image: join(root, "train/b/1.PNG"), label: 1 },
      { image: join(root, "train/b/2.jpg"), label: 1 },
    ]);
  });

  it("uses the training classes for other splits and refuses classes that they lack", async () => {
    const { label2id } = await readImageFolder(root, { split: "train" });
    expect((await readImageFolder(root, { split: "test", label2id })).examples).toHaveLength(1);
    await expect(readImageFolder(root, { split: "extra", label2id })).rejects.toMatchObject({
      code: "invalid-label",
      message: expect.stringContaining('"c"'),
    });
    await expect(readImageFolder(root, { split: "validation" })).rejects.toMatchObject({ code: "file-not-found" });
    await expect(readImageFolder(join(root, "train/a"))).rejects.toMatchObject({ code: "empty-dataset" });
  });
});

describe("splits and labels", () => {
  it("splits reproducibly into disjoint parts", () => {
    const rows = Array.from({ length: 101 }, (_, i) => i);
    const { train, test } = splitDataset(rows, { testSize: 0.1, seed: 3 });
    expect(test).toHaveLength(11);
    expect([...train, ...test].sort((a, b) => a - b)).toEqual(rows);
    expect(splitDataset(rows, { testSize: 0.1, seed: 3 }).test).toEqual(test);
    expect(splitDataset(rows, { testSize: 0.1, seed: 4 }).test).not.toEqual(test);
    expect(splitDataset(rows, { testSize: 20, seed: 3 }).test).toHaveLength(20);
    expect(() => splitDataset(rows, { testSize: 101, seed: 3 })).toThrow(/101 of 101/);
    expect(() => splitDataset(rows, { testSize: 0, seed: 3 })).toThrow(/empty/);
    expect(selectRows(rows, { start: 2, end: 4 })).toEqual([2, 3]);
  });

  it("refuses a label2id with a gap, a repeated id or a negative one", () => {
    expect(labelNames({ b: 1, a: 0 })).toEqual(["a", "b"]);
    expect(() => labelNames({ a: 0, b: 2 })).toThrow(/id 1/);
    expect(() => labelNames({ a: 0, b: 0 })).toThrow(/also "a"/);
    expect(() => labelNames({ a: -1 })).toThrow(/-1/);
  });
});
