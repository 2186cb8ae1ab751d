import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readJsonObject, writeJson } from "#graft/hub/json-file";
import { requireFile, resolveModelFolder, weightsFile } from "#graft/hub/model-folder";

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

describe("resolveModelFolder", () => {
  test("finds what is there", async () => {
    const path = await folderWith("model", "config.json", "model.safetensors", "tokenizer.json", "README.md");
    const folder = await resolveModelFolder(path);
    expect(folder.files).toEqual({
      "config.json": join(path, "config.json"),
      "model.safetensors": join(path, "model.safetensors"),
      "tokenizer.json": join(path, "tokenizer.json"),
    });
    expect(weightsFile(folder)).toBe(join(path, "model.safetensors"));
    expect(() => requireFile(folder, "preprocessor_config.json", "reading pictures")).toThrow(
      /no preprocessor_config\.json, which is needed for reading pictures/,
    );
  });

  test("takes the index where the weights are sharded, and weights beside a pickle", async () => {
    const path = await folderWith("sharded", "config.json", "model.safetensors.index.json", "pytorch_model.bin");
    expect(weightsFile(await resolveModelFolder(path))).toBe(join(path, "model.safetensors.index.json"));
  });

  test("accepts a config without weights, which are missed only when asked for", async () => {
    const folder = await resolveModelFolder(await folderWith("bare", "config.json", "training_args.bin"));
    expect(() => weightsFile(folder)).toThrow(expect.objectContaining({ code: "file-not-found" }));
  });

  test("finds an adapter", async () => {
    const path = await folderWith("adapter", "adapter_config.json", "adapter_model.safetensors");
    const { files } = await resolveModelFolder(path, "adapter");
    expect(Object.keys(files).sort()).toEqual(["adapter_config.json", "adapter_model.safetensors"]);
    await expect(resolveModelFolder(path)).rejects.toMatchObject({
      code: "file-not-found",
      message: expect.stringMatching(/no config\.json: it is an adapter, not a model/),
      hint: expect.stringMatching(/base model/),
    });
  });

  test.each(["pytorch_model.bin", "pytorch_model-00001-of-00002.bin", "model.pt"])("refuses %s", async (pickle) => {
    const path = await folderWith(`pickle-${pickle}`, "config.json", pickle);
    await expect(resolveModelFolder(path)).rejects.toMatchObject({
      code: "pickle-refused",
      message: expect.stringContaining(pickle),
      hint: expect.stringMatching(/safetensors/),
    });
  });

  test("refuses an adapter that is a pickle", async () => {
    const path = await folderWith("adapter-pickle", "adapter_config.json", "adapter_model.bin");
    await expect(resolveModelFolder(path, "adapter")).rejects.toMatchObject({ code: "pickle-refused" });
  });

  test("tells no folder, a file and an empty folder apart", async () => {
    await expect(resolveModelFolder(join(root, "nowhere"))).rejects.toMatchObject({
      code: "file-not-found",
      message: expect.stringMatching(/nowhere does not exist/),
    });
    await writeFile(join(root, "file"), "");
    await expect(resolveModelFolder(join(root, "file"))).rejects.toMatchObject({
      code: "file-access",
      message: expect.stringMatching(/is a file, not a folder/),
    });
    await expect(resolveModelFolder(await folderWith("empty"))).rejects.toMatchObject({
      message: expect.stringMatching(/no config\.json$/),
    });
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
