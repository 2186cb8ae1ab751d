import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { type ReadTextOptions, readTextDataset, textDatasetFrom } from "#graft/data/readers/text-dataset";

const folder = mkdtempSync(join(tmpdir(), "graft-labels-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function column(labels: readonly string[], options: ReadTextOptions = {}) {
  const path = join(folder, "labels.csv");
  const lines = labels.map((label, row) => `row ${row},"${label.replaceAll('"', '""')}"`);
  writeFileSync(path, ["text,label", ...lines].join("\n"));
  const notes: string[] = [];
  const read = await readTextDataset(path, { ...options, onInfo: (line) => notes.push(line) });
  return { ...read, ids: read.examples.map(({ label }) => label), notes };
}

const refused = (labels: readonly string[], options: ReadTextOptions = {}) =>
  column(labels, options).then(
    () => "read",
    (error: Error) => error.message.replace(/^.*?labels\.csv/, ""),
  );

describe("what a column of labels is", () => {
  it("is values as soon as one number has a fraction, and says so once", async () => {
    for (const labels of [
      ["3.80", "2.600", "5.000"],
      ["1", "0.5", "0"],
      ["-1.5", "2"],
      ["1e-3", "4"],
    ]) {
      const { problemType, ids, labels: names, notes } = await column(labels);
      expect(problemType).toBe("regression");
      expect(ids).toEqual(labels.map(Number));
      expect(names).toEqual([]);
      expect(notes).toHaveLength(1);
    }
  });

  it("is decided by the whole file, where only some rows are used", async () => {
    const { problemType, ids } = await column(["1", "0", "0.5"], { end: 2 });
    expect(problemType).toBe("regression");
    expect(ids).toEqual([1, 0]);
  });

  it("is asked for where whole decimals could be either, and then is what was said", async () => {
    expect(await refused(["1.0", "0.0"])).toMatch(/^:2: the label 1\.0 may be a class or a value/);
    expect(await refused(["1", "0.0", "1.0"])).toMatch(/^:3: the label 0\.0/);
    const classes = await column(["1", "0.0", "1.0"], { problemType: "single_label_classification" });
    expect(classes.ids).toEqual([1, 0, 1]);
    expect((await column(["1.0", "0.0"], { problemType: "regression" })).ids).toEqual([1, 0]);
  });

  it("refuses by row what is no class", async () => {
    expect(await refused(["1", "0", "-1"])).toMatch(/^:4: the label -1 is no class/);
    expect(await refused(["1", "nan", "0"])).toMatch(/^:3: the label is nan/);
    expect(await refused(["good", "NaN"])).toMatch(/^:3: the label is NaN/);
    expect(await refused(["good", " "])).toMatch(/^:3: the label is empty/);
    expect(await refused(["good", "bad", "1"])).toMatch(/^:4: the label 1 is a number, and others are names/);
    expect(await refused(["1", "01"])).toMatch(/^:3: the label 01 has a zero before it/);
    expect(await refused(["1", "0.5"], { problemType: "single_label_classification" })).toMatch(/^:3: the label 0\.5/);
    expect(await refused(["-100", "-100"])).toMatch(/all other labels are -100/);
  });

  it("refuses by row what values lack, and values that no program reads as numbers", async () => {
    expect(await refused(["0.5", "nan", "1"])).toMatch(/^:3: the regression target "nan"/);
    expect(await refused(["0.5", " "])).toMatch(/^:3: the regression target ""/);
    expect(await refused(["0.5", "-inf"])).toMatch(/^:3: the regression target "-inf"/);
    for (const text of ["0,5", "-1,25", "1,234.5", "12,000", "50%", "3,5 %"]) {
      expect(await refused([text, "2.5"]), text).toMatch(/^:2: the label .* may be a value or several labels/);
    }
    expect((await column(["1.2.3", "1/2", "1-2", "a,b"])).labels).toEqual(["1-2", "1.2.3", "1/2", "a,b"]);
    await expect(textDatasetFrom([{ text: "x", label: { a: 1 } as unknown as string }])).rejects.toThrow(/\{"a":1\}/);
  });

  it("takes years and other far numbers for no classes", async () => {
    expect(await refused(["2019", "2020"])).toMatch(/2 different numbers up to 2020.* a task of 2021 classes/);
    expect((await column(["3", "149"])).labels).toHaveLength(150);
    expect((await column(["2019", "2020"], { label2id: { "2019": 0, "2020": 1 } })).ids).toEqual([0, 1]);
    expect((await column(["2019", "2020"], { problemType: "regression" })).ids).toEqual([2019, 2020]);
  });

  it("tells of names that might be mistakes", async () => {
    const told = async (...labels: string[]) => (await column(labels)).notes.join("; ");
    expect(await told("Good", "bad", "good")).toContain('"Good" and "good" differ in nothing but case');
    expect(await told("caf\u00e9", "cafe\u0301")).toContain("how their characters are encoded");
    expect(await told("loud|cold", "cold")).toContain('"loud|cold" is one class; where it is several labels');
    expect(await told("yes", "NA")).toContain('"NA" is a class here; pandas reads it as a missing value');
    expect(await told("none", "a, b and c", "good")).toBe("");
  });

  it("takes codes of one length and names that look odd", async () => {
    expect((await column(["01", "02", "10"])).labels).toEqual(["01", "02", "10"]);
    expect((await column(["none", "N/A", "null"])).labels).toEqual(["N/A", "none", "null"]);
    expect((await column(["-1", "0", "1"], { label2id: { "-1": 0, "0": 1, "1": 2 } })).ids).toEqual([0, 1, 2]);
  });

  it("leaves -100 out of the classes, as PyTorch's losses leave it out", async () => {
    const { ids, labels, notes } = await column(["1", "-100", "0"]);
    expect(ids).toEqual([1, -100, 0]);
    expect(labels).toEqual(["LABEL_0", "LABEL_1"]);
    expect(notes).toEqual(["1 of 3 labels are -100: loss and metrics leave them out, as in transformers"]);
  });
});

describe("names that are numbers", () => {
  const label2id = { "1": 0, "2": 1, "3": 2, "4": 3, "5": 4 };

  it("are read one way for a whole column", async () => {
    expect((await column(["1", "5", "2"], { label2id })).ids).toEqual([0, 4, 1]);
    const numbers = await column(["0", "1", "2", "3", "4"], { label2id });
    expect(numbers.ids).toEqual([0, 1, 2, 3, 4]);
    expect(numbers.notes[0]).toMatch(/read as class numbers from 0, not as the names 1, 2/);
    expect(await refused(["0", "5"], { label2id })).toMatch(/^:\d: the label|^:\d: unknown label/);
    expect(await refused(["1", "7"], { label2id })).toMatch(/^:3: unknown label "7"/);
  });

  it("take no note of case where nothing else fits", async () => {
    expect((await column(["Positive", "NEGATIVE"], { label2id: { POSITIVE: 0, negative: 1 } })).ids).toEqual([0, 1]);
    expect(await refused(["A"], { label2id: { a: 0, "a ": 1 } })).toMatch(/unknown label/);
  });
});

describe("several labels a row", () => {
  const several = { problemType: "multi_label_classification" } as const;

  it("stand in lists, as Python, JSON and NumPy write them, or with a separator", async () => {
    const expected = [
      [1, 1, 0],
      [0, 0, 0],
      [0, 0, 1],
    ];
    for (const cells of [
      ["['a', 'b']", "[]", "['c']"],
      ['["a","b"]', "[]", '["c"]'],
      ["[0 1]", "[]", "[2]"],
    ]) {
      const { ids, problemType } = await column(cells);
      expect(problemType).toBe("multi_label_classification");
      expect(ids).toEqual(expected);
    }
    for (const cells of [
      ["a|b", "", "c"],
      ["a; b", "", "c"],
      ["b,a", "", "c"],
    ]) {
      expect((await column(cells, several)).ids).toEqual(expected);
    }
    expect((await column(["a/b", "", "c"], { ...several, labelSeparator: "/" })).ids).toEqual(expected);
    expect((await column(["a, b", "c"], { ...several, label2id: { "a, b": 0, c: 1 } })).ids).toEqual([
      [1, 0],
      [0, 1],
    ]);
  });

  it("stand in lists of one place a class", async () => {
    const read = await column(["[0, 1, 1]", "[1, 0, 0]"]);
    expect(read.ids).toEqual([
      [0, 1, 1],
      [1, 0, 0],
    ]);
    expect(read.labels).toEqual(["LABEL_0", "LABEL_1", "LABEL_2"]);
    const rows = [
      { text: "x", label: [0.5, 1] },
      { text: "y", label: [0, 0] },
    ];
    expect((await textDatasetFrom(rows)).examples.map(({ label }) => label)).toEqual([
      [0.5, 1],
      [0, 0],
    ]);
  });

  it("are no lists of a 0 or 1 a class where those are of several lengths", async () => {
    const told = refused(["[1, 0, 1]", "[0, 1]"], several);
    expect(await told).toMatch(/^:2: the list of labels holds 3 times 0 or 1/);
    expect((await column(["[0, 2]", "[1]"], several)).ids).toEqual([
      [1, 0, 1],
      [0, 1, 0],
    ]);
  });

  it("stand in a column each", async () => {
    const path = join(folder, "columns.csv");
    writeFileSync(path, "comment_text,toxic,insult\nwell then,0,1\nfine by me,1,0\n");
    const read = await readTextDataset(path, { labelColumn: "toxic,insult" });
    expect(read).toMatchObject({ problemType: "multi_label_classification", label2id: { toxic: 0, insult: 1 } });
    expect(read.examples.map(({ label }) => label)).toEqual([
      [0, 1],
      [1, 0],
    ]);
    await expect(readTextDataset(path)).rejects.toMatchObject({
      message: expect.stringContaining("several that hold 0 and 1 alone: toxic, insult"),
      hint: expect.stringContaining("multi_label_classification"),
    });
    expect((await readTextDataset(path, several)).labels).toEqual(["toxic", "insult"]);
    const known = await readTextDataset(path, { ...several, label2id: { insult: 0, toxic: 1 } });
    expect(known.examples.map(({ label }) => label)).toEqual([
      [1, 0],
      [0, 1],
    ]);
    writeFileSync(path, "comment_text,toxic,insult\nwell then,0,-1\n");
    await expect(readTextDataset(path, { labelColumn: ["toxic", "insult"] })).rejects.toThrow(/columns\.csv:2: .*"-1"/);
  });
});
