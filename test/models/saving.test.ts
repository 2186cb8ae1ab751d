import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { AutoModel, AutoModelForImageClassification, AutoModelForSequenceClassification } from "graft-peft";
import { describe, expect, it } from "vitest";
import { bytesOf } from "#graft/tensor-data";
import { copyOf, temporaryFolder } from "./folder.js";
import { goldenFolder, inputsOf, maxDifference, readTensors } from "./golden.js";

const silent = { threads: 1, onReport: () => {} };
const readConfig = async (folder: string) => JSON.parse(await readFile(join(folder, "config.json"), "utf8"));

/** Tensor names and bytes, for comparison to the bit. */
async function contents(folder: string): Promise<Map<string, string>> {
  const tensors = await readTensors(join(folder, "model.safetensors"));
  return new Map([...tensors].map(([name, tensor]) => [name, Buffer.from(bytesOf(tensor)).toString("base64")]));
}

describe("savePretrained", () => {
  it.each(["bert_seqcls", "roberta_seqcls", "distilbert_seqcls", "deberta_conv"])(
    "%s: the same file to the byte, the same config",
    async (name) => {
      const folder = join(await temporaryFolder(), "new", "folder");
      const model = await AutoModelForSequenceClassification.fromPretrained(goldenFolder(name), silent);
      await model.savePretrained(folder);
      expect(await readdir(folder)).toEqual(["config.json", "model.safetensors"]);
      const [saved, original] = [folder, goldenFolder(name)].map((each) => join(each, "model.safetensors"));
      expect((await readFile(saved!)).equals(await readFile(original!))).toBe(true);
      expect(await readConfig(folder)).toEqual(await readConfig(goldenFolder(name)));
    },
  );

  it("shards, transformers-5 names and oldest names become one file with the usual names and the same bytes", async () => {
    for (const [name, usual, Auto] of [
      ["bert_sharded", "bert_seqcls", AutoModelForSequenceClassification],
      ["bert_gamma_beta", "bert_seqcls", AutoModelForSequenceClassification],
      ["vit_v5names", "vit_imgcls", AutoModelForImageClassification],
    ] as const) {
      const folder = await temporaryFolder();
      await (await Auto.fromPretrained(goldenFolder(name), silent)).savePretrained(folder);
      expect(await contents(folder)).toEqual(await contents(goldenFolder(usual)));
    }
  });

  it("keeps config keys that Graft does not know, and writes the labels, class and dtype of now", async () => {
    const source = await copyOf("bert_seqcls", { future_key: { deep: [1] }, torch_dtype: "float16", dtype: "float16" });
    const model = await AutoModelForSequenceClassification.fromPretrained(source, {
      ...silent,
      id2label: ["x", "y", "z"],
      problemType: "multi_label_classification",
    });
    const folder = await temporaryFolder();
    await model.savePretrained(folder);
    const { torch_dtype: _, ...kept } = await readConfig(source);
    expect(await readConfig(folder)).toEqual({
      ...kept,
      dtype: "float32",
      id2label: { 0: "x", 1: "y", 2: "z" },
      label2id: { x: 0, y: 1, z: 2 },
      problem_type: "multi_label_classification",
    });
    expect(Object.keys(await readConfig(folder))).not.toContain("torch_dtype");
  });

  it("floats stay floats: transformers 5 refuses a whole number there", async () => {
    const folder = await copyOf("bert_seqcls", { initializer_range: 1, hidden_dropout_prob: 0 });
    const model = await AutoModelForSequenceClassification.fromPretrained(folder, silent);
    await model.savePretrained(folder);
    const text = await readFile(join(folder, "config.json"), "utf8");
    expect(text).toContain('"initializer_range": 1.0,');
    expect(text).toContain('"hidden_dropout_prob": 0,');
    expect(JSON.parse(text).initializer_range).toBe(1);
  });

  it("over the folder that the model was loaded from: weights follow the file", async () => {
    const folder = await copyOf("bert_gamma_beta");
    const model = await AutoModelForSequenceClassification.fromPretrained(folder, silent);
    await model.savePretrained(folder);
    const io = await readTensors(`${folder}/io.safetensors`);
    expect(maxDifference((await model(inputsOf(io))).logits, io.get("logits"))).toBeLessThan(1e-5);
    await model.savePretrained(folder);
    expect(await contents(folder)).toEqual(await contents(goldenFolder("bert_seqcls")));
    await model.dispose();
  });

  it("another model of that folder does not take the new file for the old one", async () => {
    const folder = await copyOf("bert_gamma_beta");
    const [first, second] = await Promise.all(
      [folder, folder].map((path) => AutoModelForSequenceClassification.fromPretrained(path, silent)),
    );
    await first!.savePretrained(folder);
    const io = await readTensors(`${folder}/io.safetensors`);
    const changed = {
      code: "file-access",
      message: `${folder}/model.safetensors has changed since it was loaded`,
      hint: "Load the model again.",
    };
    await expect(second!(inputsOf(io))).rejects.toMatchObject(changed);
    const saved = await contents(folder);
    await expect(second!.savePretrained(folder)).rejects.toMatchObject(changed);
    expect(await contents(folder)).toEqual(saved);
    await Promise.all([first!.dispose(), second!.dispose()]);
  });

  it("a model without weights, and a folder that is a file, are refused and nothing is left", async () => {
    const folder = await temporaryFolder();
    const shapes = AutoModel.fromConfig({ model_type: "bert" }, { withWeights: false });
    await expect(shapes.savePretrained(folder)).rejects.toMatchObject({ code: "missing-tensor" });
    expect(await readdir(folder)).toEqual([]);
    const file = join(folder, "file");
    await writeFile(file, "kept");
    const model = await AutoModel.fromPretrained(goldenFolder("bert_base"), silent);
    await expect(model.savePretrained(file)).rejects.toMatchObject({ name: "GraftError" });
    expect(await readFile(file, "utf8")).toBe("kept");
  });
});
