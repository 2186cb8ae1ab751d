import { existsSync, readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { GraftError } from "#graft/errors";
import { parseAdapterConfig } from "#graft/peft/config/read-config";
import { LoraConfig, tuners } from "#graft/peft/index";

const golden = new URL("../golden/peft/", import.meta.url);
const methods = new URL("../golden/methods/", import.meta.url);
const assets = new URL("../../../shared/assets/adapters/", import.meta.url);
const silent = () => {};
const isBuilt = (type: unknown): boolean => tuners().some((tuner) => tuner.type === type);

function rawConfig(folder: URL, name: string): Record<string, unknown> {
  return JSON.parse(readFileSync(new URL(`${name}/adapter_config.json`, folder), "utf8"));
}

function refusal(run: () => unknown): GraftError {
  try {
    run();
  } catch (error) {
    if (error instanceof GraftError) return error;
    throw error;
  }
  throw new Error("nothing was refused");
}

describe("adapter_config.json", () => {
  for (const name of readdirSync(golden).filter((one) => existsSync(new URL(`${one}/adapter_config.json`, golden)))) {
    test(`${name}: PEFT's own file is read and written as it was`, () => {
      const text = readFileSync(new URL(`${name}/adapter_config.json`, golden), "utf8");
      const config = parseAdapterConfig(JSON.parse(text), name, (message) => expect.unreachable(message));
      const written = JSON.stringify(config.toJson(), null, 2);
      // Python writes 0.0 where JavaScript writes 0; nothing else may differ.
      expect(written).toBe(text.trim().replaceAll("0.0,", "0,"));
    });
  }

  for (const name of readdirSync(methods).filter((one) => rawConfig(methods, one).peft_version !== null)) {
    test(`${name}: every key is read and written as it was`, () => {
      const raw = rawConfig(methods, name);
      const config = parseAdapterConfig(raw, name, (message) => expect.unreachable(message));
      // PEFT lists the heads of a prompt's model twice.
      const modules = raw.modules_to_save && [...new Set(raw.modules_to_save as string[])];
      expect(config.toJson()).toEqual({ ...raw, modules_to_save: modules });
    });
  }

  test("unknown keys are left out with a warning that names them", () => {
    const warnings: string[] = [];
    const raw = { peft_type: "LORA", some_new_option: 3 };
    const config = parseAdapterConfig(raw, "file", (message) => warnings.push(message));
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain("some_new_option");
    expect(Object.keys(config.toJson())).not.toContain("some_new_option");
  });

  test.each([
    ["layer_replication", [[0, 2]]],
    ["target_parameters", ["weight"]],
    ["init_lora_weights", "eva"],
    ["init_lora_weights", "pissa_niter_"],
    ["loftq_config", { loftq_bits: 4 }],
    ["use_qalora", true],
    ["alora_invocation_tokens", [1]],
  ])("%s = %j is refused by name", (key, value) => {
    const error = refusal(() => parseAdapterConfig({ peft_type: "LORA", [key]: value }, "file", silent));
    expect(error.code).toBe("unsupported");
    expect(error.message).toContain(key);
  });

  test.each([
    { use_qalora: false, qalora_group_size: 32 },
    { rank_pattern: {}, megatron_core: "other" },
    { fan_in_fan_out: null, revision: null },
  ])("%j is read as unset", (fields) => {
    const config = parseAdapterConfig({ peft_type: "LORA", ...fields }, "file", silent);
    expect(config.toJson()).toEqual(new LoraConfig().toJson());
  });

  test.each([{ layers_to_transform: [] }, { layers_pattern: [] }, { layers_pattern: "" }])(
    "%j is read and written as it is, beside any targets",
    (fields) => {
      const raw = { peft_type: "LORA", target_modules: "all-linear", ...fields };
      expect(parseAdapterConfig(raw, "file", silent).toJson()).toMatchObject(fields);
    },
  );

  test.each(["r", "lora_alpha", "lora_dropout", "bias"])("%s = null is refused", (key) => {
    const error = refusal(() => parseAdapterConfig({ peft_type: "LORA", [key]: null }, "file", silent));
    expect(error.code).toBe("invalid-config");
    expect(error.message).toContain(`${key} is null`);
  });

  test.each(["alpha_pattern", "r", "init_lora_weights", "target_modules"])("a deeply nested %s is refused", (key) => {
    const deep = JSON.parse("[".repeat(200_000) + "]".repeat(200_000));
    refusal(() => parseAdapterConfig({ peft_type: "LORA", [key]: deep }, "file", silent));
  });

  test("another method is refused with the list of what there is", () => {
    const error = refusal(() => parseAdapterConfig({ peft_type: "OFT" }, "file", silent));
    expect(error.code).toBe("unsupported");
    expect(error.message).toContain("OFT");
    expect(error.hint).toContain("LORA");
  });

  test("a file that PEFT did not write is refused", () => {
    expect(refusal(() => parseAdapterConfig({ r: 4 }, "file", silent)).code).toBe("invalid-config");
  });
});

describe("LoraConfig", () => {
  test("has PEFT's defaults", () => {
    expect(new LoraConfig().fields).toEqual({
      taskType: null,
      r: 8,
      loraAlpha: 8,
      loraDropout: 0,
      targetModules: null,
      excludeModules: null,
      bias: "none",
      modulesToSave: null,
      fanInFanOut: false,
      useRslora: false,
      initLoraWeights: true,
      layersToTransform: null,
      layersPattern: null,
      loraBias: false,
      trainableTokenIndices: null,
      useDora: false,
      rankPattern: {},
      alphaPattern: {},
      baseModelNameOrPath: null,
      revision: null,
      inferenceMode: false,
    });
  });

  test("scale: loraAlpha / r, with useRslora loraAlpha / sqrt(r)", () => {
    expect(new LoraConfig({ r: 4, loraAlpha: 16 }).scaling).toBe(4);
    expect(new LoraConfig({ r: 4, loraAlpha: 16, useRslora: true }).scaling).toBe(8);
  });

  test("SEQ_CLS adds the heads to modulesToSave, once", () => {
    expect(new LoraConfig({ taskType: "SEQ_CLS" }).modulesToSave).toEqual(["classifier", "score"]);
    const config = new LoraConfig({ taskType: "SEQ_CLS", modulesToSave: ["classifier"] });
    expect(config.with({ r: 2 }).modulesToSave).toEqual(["classifier", "score"]);
  });

  test.each([
    [{ r: 0 }, "r is 0"],
    [{ r: 2.5 }, "r is 2.5"],
    [{ r: 1e12 }, "r is 1000000000000"],
    [{ loraDropout: 1 }, "loraDropout is 1"],
    [{ loraAlpha: Number.NaN }, "loraAlpha"],
    [{ targetModules: [""] }, "targetModules"],
    [{ targetModules: "all-linear", layersToTransform: 1 }, "layersToTransform"],
    [{ layersPattern: "layer" }, "layersPattern"],
    [{ loraBias: true, initLoraWeights: "pissa" }, "loraBias"],
    [{ loraBias: true, useDora: true }, "loraBias"],
    [{ layersToTransform: [-1] }, "layersToTransform"],
    [{ trainableTokenIndices: [2, 2] }, "trainableTokenIndices"],
    [{ trainableTokenIndices: [] }, "trainableTokenIndices"],
  ])("%j is refused", (options, message) => {
    const error = refusal(() => new LoraConfig(options));
    expect(error.code).toBe("invalid-config");
    expect(error.message).toContain(message);
  });

  test("an option that does not exist is refused by name", () => {
    const options: Record<string, unknown> = { rank: 8 };
    expect(refusal(() => new LoraConfig(options)).message).toContain("rank");
  });
});

describe.runIf(existsSync(assets))("published configs (../shared/assets)", () => {
  const folders = existsSync(assets)
    ? [
        ...readdirSync(new URL("_configs_only/", assets)).map((name) => `_configs_only/${name}`),
        ...readdirSync(assets).filter((name) => existsSync(new URL(`${name}/adapter_config.json`, assets))),
      ]
    : [];
  const refusedFields: Readonly<Record<string, string>> = {
    "_configs_only/peft_MetaMathQA_lora_llama-3.2-3B-rank32-kasa": "kasa_config",
  };
  for (const folder of folders) {
    const raw = existsSync(assets) ? rawConfig(assets, folder) : {};
    const refused =
      refusedFields[folder] ?? (isBuilt(raw.peft_type) ? undefined : String(raw.peft_type ?? "peft_type"));
    test(`${folder} is ${refused === undefined ? "read" : `refused: ${refused}`}`, () => {
      if (refused !== undefined) {
        expect(refusal(() => parseAdapterConfig(raw, folder, silent)).message).toContain(refused);
        return;
      }
      const config = parseAdapterConfig(raw, folder, silent);
      expect(config.toJson().r).toBe(raw.r);
      expect(config.fields.loraAlpha).toBe(raw.lora_alpha);
      expect(config.fields.numVirtualTokens).toBe(raw.num_virtual_tokens);
    });
  }
});
