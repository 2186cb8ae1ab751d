import { readFileSync } from "node:fs";
import { AutoModelForImageClassification } from "graft-peft";
import { describe, expect, it } from "vitest";
import { toV4Name, toV5Name } from "#graft/models/index";
import { goldenFolder, readTensors } from "./golden.js";

describe("names of transformers 4 and 5", () => {
  it("ViT's names are those that transformers 5 has in memory, and lead back", async () => {
    const model = await AutoModelForImageClassification.fromPretrained(goldenFolder("vit_imgcls"));
    const v4 = model.namedParameters().map(([name]) => name);
    const v5 = [...(await readTensors(`${goldenFolder("vit_v5names")}/model.safetensors`)).keys()];
    expect(v4.map((name) => toV5Name("vit", name)).sort()).toEqual([...v5].sort());
    expect(v5.map((name) => toV4Name("vit", name)).sort()).toEqual([...v4].sort());
    expect(v4.map((name) => toV4Name("vit", name))).toEqual(v4);
    expect(v5.map((name) => toV5Name("vit", name))).toEqual(v5);
  });

  it("module paths that PEFT adapts have both spellings", () => {
    const paths = (name: string): string[] =>
      JSON.parse(readFileSync(new URL(`../golden/peft/${name}/meta.json`, import.meta.url), "utf8")).adaptedModules;
    const [v4, v5] = [paths("vit_default_v4"), paths("vit_default")];
    expect(v4.map((path) => toV5Name("vit", path))).toEqual(v5);
    expect(v5.map((path) => toV4Name("vit", path))).toEqual(v4);
  });

  it("what is around the renamed part stays, and other models have one spelling", () => {
    expect(toV4Name("vit", "base_model.model.vit.layers.11.attention.o_proj.lora_A.weight")).toBe(
      "base_model.model.vit.encoder.layer.11.attention.output.dense.lora_A.weight",
    );
    expect(toV5Name("vit", "encoder.layer.3.output.dense.bias")).toBe("layers.3.mlp.fc2.bias");
    for (const name of ["vit.embeddings.cls_token", "vit.layernorm.weight", "classifier.bias"]) {
      expect([toV4Name("vit", name), toV5Name("vit", name)]).toEqual([name, name]);
    }
    const bert = "bert.encoder.layer.0.output.dense.weight";
    expect([toV4Name("bert", bert), toV5Name("bert", bert)]).toEqual([bert, bert]);
  });
});
