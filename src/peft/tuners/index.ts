import { LoraConfig } from "../config/lora-config.js";
import { LoraLinear } from "./lora/layer.js";

/** The tuning methods, by PEFT's `peft_type`: how a config is read, and the layer that takes a Linear's place. */
export const tuningMethods = {
  LORA: { parseConfig: LoraConfig.fromJson, layer: LoraLinear },
} as const;

export type PeftType = keyof typeof tuningMethods;

/** The config of any supported method. */
export type PeftConfig = ReturnType<(typeof tuningMethods)[PeftType]["parseConfig"]>;

export function isPeftType(type: string): type is PeftType {
  return Object.hasOwn(tuningMethods, type);
}
