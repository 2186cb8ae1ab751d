import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { listImages, type ReadImageFolderOptions, readImageFolder } from "#graft/data/readers/image-folder";

const folder = mkdtempSync(join(tmpdir(), "graft-pictures-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const gif = "GIF89a\x01\x00\x01\x00";
const heic = "\0\0\0\x18ftypheic\0\0\0\0mif1heic";
let count = 0;

/** A folder of files: those of which nothing is said hold a picture. */
function tree(files: readonly string[], contents: Readonly<Record<string, string>> = {}): string {
  const root = join(folder, String(count++));
  for (const path of files) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    if (!path.endsWith("/")) writeFileSync(join(root, path), contents[path] ?? gif, "latin1");
    else mkdirSync(join(root, path), { recursive: true });
  }
  return root;
}

async function read(root: string, options: ReadImageFolderOptions = {}) {
  const notes: string[] = [];
  const data = await readImageFolder(root, { ...options, onInfo: (line) => notes.push(line.replace(root, "")) });
  return {
    labels: data.labels,
    found: data.examples.map(({ image, label }) => [String(image).slice(root.length + 1), label]),
    notes,
  };
}

describe("folders of pictures", () => {
  it("hold what is a picture by content, whatever its name, in folders below a class's, too", async () => {
    const root = tree(["a/1.png", "b/2.jfif", "c/n01440764_1", "d/2024/05/3.JPE"]);
    expect(await read(root)).toEqual({
      labels: ["a", "b", "c", "d"],
      found: [
        ["a/1.png", 0],
        ["b/2.jfif", 1],
        ["c/n01440764_1", 2],
        ["d/2024/05/3.JPE", 3],
      ],
      notes: [],
    });
    expect(await listImages(root)).toHaveLength(4);
  });

  it("leave out what is beside the matter, counted by reason in one line", async () => {
    const files = [
      "a/1.png",
      "a/.DS_Store",
      "a/Thumbs.db",
      "b/1.png",
      "__MACOSX/a/._1.png",
      "@eaDir/x.jpg",
      "lost+found/",
      "loose.png",
    ];
    const { labels, found, notes } = await read(tree(files, { "a/Thumbs.db": "database", "a/.DS_Store": "" }));
    expect(labels).toEqual(["a", "b"]);
    expect(found).toHaveLength(2);
    expect(notes).toEqual([
      ": 6 left out: 3 of the system (@eaDir, __MACOSX, lost+found); 1 hidden (a/.DS_Store); 1 of another kind (a/Thumbs.db); 1 beside the class folders (loose.png)",
    ]);
  });

  it("refuse pictures of a kind that is not read, and files that only look like pictures", async () => {
    const code = "invalid-image";
    const unread = tree(["a/1.png", "b/1.jpg"], { "b/1.jpg": heic });
    await expect(read(unread)).rejects.toMatchObject({
      code,
      message: expect.stringContaining("1.jpg is a HEIC file"),
    });
    await expect(listImages(unread)).rejects.toMatchObject({ code });
    await expect(read(tree(["a/1.png", "b/1.png"], { "b/1.png": "" }))).rejects.toThrow(/1\.png is empty/);
    await expect(read(tree(["a/1.png", "b/1.png"], { "b/1.png": "<html>" }))).rejects.toThrow(
      /no picture of a known kind/,
    );
  });

  it("refuse a class without pictures, unless the classes are known", async () => {
    const root = tree(["a/1.png", "b/1.png", "c/notes.md"], { "c/notes.md": "notes" });
    await expect(read(root)).rejects.toThrow(/c would be a class, and has no pictures; it holds notes\.md/);
    const known = await read(root, { label2id: { a: 0, b: 1, c: 2 } });
    expect(known.notes[0]).toContain("1 folders without pictures (c)");
  });

  it("are splits of classes, or a folder around classes, as a whole", async () => {
    const splits = ["train/a/1.png", "train/b/1.png", "test/a/1.png", "train/loose.png"];
    await expect(read(tree(splits))).rejects.toThrow(/holds splits of the data \(test, train\)/);
    await expect(read(tree(["train/1.png", "test/1.png"]))).rejects.toThrow(/no class folders in them/);
    await expect(read(tree(["animals/a/1.png", "animals/b/1.png"]))).rejects.toThrow(/one folder, animals/);
    await expect(read(tree(["p1/a/1.png", "p1/b/1.png", "p2/a/1.png", "p2/b/1.png"]))).rejects.toThrow(
      /seems to hold splits/,
    );
    await expect(read(tree(["data/train/a/1.png", "data/train/b/1.png"]))).rejects.toMatchObject({
      message: expect.stringContaining("one folder, data, and the split train is in it"),
      hint: expect.stringContaining(join("data", "train")),
    });
    await expect(read(tree(["1.png", "2.png"]))).rejects.toThrow(/holds 2 pictures and no class folders/);
    const twins = await read(tree(["caf\u00e9/1.png", "cafe\u0301/1.png"]));
    expect(twins.notes.join()).toContain("how their characters are encoded");
    expect((await read(tree(["train/1.png", "bus/1.png", "car/2024/1.png"]))).labels).toEqual(["bus", "car", "train"]);
  });

  it("whose classes are numbers are read by name or by number as one", async () => {
    const root = tree(["0/1.png", "1/1.png", "2/1.png"]);
    expect((await read(root)).labels).toEqual(["0", "1", "2"]);
    const byNumber = await read(root, { label2id: { "1": 0, "2": 1, "3": 2 } });
    expect(byNumber.found.map(([, label]) => label)).toEqual([0, 1, 2]);
    expect(byNumber.notes[0]).toContain("read as class numbers from 0");
    await expect(read(tree(["0/1.png", "3/1.png"]), { label2id: { "1": 0, "2": 1, "3": 2 } })).rejects.toMatchObject({
      code: "invalid-label",
    });
  });

  it("have the labels of a table where they lie in one folder: one, several, or a value", async () => {
    const flat = (content: string, name = "metadata.csv") =>
      tree(["1.png", "2.png", "3.png", name], { [name]: content });
    const one = await read(flat("file_name,label\n2.png,cat\n1.png,dog\n"));
    expect(one.labels).toEqual(["cat", "dog"]);
    expect(one.found).toEqual([
      ["2.png", 0],
      ["1.png", 1],
    ]);
    expect(one.notes.join()).toMatch(
      /labels are read from metadata\.csv \(label\).*1 left out: 1 not in metadata\.csv \(3\.png\)/,
    );
    const several = flat(
      '{"file_name":"1.png","labels":["sun","sea"]}\n{"file_name":"2.png","labels":[]}\n',
      "metadata.jsonl",
    );
    const read2 = await readImageFolder(several);
    expect(read2).toMatchObject({ problemType: "multi_label_classification", labels: ["sea", "sun"] });
    expect(read2.examples.map(({ label }) => label)).toEqual([
      [1, 1],
      [0, 0],
    ]);
    const columns = flat("file_name,sun,sea\n1.png,1,0\n2.png,0,1\n");
    const read3 = await readImageFolder(columns, { problemType: "multi_label_classification" });
    expect(read3.examples.map(({ label }) => label)).toEqual([
      [1, 0],
      [0, 1],
    ]);
    expect((await readImageFolder(flat("file_name,score\n1.png,0.5\n2.png,2\n"))).problemType).toBe("regression");
    await expect(read(flat("file_name,label\n../1.png,cat\n"))).rejects.toThrow(
      /metadata\.csv:2: .* no picture of the folder/,
    );
    const classes = tree(["a/1.png", "b/1.png"]);
    await expect(readImageFolder(classes, { problemType: "multi_label_classification" })).rejects.toThrow(/one class/);
    const both = await read(
      tree(["a/1.png", "b/1.png", "metadata.csv"], { "metadata.csv": "file_name,label\na/1.png,z\n" }),
    );
    expect(both.labels).toEqual(["a", "b"]);
  });
});
