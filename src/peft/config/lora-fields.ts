import * as z from "zod";
import { GraftError } from "../../errors.js";
import { shown } from "../../json.js";
import { taskTypes } from "./task-types.js";

const names = z.array(z.string().min(1));

/** Far above the ranks in use: stops absurd files before anything is made. */
const LARGEST_RANK = 2 ** 16;

/** What each option of LoraConfig may be. */
export const loraFields = z.strictObject({
  taskType: z.enum(taskTypes).nullable(),
  r: z.int().positive().max(LARGEST_RANK),
  loraAlpha: z.number(),
  loraDropout: z.number().gte(0).lt(1),
  targetModules: z.union([names, z.string().min(1)]).nullable(),
  excludeModules: z.union([names, z.string().min(1)]).nullable(),
  bias: z.enum(["none", "all", "lora_only"]),
  modulesToSave: names.nullable(),
  fanInFanOut: z.boolean(),
  useRslora: z.boolean(),
  initLoraWeights: z.union([z.boolean(), z.literal("gaussian")]),
  baseModelNameOrPath: z.string().nullable(),
  revision: z.string().nullable(),
  inferenceMode: z.boolean(),
});

/** All options of LoraConfig, with PEFT's meaning and PEFT's names in camelCase. */
export type LoraConfigFields = z.infer<typeof loraFields>;

/** PEFT 0.21's defaults. */
export const loraDefaults: LoraConfigFields = {
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
  baseModelNameOrPath: null,
  revision: null,
  inferenceMode: false,
};

/** The key of each option in adapter_config.json. */
export const loraKeys: { readonly [K in keyof LoraConfigFields]: string } = {
  taskType: "task_type",
  r: "r",
  loraAlpha: "lora_alpha",
  loraDropout: "lora_dropout",
  targetModules: "target_modules",
  excludeModules: "exclude_modules",
  bias: "bias",
  modulesToSave: "modules_to_save",
  fanInFanOut: "fan_in_fan_out",
  useRslora: "use_rslora",
  initLoraWeights: "init_lora_weights",
  baseModelNameOrPath: "base_model_name_or_path",
  revision: "revision",
  inferenceMode: "inference_mode",
};

const expected: { readonly [K in keyof LoraConfigFields]: string } = {
  taskType: `null or one of ${taskTypes.join(", ")}`,
  r: `a whole number from 1 to ${LARGEST_RANK}`,
  loraAlpha: "a number (the scale of the adapter is loraAlpha / r)",
  loraDropout: "a number from 0 to below 1",
  targetModules: 'null, a list of module names, a regular expression, or "all-linear"',
  excludeModules: "null, a list of module names, or a regular expression",
  bias: '"none", "all" or "lora_only"',
  modulesToSave: "null or a list of module names",
  fanInFanOut: "true or false",
  useRslora: "true or false",
  initLoraWeights: 'true, false or "gaussian" (pissa, olora, eva, loftq and the others are not supported)',
  baseModelNameOrPath: "null or a text",
  revision: "null or a text",
  inferenceMode: "true or false",
};

/**
 * Options with PEFT's defaults filled in.
 * @param spelling how messages spell an option: as in TypeScript, or as in adapter_config.json
 * @param where "LoraConfig" or the path of a file
 * @throws GraftError `invalid-config` naming the option, its value and what it may be
 */
export function checkedFields(
  options: Readonly<Record<string, unknown>>,
  where: string,
  spelling: (field: keyof LoraConfigFields) => string,
): LoraConfigFields {
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
  const result = loraFields.safeParse({ ...loraDefaults, ...given });
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  if (issue?.code === "unrecognized_keys") {
    throw new GraftError(
      "invalid-config",
      `${where} has no option ${issue.keys.map((key) => JSON.stringify(key)).join(", ")}`,
      `Its options: ${Object.keys(loraDefaults).join(", ")}.`,
    );
  }
  const field = issue?.path[0] as keyof LoraConfigFields;
  throw new GraftError(
    "invalid-config",
    `${where}: ${spelling(field)} is ${shown(given[field])}`,
    `${spelling(field)} must be ${expected[field]}.`,
  );
}
