import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { loadDataset, TableDataset } from "graft-peft";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { HubServer } from "../hub/server/hub-server.js";

const golden = fileURLToPath(new URL("../golden/datasets", import.meta.url));
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "graft-dataset-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function column(dataset: TableDataset, name: string): Promise<unknown[]> {
  const values: unknown[] = [];
  for await (const row of dataset) values.push(row[name]);
  return values;
}

type Runs = [number, number][] | null;

describe("split expressions", async () => {
  const expected = JSON.parse(await readFile(join(golden, "splits.json"), "utf8")) as Record<string, Runs>;
  it.each(Object.entries(expected))("%s gives Python's rows", async (split, runs) => {
    const loading = loadDataset(join(golden, "splits"), { split });
    // Of a slice that ends before it begins Python makes a dataset without rows.
    if (runs === null || runs.length === 0) return expect(loading).rejects.toMatchObject({ code: "invalid-argument" });
    const rows = runs.flatMap(([first, last]) => Array.from({ length: last - first + 1 }, (_, at) => first + at));
    expect(await column(await loading, "id")).toEqual(rows);
  });
});

describe("Parquet", () => {
  it.each(["snappy", "zstd", "gzip", "brotli", "none", "indexed"])("%s: rows and features", async (codec) => {
    const dataset = await loadDataset(join(golden, `table-${codec}.parquet`), { split: "train" });
    expect(dataset.length).toBe(137);
    expect(dataset.feature("label").names).toEqual(["negative", "positive"]);
    expect(dataset.features.tags).toMatchObject({ type: "Sequence", feature: { dtype: "string" } });
    expect(dataset.features.score?.dtype).toBe("float32");
    expect(await dataset.at(-1)).toEqual({
      text: "text 136 größe",
      label: 0,
      score: 17,
      id: 2 ** 40 + 136,
      tags: ["a"],
    });
    expect(await column(dataset, "label")).toEqual(Array.from({ length: 137 }, (_, at) => at % 2));
  });

  it("names a cut footer and a column that is not there", async () => {
    const path = join(folder, "cut.parquet");
    await writeFile(path, (await readFile(join(golden, "table-none.parquet"))).subarray(0, -50));
    await expect(loadDataset(path, { split: "train" })).rejects.toMatchObject({ code: "invalid-dataset" });
    const dataset = await loadDataset(join(golden, "table-none.parquet"), { split: "train" });
    expect(() => dataset.feature("lable")).toThrow(expect.objectContaining({ hint: expect.stringContaining("label") }));
  });

  it("decodes pictures, and names or leaves out the one that cannot be", async () => {
    const dataset = await loadDataset(join(golden, "stripes.parquet"), { split: "train" });
    expect(await dataset.at(3)).toMatchObject({ image: { width: 43, height: 45 }, label: 1 });
    const rows = [
      { image: "nowhere.png" },
      { image: new Uint8Array([1, 2, 3]) },
      { image: (await dataset.at(0)).image },
    ];
    const features = { image: { type: "Image", names: [] } } as const;
    await expect(TableDataset.from(rows, features).at(1)).rejects.toMatchObject({
      code: "invalid-image",
      message: expect.stringMatching(/row 1 of the rows, column "image"/),
    });
    const told: string[] = [];
    const skipping = TableDataset.from(rows, features, { onBadRow: "skip", onWarning: (line) => told.push(line) });
    expect((await column(skipping, "image")).length).toBe(1);
    expect(told.length).toBe(2);
  });
});

describe("files and folders", () => {
  it("reads CSV, TSV, JSON, JSON lines and text", async () => {
    const files = {
      "a.csv": 'text,label\n"x, y",1\nz,0\n',
      "a.tsv": "text\tlabel\nx, y\t1\nz\t0\n",
      "a.json": '[{"text": "x, y", "label": 1}, {"text": "z", "label": 0}]',
      "a.jsonl": '{"text": "x, y", "label": 1}\n{"text": "z", "label": 0}\n',
    };
    for (const [name, text] of Object.entries(files)) {
      await writeFile(join(folder, name), text);
      const dataset = await loadDataset(join(folder, name), { split: "train" });
      expect([await dataset.at(0), await dataset.at(1)], name).toEqual([
        { text: "x, y", label: 1 },
        { text: "z", label: 0 },
      ]);
    }
    await writeFile(join(folder, "a.txt"), "one\ntwo\n");
    expect(await column(await loadDataset(join(folder, "a.txt"), { split: "train" }), "text")).toEqual(["one", "two"]);
  });

  it("reads folders of pictures, by classes and by metadata", async () => {
    const png = await sharp(new Uint8Array(300), { raw: { width: 10, height: 10, channels: 3 } })
      .png()
      .toBuffer();
    for (const split of ["train", "test"]) {
      for (const name of ["cat", "dog"]) {
        await mkdir(join(folder, "classes", split, name), { recursive: true });
        await writeFile(join(folder, "classes", split, name, "1.png"), png);
      }
    }
    const { train, test } = await loadDataset(join(folder, "classes"));
    expect([train?.length, test?.length]).toEqual([2, 2]);
    expect(train?.feature("label").names).toEqual(["cat", "dog"]);
    expect(await train?.at(1)).toMatchObject({ image: { width: 10 }, label: 1 });

    await mkdir(join(folder, "listed"));
    await writeFile(join(folder, "listed/1.png"), png);
    await writeFile(join(folder, "listed/metadata.csv"), "file_name,caption\n1.png,black\n");
    const listed = await loadDataset(join(folder, "listed"), { split: "train" });
    expect(await listed.at(0)).toMatchObject({ image: { height: 10 }, caption: "black" });
  });
});

