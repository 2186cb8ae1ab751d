import { GraftError } from "../../errors.js";
import { shown } from "../../json.js";
import { checkedFields, type LoraConfigFields, loraDefaults, loraKeys } from "./lora-fields.js";
import { headNames } from "./task-types.js";
import { unsupportedFields, unsupportedSettings } from "./unsupported-fields.js";

/** What `new LoraConfig` takes; `LoraConfig` says what each option means and what its default is. */
export type LoraConfigOptions = Partial<LoraConfigFields>;

/** Tells transformers which class the base model is; PEFT writes it where there is no task type. */
export interface AutoMapping {
  readonly base_model_class: string;
  readonly parent_library: string;
}

/** The version of PEFT whose format is written. */
const PEFT_VERSION = "0.21.0";

/**
 * How a model is adapted with LoRA (Hu et al. 2021): y = W x + scale * B A dropout(x).
 * Options, meanings and defaults are those of PEFT 0.21's LoraConfig.
 *
 * - `r`: rank of the update, 1 to 65536. Default 8.
 * - `loraAlpha`: the update's scale is loraAlpha / r. Default 8.
 * - `loraDropout`: probability that an input of the update is dropped in training, from 0 to below 1. Default 0.
 * - `targetModules`: names (equal to a module's path or its end after a dot), a regular expression that matches whole
 *   paths, "all-linear", or null for the model type's usual ones. Names of transformers 4 and 5 both work. Default null.
 * - `excludeModules`: names or a regular expression, as before: modules that are not adapted. Default null: none.
 * - `modulesToSave`: names of modules that are copied, trained whole, and saved with the adapter. Default null: none.
 * - `taskType`: "SEQ_CLS" and "TOKEN_CLS" also train and save the modules `classifier` and `score`, "QUESTION_ANS"
 *   `qa_outputs`. Default null.
 * - `bias`: which biases of the base are trained: "none" (default), "all", or those of the adapted layers ("lora_only").
 * - `useRslora`: scale loraAlpha / sqrt(r) instead of loraAlpha / r (Kalajdzievski 2023). Default false.
 * - `initLoraWeights`: true (default: A Kaiming-uniform, B zero), "gaussian" (A normal with deviation 1/r, B zero),
 *   false (A and B random: for tests).
 * - `fanInFanOut`: whether layers store their weights as [in, out]. None does here, so true is set to false with a
 *   remark. Default false.
 * - `baseModelNameOrPath`: the base model that adapter_config.json names. Default null: the folder it was loaded from.
 * - `revision`: of the base model on the Hugging Face Hub; written as it is. Default null.
 * - `inferenceMode`: whether the adapter is for prediction, not trainable. Default false.
 *
 * @throws GraftError `invalid-config`
 */
export class LoraConfig {
  /** PEFT's name of the method. */
  readonly peftType = "LORA";
  /** All options, defaults filled in. */
  readonly fields: LoraConfigFields;

  /** @param autoMapping written as it is where there is no task type */
  constructor(
    options: LoraConfigOptions = {},
    readonly autoMapping: AutoMapping | null = null,
  ) {
    const fields = checkedFields(options, "LoraConfig", (field) => field);
    this.fields = { ...fields, modulesToSave: withHeads(fields) };
  }

  get taskType() {
    return this.fields.taskType;
  }
  get r() {
    return this.fields.r;
  }
  get loraAlpha() {
    return this.fields.loraAlpha;
  }
  get loraDropout() {
    return this.fields.loraDropout;
  }
  get targetModules() {
    return this.fields.targetModules;
  }
  get excludeModules() {
    return this.fields.excludeModules;
  }
  get bias() {
    return this.fields.bias;
  }
  /** Includes the heads that the task type adds. */
  get modulesToSave() {
    return this.fields.modulesToSave;
  }
  get fanInFanOut() {
    return this.fields.fanInFanOut;
  }
  get useRslora() {
    return this.fields.useRslora;
  }
  get initLoraWeights() {
    return this.fields.initLoraWeights;
  }
  get baseModelNameOrPath() {
    return this.fields.baseModelNameOrPath;
  }
  get revision() {
    return this.fields.revision;
  }
  get inferenceMode() {
    return this.fields.inferenceMode;
  }

