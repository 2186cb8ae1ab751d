import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { AutoModelForSequenceClassification } from "graft-peft";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  type FilesKind,
  modelFileNames,
  openWeights,
  openWeightsFile,
  readJsonObject,
  resolveFiles,
  writeJson,
} from "#graft/hub/index";

/** Repositories as they are found in the wild; not on every machine. */
const cases = fileURLToPath(new URL("../../../shared/cases", import.meta.url));

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "graft-hub-"));
});
afterAll(() => rm(root, { recursive: true }));

async function folderWith(name: string, ...files: string[]): Promise<string> {
  const folder = join(root, name);
  await mkdir(folder);
  for (const file of files) await writeFile(join(folder, file), "{}");
  return folder;
}

describe("resolveFiles", () => {
  test("finds what is there", async () => {
    const path = await folderWith("model", "config.json", "model.safetensors", "tokenizer.json", "README.md");
    const files = await resolveFiles(path, "model");
    expect(files.origin).toBe(path);
    const there = await Promise.all(modelFileNames.map(async (name) => ((await files.has(name)) ? [name] : [])));
    expect(there.flat()).toEqual(["config.json", "model.safetensors", "tokenizer.json", "README.md"]);
    expect(await files.path("config.json", "its structure")).toBe(join(path, "config.json"));
    await expect(files.path("preprocessor_config.json", "reading pictures")).rejects.toThrow(
      /no preprocessor_config\.json, which is needed for reading pictures/,
    );
  });

  test("takes safetensors before a pickle, and the index where there is no single file", async () => {
    const path = await folderWith("sharded", "config.json", "model.safetensors.index.json", "pytorch_model.bin");
    await expect(openWeights(await resolveFiles(path, "model"))).rejects.toThrow(/index\.json.*no weight_map/);
  });

  test("accepts a config without weights, which are missed only when asked for", async () => {
    const files = await resolveFiles(await folderWith("bare", "config.json", "training_args.bin"), "model");
    await expect(openWeights(files)).rejects.toMatchObject({ code: "file-not-found" });
  });

  test("tells models and adapters apart", async () => {
    const path = await folderWith("adapter", "adapter_config.json", "adapter_model.safetensors");
    expect((await resolveFiles(path, "adapter")).origin).toBe(path);
    await expect(resolveFiles(path, "model")).rejects.toMatchObject({
      code: "file-not-found",
      message: expect.stringMatching(/no config\.json: it is an adapter, not a model/),
      hint: expect.stringMatching(/base model/),
    });
    await expect(resolveFiles(await folderWith("base", "config.json"), "adapter")).rejects.toThrow(
      /no adapter_config\.json: it is a model, not an adapter/,
    );
  });

  test.each<[FilesKind, RegExp]>([
    ["tokenizer", /no tokenizer\.json$/],
    ["processor", /no preprocessor_config\.json$/],
  ])("a folder without what makes a %s is refused", async (kind, message) => {
    await expect(resolveFiles(await folderWith(`no-${kind}`), kind)).rejects.toMatchObject({
      code: "file-not-found",
      message: expect.stringMatching(message),
    });
  });

  test.each(["pytorch_model-00001-of-00002.bin", "model.pt"])("refuses %s", async (pickle) => {
    const path = await folderWith(`pickle-${pickle}`, "config.json", pickle);
    await expect(resolveFiles(path, "model")).rejects.toMatchObject({
      code: "pickle-refused",
      message: expect.stringContaining(pickle),
      hint: expect.stringMatching(/safetensors/),
    });
  });

  test.each([
    ["pytorch_model.bin", "{}"],
    ["pytorch_model.bin.index.json", '{"weight_map": {"w": "pytorch_model-00001-of-00001.bin"}}'],
  ])("reads %s where there is nothing else, and finds its faults", async (name, text) => {
    const path = await folderWith(`reads-${name}`, "config.json", "pytorch_model-00001-of-00001.bin", name);
    await writeFile(join(path, name), text);
    await expect(openWeights(await resolveFiles(path, "model"))).rejects.toMatchObject({ code: "invalid-pickle" });
  });

  test("tells no folder, a file and an empty folder apart", async () => {
    await expect(resolveFiles(join(root, "nowhere"), "model")).rejects.toMatchObject({
      code: "file-not-found",
      message: expect.stringMatching(/nowhere does not exist/),
    });
    await writeFile(join(root, "file"), "");
    await expect(resolveFiles(join(root, "file"), "model")).rejects.toMatchObject({
      code: "file-access",
      message: expect.stringMatching(/is a file, not a folder/),
    });
    await expect(resolveFiles(await folderWith("empty"), "model")).rejects.toMatchObject({
      message: expect.stringMatching(/no config\.json$/),
    });
  });
});

