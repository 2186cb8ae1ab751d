import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { type ReadTextOptions, readTextDataset } from "#graft/data/readers/text-dataset";
import { linesOfText, readTextFile } from "#graft/data/readers/text-file";

const folder = mkdtempSync(join(tmpdir(), "graft-text-files-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function file(name: string, contents: string | Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, contents);
  return path;
}

async function read(name: string, contents: string, options: ReadTextOptions = {}) {
  const notes: string[] = [];
  const data = await readTextDataset(file(name, contents), { ...options, onInfo: (line) => notes.push(line) });
  return { rows: data.examples.map(({ text, textPair, label }) => [text, textPair, label]), notes };
}

describe("how a file is written", () => {
  it("is UTF-8 or UTF-16, with a mark or without", async () => {
    const text = "text,label\ngood día,1\n";
    const little = Buffer.from(text, "utf16le");
    const big = Buffer.from(text, "utf16le").swap16();
    const marked =
      (...mark: number[]) =>
      (bytes: Buffer) =>
        Buffer.concat([Buffer.from(mark), bytes]);
    const forms = [
      marked(0xef, 0xbb, 0xbf)(Buffer.from(text)),
      little,
      big,
      marked(0xff, 0xfe)(little),
      marked(0xfe, 0xff)(big),
    ];
    for (const bytes of forms) expect(await readTextFile(file("form.txt", bytes))).toBe(text);
  });

  it("is told where it is no text", async () => {
    const kinds: readonly (readonly [string, string])[] = [
      ["PK\x03\x04rest", "a ZIP archive"],
      ["\x1f\x8b\x08", "gzip"],
      ["PAR1", "a Parquet file"],
      ["\xff\xfe\x00\x00a\x00\x00\x00", "UTF-32"],
      ["text\x00\x00\x00binary", "zero bytes"],
    ];
    for (const [start, what] of kinds) {
      const path = file("kind.csv", Buffer.from(start, "latin1"));
      await expect(readTextDataset(path)).rejects.toMatchObject({
        code: "file-access",
        message: expect.stringContaining(what),
      });
    }
  });

  it("ends its lines with carriage returns only where nothing else ends them", () => {
    expect(linesOfText("a\rb\r")).toEqual(["a", "b", ""]);
    expect(linesOfText("a\r\nb\rc\n")).toEqual(["a", "b\rc", ""]);
  });
});

describe("quotes in a TSV", () => {
  it("enclose cells where the file shows that, and is told", async () => {
    const escaped = await read("a.tsv", 'text\tlabel\n"he said ""so"" twice"\t1\nplain words\t0\n');
    expect(escaped.rows).toEqual([
      ['he said "so" twice', undefined, 1],
      ["plain words", undefined, 0],
    ]);
    expect(escaped.notes).toEqual([expect.stringContaining("cells in quotes are read without them")]);
    const all = await read("b.tsv", '"text"\t"label"\n"a b"\t"1"\n"c d"\t"0"\n');
    expect(all.rows).toEqual([
      ["a b", undefined, 1],
      ["c d", undefined, 0],
    ]);
    const lines = await read("c.tsv", 'text\tlabel\n"two\nlines"\t1\nb\t0\n');
    expect(lines.rows[0]).toEqual(["two\nlines", undefined, 1]);
  });

  it("stay where they are characters, as in GLUE", async () => {
    for (const odd of ['"lone at the start', 'in "the" middle', '"so bad"', '"', '"a" and "b"']) {
      const { rows, notes } = await read("g.tsv", `text\tlabel\n${odd}\t1\nplain words\t0\n`);
      expect(rows).toEqual([
        [odd, undefined, 1],
        ["plain words", undefined, 0],
      ]);
      expect(notes).toEqual([]);
    }
    const pair = await read("h.tsv", 'text\tlabel\n"opens here\t1\nand closes"\t0\n');
    expect(pair.rows).toHaveLength(2);
  });
});

describe("columns", () => {
  const pairs = [
    ["sentence1", "sentence2"],
    ["question1", "question2"],
    ["premise", "hypothesis"],
    ["question", "sentence"],
    ["question", "passage"],
    ["question", "answer"],
    ["question", "context"],
    ["query", "document"],
    ["text", "text_pair"],
    ["sentence_A", "sentence_B"],
    ["text_a", "text_b"],
    ["#1 String", "#2 String"],
    ["anchor", "positive"],
    ["claim", "evidence"],
    ["s1", "s2"],
    ["Sentence1", "Sentence2"],
    ["text1", "text2"],
    ["query", "passage"],
  ] as const;

  it.each(pairs)("%s and %s are a pair", async (first, second) => {
    const { rows, notes } = await read(
      "p.tsv",
      `id\t${first}\t${second}\tlabel\n7\tone thing\tother thing\t1\n8\ta b\tc d\t0\n`,
    );
    expect(rows[0]).toEqual(["one thing", "other thing", 1]);
    expect(notes).toEqual([]);
  });

  it("that hold texts and are not used are named; two by name are a pair", async () => {
    const table = "title,text,label\nsome title,some words,1\nother title,more words,0\n";
    const alone = await read("t.csv", table);
    expect(alone.rows[0]).toEqual(["some words", undefined, 1]);
    expect(alone.notes).toEqual([expect.stringMatching(/read from text, not from title; textColumn "text,title"/)]);
    for (const textColumn of ["title,text", ["title", "text"]]) {
      const both = await read("t.csv", table, { textColumn });
      expect(both.rows[0]).toEqual(["some title", "some words", 1]);
      expect(both.notes).toEqual([]);
    }
  });

  it("are BoolQ's, whose answers are the labels", async () => {
    const rows =
      '{"question": "is it red", "passage": "it is red", "answer": true}\n{"question": "is it", "passage": "no no", "answer": false}\n';
    expect((await read("boolq.jsonl", rows)).rows).toEqual([
      ["is it red", "it is red", 1],
      ["is it", "no no", 0],
    ]);
  });

  it("by number keep the first line where it is a row like the others", async () => {
    const cola = "gj04\t1\t\tOur friends.\ngj04\t0\t*\tMore one.\ngj04\t1\t\tOne more.\n";
    const { rows, notes } = await read("cola.tsv", cola, { textColumn: 3, labelColumn: 1 });
    expect(rows.map(([text]) => text)).toEqual(["Our friends.", "More one.", "One more."]);
    expect(notes).toEqual([expect.stringContaining('the first line is read as a row, since "1"')]);
    const named = "code\tlabel\tmark\tsentence\ngj04\t1\t\tOur friends.\ngj04\t0\t*\tMore one.\n";
    expect((await read("named.tsv", named, { textColumn: 3, labelColumn: 1 })).rows).toHaveLength(2);
    expect((await read("cola.tsv", cola, { textColumn: 3, labelColumn: 1, header: false })).notes).toEqual([]);
  });

  it("by number are told where the first line might be a row and nothing shows it", async () => {
    const unsure = await read("unsure.csv", "a good film,pos\nbad film,neg\nno film,neg\n", {
      textColumn: 0,
      labelColumn: 1,
    });
    expect(unsure.rows).toHaveLength(2);
    expect(unsure.notes.join()).toContain(
      "read as names of columns: a good film, pos (header false reads it as a row)",
    );
    const pandas = await read("pandas.csv", ",0,1\n0,good film,1\n1,bad film,0\n", { textColumn: 0, labelColumn: 1 });
    expect(pandas.rows.map(([text]) => text)).toEqual(["good film", "bad film"]);
    expect(pandas.notes).toEqual([]);
  });

  it("that are not there are explained by the delimiter", async () => {
    for (const [separator, name] of [
      [";", '";"'],
      ["|", '"|"'],
      ["\t", "a tab"],
    ] as const) {
      const table = `text${separator}label\nfine day${separator}1\n`;
      await expect(readTextDataset(file("d.csv", table))).rejects.toMatchObject({
        hint: expect.stringContaining(name),
      });
    }
  });
});
