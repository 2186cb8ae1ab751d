import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { AutoModelForSequenceClassification, getPeftModel, LoraConfig } from "graft-peft";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { AdapterFolder } from "#graft/peft/index";
import { goldenPath } from "./numbers.js";

let scratch: string;
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), "graft-base-"));
});
afterAll(() => rm(scratch, { recursive: true, force: true }));

/** What an adapter's folder says. */
const findBaseModel = async (folder: string) => (await AdapterFolder.open(folder)).baseModel();

/** An adapter folder that names a base, or none. */
async function adapter(folder: string, base: string | null): Promise<string> {
  await mkdir(folder, { recursive: true });
  const config = { peft_type: "LORA", base_model_name_or_path: base };
  await writeFile(join(folder, "adapter_config.json"), JSON.stringify(config));
  await writeFile(join(folder, "adapter_model.safetensors"), "");
  return folder;
}

describe("the base model that an adapter names", () => {
  test.each<[string, (base: string) => string]>([
    ["a relative path", (base) => relative(process.cwd(), base)],
    ["a relative path with a slash at its end", (base) => `./${relative(process.cwd(), base)}/`],
    ["an absolute path", (base) => base],
  ])("%s is recorded as it was given, and found", async (_, spell) => {
    const given = spell(goldenPath("models/bert_seqcls"));
    const model = await AutoModelForSequenceClassification.fromPretrained(given);
    const folder = await mkdtemp(join(scratch, "adapter-"));
    await getPeftModel(model, new LoraConfig({ r: 2, taskType: "SEQ_CLS" })).savePretrained(folder);
    const written = JSON.parse(await readFile(join(folder, "adapter_config.json"), "utf8"));
    expect(written.base_model_name_or_path).toBe(given);
    expect(await findBaseModel(folder)).toBe(given);
    await model.dispose();
  });

  test("is sought from the current directory first, then from the adapter's folder", async () => {
    const here = relative(process.cwd(), goldenPath("models/bert_base"));
    const both = await adapter(join(scratch, "both"), here);
    await cp(goldenPath("models/bert_base"), join(both, here), { recursive: true });
    expect(await findBaseModel(both)).toBe(here);
    const moved = await adapter(join(scratch, "moved", "adapter"), "../base");
    await cp(goldenPath("models/bert_base"), join(scratch, "moved", "base"), { recursive: true });
    expect(await findBaseModel(moved)).toBe(join(scratch, "moved", "base"));
  });

  test("where it is not here, the error names the places and what to do", async () => {
    const hub = await adapter(join(scratch, "hub"), "google/vit-base-patch16-224-in21k");
    await expect(findBaseModel(hub)).rejects.toMatchObject({
      code: "file-not-found",
      message: expect.stringContaining(
        `in ${process.cwd()}/google/vit-base-patch16-224-in21k or ${hub}/google/vit-base-patch16-224-in21k`,
      ),
      hint: expect.stringMatching(/current directory, then from the adapter's folder.*--model.*Hub is named/),
    });
    const absolute = await adapter(join(scratch, "absolute"), "/nonexistent/base");
    await expect(findBaseModel(absolute)).rejects.toThrow(/no model in \/nonexistent\/base$/);
    await expect(findBaseModel(await adapter(join(scratch, "none"), null))).rejects.toThrow(/names no base model/);
  });
});