describe("what lies in the files", () => {
  const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${"0".repeat(64)}\nsize 45600\n`;

  test.each(modelFileNames.filter((name) => !name.includes("/")))("a Git LFS pointer for %s is named", async (name) => {
    const path = await folderWith(`lfs-${name}`);
    await writeFile(join(path, name), pointer);
    await expect((await resolveFiles(path)).path(name, "a test")).rejects.toMatchObject({
      code: "lfs-pointer",
      message: expect.stringContaining(`${join(path, name)} is a Git LFS pointer`),
      hint: expect.stringContaining("git lfs pull"),
    });
  });

  test("a pointer in place of a shard, and of a file that is opened by its path", async () => {
    const path = await folderWith("lfs-shard", "config.json");
    const index = { weight_map: { a: "one.safetensors" } };
    await writeFile(join(path, "model.safetensors.index.json"), JSON.stringify(index));
    await writeFile(join(path, "one.safetensors"), pointer);
    await expect(openWeights(await resolveFiles(path, "model"))).rejects.toMatchObject({ code: "lfs-pointer" });
    await expect(openWeightsFile(join(path, "one.safetensors"))).rejects.toMatchObject({ code: "lfs-pointer" });
  });

  test.runIf(existsSync(cases))("the pointers of a cloned repository", async () => {
    const model = join(cases, "E02-lfs-pointers/model");
    const told = { code: "lfs-pointer", hint: expect.stringContaining("git lfs pull") };
    await expect(AutoModelForSequenceClassification.fromPretrained(model)).rejects.toMatchObject(told);
  });

  test("a byte order mark before JSON is passed over", async () => {
    const path = await folderWith("bom");
    await writeFile(join(path, "config.json"), '\ufeff{"model_type": "bert"}');
    const files = await resolveFiles(path, "model");
    expect(await files.json("config.json", "the model's config")).toEqual({ model_type: "bert" });
  });
});

describe("JSON files", () => {
  test("a fault is placed by file, line and column", async () => {
    const path = join(root, "broken.json");
    await writeFile(path, '{\n  "model_type": "bert",\n  "layers": 2,\n}\n');
    await expect(readJsonObject(path, "the model's config")).rejects.toMatchObject({
      code: "invalid-json",
      message: `${path} (the model's config) is not valid JSON: line 4, column 1: "}" where key should be`,
    });
  });

  test("what is not an object, not text or not there is named", async () => {
    const path = join(root, "list.json");
    await writeFile(path, "[1]");
    await expect(readJsonObject(path, "labels")).rejects.toMatchObject({
      code: "invalid-json",
      message: expect.stringMatching(/holds a list/),
    });
    await writeFile(path, new Uint8Array([0x7b, 0xff, 0x7d]));
    await expect(readJsonObject(path, "labels")).rejects.toMatchObject({
      code: "file-access",
      message: expect.stringMatching(/not UTF-8/),
    });
    await expect(readJsonObject(join(root, "no.json"), "labels")).rejects.toMatchObject({ code: "file-not-found" });
  });

  test("what is written is read back", async () => {
    const path = join(root, "written.json");
    await writeJson(path, { é: [1, null, "x"] });
    expect(await readJsonObject(path, "x")).toEqual({ é: [1, null, "x"] });
  });
});
