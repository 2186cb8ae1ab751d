import type { UnbuiltFields } from "../../config/config-class.js";

/** Fields that the configs of LoRA and AdaLoRA have in PEFT, change what an adapter computes, and are built for neither. */
export const loraUnbuilt: UnbuiltFields = {
  alora_invocation_tokens: {
    unset: null,
    reason: "aLoRA acts on the tokens behind an invocation alone, which other parts of a run know nothing of",
  },
  arrow_config: { unset: null, reason: "Arrow lets each token choose among adapters" },
  corda_config: { unset: null, reason: "CorDA begins with statistics of the layers' inputs over a data set" },
  ensure_weight_tying: { unset: false, reason: "adapters around tied weights are not tied themselves" },
  eva_config: { unset: null, reason: "EVA begins with statistics of the layers' inputs over a data set" },
  kasa_config: { unset: null, reason: "KaSA cuts the smallest singular values out of the base's weights" },
  layer_replication: { unset: null, reason: "the base's layers stay as many as they are" },
  loftq_config: { unset: {}, reason: "LoftQ begins with the errors of a base that is quantised to 2 to 8 bits" },
  lora_ga_config: { unset: null, reason: "LoRA-GA begins with gradients of the base's weights over a data set" },
  megatron_config: { unset: null, reason: "Megatron's layers lie on several devices, and Graft runs on one" },
  // Read with megatron_config and with use_qalora alone, which are refused themselves.
  megatron_core: { unset: "megatron.core", alsoUnset: () => true, reason: "it is Megatron's" },
  monteclora_config: { unset: null, reason: "MonteCLoRA draws factors from trained distributions" },
  qalora_group_size: { unset: 16, alsoUnset: () => true, reason: "it is QALoRA's" },
  target_parameters: { unset: null, reason: "adapters go around modules, not around single parameters" },
  use_bdlora: { unset: null, reason: "BD-LoRA's factors are of blocks for serving on several devices" },
  use_qalora: { unset: false, reason: "QALoRA goes on a base that GPTQ quantised" },
  velora_config: { unset: null, reason: "VeLoRA stores inputs compressed for the backward pass" },
};

/** Why initialisations that PEFT names and Graft does not build are refused. */
export const unbuiltInitializations: Readonly<Record<string, string>> = {
  corda: "it begins with statistics of the layers' inputs over a data set",
  eva: "it begins with statistics of the layers' inputs over a data set",
  loftq: "it begins with the errors of a base that is quantised to 2 to 8 bits",
  lora_ga: "it begins with gradients of the base's weights over a data set",
};
