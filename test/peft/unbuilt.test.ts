import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { GraftError } from "#graft/errors";
import { parseAdapterConfig } from "#graft/peft/config/read-config";
import { tuners } from "#graft/peft/index";
import { unbuiltTypes } from "#graft/peft/tuners/unbuilt-types";
import { goldenPath } from "./numbers.js";
import { refusal } from "./refusal.js";

type Config = Readonly<Record<string, unknown>>;

const { types }: { types: Readonly<Record<string, Config | null>> } = JSON.parse(
  readFileSync(goldenPath("peft-types.json"), "utf8"),
);
const silent = () => {};
const built = tuners().filter(({ type }) => type in types);
const refused = Object.keys(types).filter((type) => !built.some((tuner) => tuner.type === type));

/** Options by key that PEFT asks for besides its defaults, or that stand beside another one. */
const needed: Readonly<Record<string, Config>> = { ADALORA: { total_step: 1000 } };

describe("the methods of PEFT 0.21", () => {
  test("there are 45, of which ten are built and the others have a reason", () => {
    expect(Object.keys(types)).toHaveLength(45);
    expect(built.map(({ type }) => type).sort()).toEqual(
      [
        "ADALORA",
        "IA3",
        "LN_TUNING",
        "LOHA",
        "LOKR",
        "LORA",
        "PREFIX_TUNING",
        "PROMPT_TUNING",
        "P_TUNING",
        "VERA",
      ].sort(),
    );
    expect(Object.keys(unbuiltTypes).sort()).toEqual(refused.sort());
  });

  test.each(refused)("%s is refused by name, with the reason and what there is", async (type) => {
    const config = types[type] ?? { peft_type: type };
    const error = await refusal(() => parseAdapterConfig(config, "adapter_config.json", silent));
    expect(error.code).toBe("unsupported");
    expect(error.message).toBe(
      `adapter_config.json is of peft_type ${type}, which Graft does not build: ${unbuiltTypes[type]}`,
    );
    expect(error.hint).toContain("LORA");
  });

  test("one that PEFT does not know is refused by name", async () => {
    const error = await refusal(() => parseAdapterConfig({ peft_type: "NEXT" }, "file", silent));
    expect(error.message).toBe("file is of peft_type NEXT");
  });
});

/** A value that is set, of the kind of the one that is not. */
function setValue(unset: unknown): unknown {
  if (typeof unset === "boolean") return !unset;
  if (typeof unset === "number") return unset + 1;
  return typeof unset === "string" ? "another" : { some: "value" };
}

describe.each(built.map(({ type, Config }) => ({ type, Config })))("options of $type", ({ type, Config }) => {
  const base = { peft_type: type, ...needed[type] };

  test("all that PEFT writes are read: built, or known and refused", () => {
    const warnings: string[] = [];
    const config = parseAdapterConfig(types[type] as Config, "file", (message) => warnings.push(message));
    expect(warnings).toEqual([]);
    const { auto_mapping: _a, ...written } = types[type] as Config;
    const { auto_mapping: _b, ...own } = config.toJson();
    expect(own).toEqual(written);
  });

  const unbuilt = Object.entries(Config.unbuilt);
  test.runIf(unbuilt.length === 0)("none is refused", () => expect(unbuilt).toEqual([]));

  test.each(unbuilt)("%s is refused by name with the reason, and its default is none", async (key, field) => {
    expect(key in (types[type] as Config)).toBe(true);
    expect(() => parseAdapterConfig({ ...base, [key]: field.unset }, "file", silent)).not.toThrow();
    expect(() => parseAdapterConfig({ ...base, [key]: null }, "file", silent)).not.toThrow();
    const value = setValue(field.unset);
    if (field.alsoUnset?.(value)) {
      expect(() => parseAdapterConfig({ ...base, [key]: value }, "file", silent)).not.toThrow();
      return;
    }
    const error = await refusal(() => parseAdapterConfig({ ...base, [key]: value }, "file", silent));
    expect(error).toBeInstanceOf(GraftError);
    expect(error.code).toBe("unsupported");
    expect(error.message).toContain(`${key} = `);
    expect(error.message).toContain(`(${field.reason})`);
  });
});

test.each([
  [{ peft_type: "LORA", init_lora_weights: "eva" }, 'init_lora_weights = "eva" (it begins with statistics'],
  [{ peft_type: "LORA", init_lora_weights: "corda" }, 'init_lora_weights = "corda" (it begins with statistics'],
  [{ peft_type: "LORA", init_lora_weights: "loftq" }, 'init_lora_weights = "loftq" (it begins with the errors'],
  [{ peft_type: "LORA", init_lora_weights: "lora_ga" }, 'init_lora_weights = "lora_ga" (it begins with gradients'],
  [{ peft_type: "LORA", init_lora_weights: "lora-x" }, 'init_lora_weights = "lora-x" (PEFT 0.21 has no'],
  [{ peft_type: "P_TUNING", encoder_reparameterization_type: "LSTM" }, '"LSTM" (there are no recurrent layers'],
  [{ peft_type: "VERA", save_projection: false }, "save_projection = false (without projections in the file"],
])("%j is refused with the reason", async (config, words) => {
  const error = await refusal(() => parseAdapterConfig(config, "file", silent));
  expect(error.code).toBe("unsupported");
  expect(error.message).toContain(words);
});
