import { isJsonObject } from "../../json.js";

/**
 * Fields of PEFT's LoraConfig that change what an adapter computes and that Graft does not implement: their default,
 * which is written, and the only value (null aside) that is read. Everything else is refused by name.
 */
export const unsupportedFields = {
  alora_invocation_tokens: null,
  alpha_pattern: {},
  arrow_config: null,
  corda_config: null,
  ensure_weight_tying: false,
  eva_config: null,
  kasa_config: null,
  layer_replication: null,
  layers_pattern: null,
  layers_to_transform: null,
  loftq_config: {},
  lora_bias: false,
  lora_ga_config: null,
  megatron_config: null,
  megatron_core: "megatron.core",
  monteclora_config: null,
  qalora_group_size: 16,
  rank_pattern: {},
  target_parameters: null,
  trainable_token_indices: null,
  use_bdlora: null,
  use_dora: false,
  use_qalora: false,
  velora_config: null,
} as const;

const isEmpty = (value: unknown): boolean => value === "" || (Array.isArray(value) && value.length === 0);

/** Other values that PEFT takes for unset. */
const alsoUnset: { readonly [K in keyof typeof unsupportedFields]?: (value: unknown) => boolean } = {
  layers_pattern: isEmpty,
  layers_to_transform: isEmpty,
  // Read with megatron_config and with use_qalora alone, which are refused themselves.
  megatron_core: () => true,
  qalora_group_size: () => true,
};

function isUnset(name: keyof typeof unsupportedFields, value: unknown): boolean {
  const unset = unsupportedFields[name];
  if (value === undefined || value === null || value === unset || alsoUnset[name]?.(value)) return true;
  return isJsonObject(unset) && isJsonObject(value) && Object.keys(value).length === 0;
}

/** Names of the unsupported fields that a config sets to something else than their default. */
export function unsupportedSettings(raw: Readonly<Record<string, unknown>>): string[] {
  const names = Object.keys(unsupportedFields) as (keyof typeof unsupportedFields)[];
  return names.filter((name) => !isUnset(name, raw[name]));
}
