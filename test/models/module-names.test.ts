import { readFileSync } from "node:fs";
import { AutoModelForImageClassification } from "graft-peft";
import { describe, expect, it } from "vitest";
import { bertNames } from "#graft/models/architectures/bert";
import { vitNames } from "#graft/models/architectures/vit";
import { goldenFolder, readTensors } from "./golden.js";

describe("names of transformers 4 and 5", () => {
  it("ViT's names are those that transformers 5 has in memory, and lead back", async () => {
    const model = await AutoModelForImageClassification.fromPretrained(goldenFolder("vit_imgcls"));
    const v4 = model.namedParameters().map(([name]) => name);
    const v5 = [...(await readTensors(`${goldenFolder("vit_v5names")}/model.safetensors`)).keys()];
    expect(v4.map((name) => vitNames.toV5(name)).sort()).toEqual([...v5].sort());
    expect(v5.map((name) => vitNames.toV4(name)).sort()).toEqual([...v4].sort());
    expect(v4.map((name) => vitNames.toV4(name))).toEqual(v4);
    expect(v5.map((name) => vitNames.toV5(name))).toEqual(v5);
  });

  it("module paths that PEFT adapts have both spellings", () => {
    const paths = (name: string): string[] =>
      JSON.parse(readFileSync(new URL(`../golden/peft/${name}/meta.json`, import.meta.url), "utf8")).adaptedModules;
    const [v4, v5] = [paths("vit_default_v4"), paths("vit_default")];
    expect(v4.map((path) => vitNames.toV5(path))).toEqual(v5);
    expect(v5.map((path) => vitNames.toV4(path))).toEqual(v4);
  });

  it("what is around the renamed part stays, and other models have one spelling", () => {
    expect(vitNames.toV4("base_model.model.vit.layers.11.attention.o_proj.lora_A.weight")).toBe(
      "base_model.model.vit.encoder.layer.11.attention.output.dense.lora_A.weight",
    );
    expect(vitNames.toV5("encoder.layer.3.output.dense.bias")).toBe("layers.3.mlp.fc2.bias");
    for (const name of ["vit.embeddings.cls_token", "vit.layernorm.weight", "classifier.bias"]) {
      expect([vitNames.toV4(name), vitNames.toV5(name)]).toEqual([name, name]);
    }
    const bert = "bert.encoder.layer.0.output.dense.weight";
    expect([bertNames.toV4(bert), bertNames.toV5(bert)]).toEqual([bert, bert]);
  });

  it("names of old files are repaired where they were in use, and buffers are passed over", () => {
    expect(bertNames.fromCheckpoint("bert.embeddings.LayerNorm.gamma")).toBe("bert.embeddings.LayerNorm.weight");
    expect(bertNames.fromCheckpoint("bert.embeddings.LayerNorm.beta")).toBe("bert.embeddings.LayerNorm.bias");
    expect(bertNames.fromCheckpoint("bert.embeddings.position_ids")).toBeUndefined();
    expect(vitNames.fromCheckpoint("vit.layers.0.mlp.fc1.bias")).toBe("vit.encoder.layer.0.intermediate.dense.bias");
  });

  it("a container that transformers 5 lacks has one path", () => {
    expect(vitNames.paths("vit.encoder.layer.0.attention.attention")).toEqual([
      "vit.encoder.layer.0.attention.attention",
    ]);
    expect(vitNames.paths("vit.encoder.layer.0.attention")).toEqual([
      "vit.encoder.layer.0.attention",
      "vit.layers.0.attention",
    ]);
  });
});