describe("TableDataset", () => {
  const dataset = TableDataset.from(Array.from({ length: 20 }, (_, id) => ({ id, text: `t${id}` })));

  it("selects, shuffles, splits, maps, filters, joins", async () => {
    expect(await column(dataset.select([3, 1]), "id")).toEqual([3, 1]);
    const shuffled = await column(dataset.shuffle({ seed: 1 }), "id");
    expect(shuffled).not.toEqual(await column(dataset, "id"));
    expect(await column(dataset.shuffle({ seed: 1 }), "id")).toEqual(shuffled);
    const { train, test } = dataset.trainTestSplit({ testSize: 0.1 });
    expect([train.length, test.length]).toEqual([18, 2]);
    expect(
      [...(await column(train, "id")), ...(await column(test, "id"))].sort((a, b) => Number(a) - Number(b)),
    ).toEqual(await column(dataset, "id"));
    const even = await dataset.filter(({ id }) => Number(id) % 2 === 0);
    expect(
      await column(
        even.map(({ id }) => ({ double: 2 * Number(id) })),
        "double",
      ),
    ).toEqual([0, 4, 8, 12, 16, 20, 24, 28, 32, 36]);
    expect(await column(TableDataset.concatenate([even.select([1]), dataset.select([5])]), "id")).toEqual([2, 5]);
    expect(() => dataset.select([20])).toThrow("there is no row 20");
  });

  it("transforms rows when they are asked for, the random ones by seed, epoch and row", async () => {
    const random = dataset.withTransform((batch, rng) => ({ draw: (batch.id ?? []).map(() => rng.uniform(0, 1)) }));
    const at = (epoch: number) => random.get(3, { seed: 1, epoch });
    expect(await at(0)).toEqual(await at(0));
    expect(await at(0)).not.toEqual(await at(1));
    for await (const batch of dataset.batches(15)) expect([15, 5]).toContain(batch.id?.length);
  });
});

describe("the Hub", () => {
  it("finds data files by the README's configs, by names, and converted ones", async () => {
    const server = await HubServer.start();
    process.env.HF_ENDPOINT = server.url;
    const where = { cacheDir: join(folder, "cache"), localFilesOnly: false };
    const csv = (...ids: number[]) => `id\n${ids.join("\n")}\n`;
    server.add("dataset", "org/configs", {
      "README.md":
        "---\nconfigs:\n- config_name: one\n  data_files: one/*.csv\n- config_name: two\n  default: true\n  data_files:\n  - split: dev\n    path: [two/a.csv, two/b.csv]\n---\n",
      "one/a.csv": csv(1),
      "two/a.csv": csv(2, 3),
      "two/b.csv": csv(4),
    });
    server.add("dataset", "org/names", { "data/train.csv": csv(1), "data/test.csv": csv(2) });
    server
      .add("dataset", "org/script", { "script.py": "" })
      .commit(
        { "plain/train/0000.parquet": await readFile(join(golden, "table-snappy.parquet")) },
        "refs/convert/parquet",
      );
    try {
      expect(await column(await loadDataset("org/configs", { ...where, split: "dev" }), "id")).toEqual([2, 3, 4]);
      expect(await column(await loadDataset("org/configs", { ...where, name: "one", split: "train" }), "id")).toEqual([
        1,
      ]);
      await expect(loadDataset("org/configs", { ...where, name: "three" })).rejects.toThrow('no config "three"');
      expect(Object.keys(await loadDataset("org/names", where))).toEqual(["train", "test"]);
      expect((await loadDataset("org/script", { ...where, split: "train" })).length).toBe(137);
      expect(server.log.filter((line) => line.includes("one/a.csv")).length).toBeGreaterThan(0);
      await expect(loadDataset("org/namse", where)).rejects.toMatchObject({
        hint: expect.stringContaining("org/names"),
      });
    } finally {
      await server.stop();
    }
  });
});