  /** What the product B A is multiplied with. */
  get scaling(): number {
    return this.loraAlpha / (this.useRslora ? Math.sqrt(this.r) : this.r);
  }

  /** The same config with some options changed. */
  with(changes: LoraConfigOptions, autoMapping: AutoMapping | null = this.autoMapping): LoraConfig {
    return new LoraConfig({ ...this.fields, ...changes }, autoMapping);
  }

  /** The object of adapter_config.json: exactly the keys that PEFT 0.21 writes, sorted, name lists sorted. */
  toJson(): Record<string, unknown> {
    const entries: [string, unknown][] = Object.entries(loraKeys).map(([field, key]) => [
      key,
      this.fields[field as keyof LoraConfigFields],
    ]);
    const all: Record<string, unknown> = {
      ...unsupportedFields,
      ...Object.fromEntries(entries),
      auto_mapping: this.autoMapping,
      peft_type: this.peftType,
      peft_version: PEFT_VERSION,
      target_modules: sortedNames(this.targetModules),
      exclude_modules: sortedNames(this.excludeModules),
    };
    return Object.fromEntries(Object.entries(all).sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  /**
   * Reads the object of an adapter_config.json.
   * @param where names the file in messages
   * @param onWarning told about keys that PEFT 0.21 does not know: they are left out, as PEFT does
   * @throws GraftError `unsupported` naming each field that Graft does not implement, `invalid-config`
   */
  static fromJson(
    raw: Readonly<Record<string, unknown>>,
    where: string,
    onWarning: (message: string) => void,
  ): LoraConfig {
    refuseUnsupported(raw, where);
    const known = new Set([...Object.values(loraKeys), ...Object.keys(unsupportedFields), ...bookkeepingKeys]);
    const unknown = Object.keys(raw).filter((key) => !known.has(key));
    if (unknown.length > 0) {
      onWarning(`${where}: unknown keys are left out: ${unknown.sort().join(", ")}`);
    }
    const options = Object.entries(loraKeys).flatMap(([field, key]) => {
      // Python takes null for false; a rank or a scale of null is none.
      const isFlag = typeof loraDefaults[field as keyof LoraConfigFields] === "boolean";
      return raw[key] === null && isFlag ? [] : [[field, raw[key]]];
    });
    const fields = checkedFields(Object.fromEntries(options), where, (field) => loraKeys[field]);
    return new LoraConfig(fields, (raw.auto_mapping ?? null) as AutoMapping | null);
  }
}

const bookkeepingKeys = ["peft_type", "peft_version", "auto_mapping", "runtime_config"];

function refuseUnsupported(raw: Readonly<Record<string, unknown>>, where: string): void {
  const settings = unsupportedSettings(raw).map((name) => `${name} = ${shown(raw[name])}`);
  const init = raw.init_lora_weights;
  if (typeof init === "string" && init !== "gaussian") settings.push(`init_lora_weights = ${shown(init)}`);
  if (settings.length === 0) return;
  throw new GraftError(
    "unsupported",
    `${where} asks for what Graft does not do yet: ${settings.join(", ")}`,
    "Use an adapter without it: plain LoRA on linear layers is what Graft computes.",
  );
}

function withHeads({ modulesToSave, taskType }: LoraConfigFields): string[] | null {
  const heads = taskType === null ? [] : headNames[taskType];
  const all = [...new Set([...(modulesToSave ?? []), ...heads])];
  return all.length === 0 ? modulesToSave : all;
}

function sortedNames(names: string[] | string | null): string[] | string | null {
  return Array.isArray(names) ? [...names].sort() : names;
}
