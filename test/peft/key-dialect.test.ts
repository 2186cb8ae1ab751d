import { describe, expect, it } from "vitest";
import { repairKeys } from "#graft/peft/folder/key-dialect";

const expected = [
  "bert.encoder.layer.0.attention.self.query.lora_A.weight",
  "bert.encoder.layer.0.attention.self.query.lora_B.weight",
  "bert.encoder.layer.0.attention.self.query.lora_B.bias",
  "classifier.weight",
];
const toTree = (key: string): string => key.replace(/^base_model\.(model\.)?/, "");
const [a, b, bias, head] = expected as [string, string, string, string];
const repair = (keys: readonly string[], names: readonly string[] = expected) =>
  repairKeys(keys, names, "bert", toTree);

describe("names of other dialects", () => {
  it.each([
    ["torch.compile", (key: string) => `_orig_mod.base_model.model.${key}`, "_orig_mod., as torch.compile leaves it"],
    [
      "torch.compile below",
      (key: string) => `base_model.model._orig_mod.${key}`,
      "_orig_mod., as torch.compile leaves it",
    ],
    ["DataParallel", (key: string) => `module.base_model.model.${key}`, "module., as DataParallel leaves it"],
    ["twice wrapped", (key: string) => `base_model.model.base_model.model.${key}`, "base_model.model. more than once"],
    ["no prefix", (key: string) => key, "base_model.model. missing"],
    [
      "the bare model",
      (key: string) => `base_model.model.${key.replace(/^bert\./, "")}`,
      "names of the model without its head, or with one",
    ],
  ])("%s", (_name, spelled, says) => {
    const { names, said } = repair(expected.map(spelled));
    expect([...names]).toEqual(expected.map((name) => [spelled(name), name]));
    // A head's name is the same with and without the body's prefix.
    expect([...said]).toEqual([[says, says.startsWith("names of") ? 3 : 4]]);
  });

  it("the adapter's name within them", () => {
    const keys = [
      a.replace("lora_A", "lora_A.french"),
      b.replace("lora_B", "lora_B.french"),
      bias.replace("lora_B", "lora_B.french"),
      "classifier.modules_to_save.french.weight",
    ];
    const { names, said } = repair(keys.map((key) => `base_model.model.${key}`));
    expect([...names.values()]).toEqual(expected);
    expect(Object.fromEntries(said)).toEqual({
      "the adapter's name within them, as in a state_dict": 3,
      "modules_to_save and the adapter's name": 1,
    });
  });

  it("loralib's, which have neither .weight nor a prefix", () => {
    const { names, said } = repair(
      [a, b].map((key) => key.replace(".weight", "")),
      [a, b],
    );
    expect([...names.values()]).toEqual([a, b]);
    expect(said.get("lora_A and lora_B without .weight, as loralib has them")).toBe(2);
  });

  it.each(["lora.down lora.up", "lora_linear_layer.down lora_linear_layer.up", "lora_down lora_up"])(
    "diffusers: %s",
    (words) => {
      const [down, up] = words.split(" ") as [string, string];
      const { names, said } = repair([a.replace("lora_A", down), b.replace("lora_B", up)], [a, b]);
      expect([...names.values()]).toEqual([a, b]);
      expect(said.get("lora.down and lora.up, as diffusers has them")).toBe(2);
    },
  );

  it("several at once", () => {
    const key = `module.base_model.model._orig_mod.${a.replace(/^bert\./, "").replace("lora_A", "lora_A.default")}`;
    expect([...repair([key]).names]).toEqual([[key, a]]);
  });

  it("what leaves a doubt is not repaired", () => {
    const two = ["bert.query.lora_A.weight", "query.lora_A.weight"];
    expect(repair(["query.lora_A"], two).names.size).toBe(0);
    expect(repair([`student.${a}`, "base_model.model.vit.query.lora_A.weight"]).names.size).toBe(0);
    expect(repair(["base_model.model.bert.encoder.layer.1.attention.self.query.lora_A.weight"]).names.size).toBe(0);
    expect(repair([head.replace("weight", "bias")]).names.size).toBe(0);
  });
});
