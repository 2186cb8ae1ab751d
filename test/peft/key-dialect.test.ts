import { describe, expect, it } from "vitest";
import { keyDialect } from "#graft/peft/folder/key-dialect";

const expected = new Set(["bert.layer.0.query.lora_A.weight", "bert.layer.0.query.lora_B.weight", "classifier.weight"]);
const named = (change: (key: string) => string) => [...expected].map(change);

describe("names that fit but for a dialect", () => {
  it.each([
    ["_orig_mod.base_model.model.", "torch.compile"],
    ["module.base_model.model.", "DataParallel"],
    ["base_model.model._orig_mod.", "torch.compile"],
    ["base_model.model.base_model.model.", "a PeftModel inside of another"],
    ["student.", "save it again"],
  ])("the prefix %s is named", (prefix, by) => {
    const hint = keyDialect(
      named((key) => prefix + key),
      expected,
    );
    expect(hint).toContain(`the prefix "${prefix}"`);
    expect(hint).toContain(by);
  });

  it("the adapter's name within them is named", () => {
    const keys = named((key) => `base_model.model.${key}`).slice(0, 2);
    const french = keys.map((key) => key.replace(/\.weight$/, ".french.weight"));
    expect(keyDialect(french, expected)).toContain('its own name, ".french"');
  });

  it("another adapter's are not", () => {
    expect(keyDialect([], expected)).toBeUndefined();
    expect(keyDialect(["base_model.model.vit.layer.0.query.lora_A.weight"], expected)).toBeUndefined();
    const mixed = ["module.classifier.weight", "other.bert.layer.0.query.lora_A.weight"];
    expect(keyDialect(mixed, expected)).toBeUndefined();
  });
});
