import { readdirSync, readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { AutoImageProcessor, AutoTokenizer, ImageProcessor } from "graft-peft";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Tokenizer } from "#graft/data/index";

const golden = fileURLToPath(new URL("../golden/data/", import.meta.url));
const readText = (folder: string, name: string): string => readFileSync(join(folder, name), "utf8");
const readJson = (folder: string, name: string) => JSON.parse(readText(folder, name));

let root = "";
let folders = 0;
const newFolder = () => join(root, `out-${folders++}`, "nested");
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "graft-saving-"));
});
afterAll(() => rm(root, { recursive: true, force: true }));

const sentence = "Hello wörld, a fine day it is!";

describe("a tokenizer that is saved", () => {
  it.each(["tiny-wordpiece", "tiny-bpe"])("%s: the files that it was read from, to the byte", async (name) => {
    const source = join(golden, name);
    const out = newFolder();
    await (await AutoTokenizer.fromPretrained(source)).savePretrained(out);
    expect(readdirSync(out).sort()).toEqual(["tokenizer.json", "tokenizer_config.json"]);
    for (const file of readdirSync(out)) expect(readText(out, file)).toBe(readText(source, file));
  });

  it("pad token and inputs that the caller named are in its config, and in the map where there is one", async () => {
    const source = join(golden, "tiny-bpe");
    const folder = await mkdtemp(join(root, "with-map-"));
    const config = readText(source, "tokenizer_config.json")
      .replace('"<pad>"', "null")
      .replace("64", `1${"0".repeat(30)}`);
    await writeFile(join(folder, "tokenizer.json"), readText(source, "tokenizer.json"));
    await writeFile(join(folder, "tokenizer_config.json"), config);
    await writeFile(join(folder, "special_tokens_map.json"), '{"bos_token": "<s>"}');
    const out = newFolder();
    const options = { padToken: "<unk>", modelInputNames: ["inputIds"] } as const;
    const tokenizer = await AutoTokenizer.fromPretrained(folder, options);
    await tokenizer.savePretrained(out);
    const saved = readJson(out, "tokenizer_config.json");
    expect(saved).toEqual({ ...JSON.parse(config), pad_token: "<unk>", model_input_names: ["input_ids"] });
    // Python's json would read 1e+30 as a float, which is no length.
    expect(readText(out, "tokenizer_config.json")).toMatch(/"model_max_length": 10{15}\d{15},?\n/);
    expect(readJson(out, "special_tokens_map.json")).toEqual({ bos_token: "<s>", pad_token: "<unk>" });
    const again = await AutoTokenizer.fromPretrained(out);
    expect(again.padTokenId).toBe(tokenizer.padTokenId);
    expect(again.modelInputNames).toEqual(["inputIds"]);
    expect(again.encode(sentence)).toEqual(tokenizer.encode(sentence));
  });

  it("one made from parsed files gives the same ids afterwards", async () => {
    const source = join(golden, "tiny-wordpiece");
    const files = { tokenizer: readJson(source, "tokenizer.json"), config: {}, specialTokensMap: {} };
    const tokenizer = Tokenizer.fromFiles(files);
    const out = newFolder();
    await tokenizer.savePretrained(out);
    expect(readdirSync(out)).toEqual(["tokenizer.json"]);
    expect((await AutoTokenizer.fromPretrained(out)).encode(sentence)).toEqual(tokenizer.encode(sentence));
  });
});

describe("an image processor that is saved", () => {
  it("is the file that it was read from, to the byte", async () => {
    const source = await mkdtemp(join(root, "vit-"));
    const text = '{"image_processor_type": "ViTImageProcessor", "size": 32, "image_std": [1.0, 0.5, 0.5], "note": "ü"}';
    await writeFile(join(source, "preprocessor_config.json"), text);
    const out = newFolder();
    await (await AutoImageProcessor.fromPretrained(source)).savePretrained(out);
    expect(readText(out, "preprocessor_config.json")).toBe(text);
  });

  it.each([
    { size: { height: 30, width: 20 }, resample: 3 },
    { size: { shortest_edge: 40 }, do_center_crop: true, crop_size: 32 },
  ])("one made from options %j says the same afterwards", async (json) => {
    const { config } = ImageProcessor.fromJson({ ...json, image_mean: [0.1, 0.2, 0.3], do_rescale: false });
    const out = newFolder();
    await new ImageProcessor(config).savePretrained(out);
    expect(readJson(out, "preprocessor_config.json").image_processor_type).toBe("ViTImageProcessor");
    expect((await AutoImageProcessor.fromPretrained(out)).config).toEqual(config);
  });
});
