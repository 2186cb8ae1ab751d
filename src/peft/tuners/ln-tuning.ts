import { LayerNorm, RMSNorm } from "../../nn/index.js";
import { targetOptions } from "../config/common-options.js";
import { configClass } from "../config/config-class.js";
import { selectTargets, type TargetKind } from "../matching/select.js";
import type { Host, Injection, Tuner } from "../tuner.js";

/**
 * How a model is adapted with LN tuning (Zhao et al. 2023): scale and shift of normalisation layers are trained. Options
 * and defaults are those of PEFT 0.21's LNTuningConfig.
 * @throws GraftError `invalid-config`
 */
export class LNTuningConfig extends configClass({ peftType: "LN_TUNING", options: targetOptions }) {}

const bothNorms = ["input_layernorm", "post_attention_layernorm", "norm"];
const fourNorms = [
  "input_layernorm",
  "post_attention_layernorm",
  "pre_feedforward_layernorm",
  "post_feedforward_layernorm",
  "norm",
];

const targets: TargetKind = {
  accepts: (module) => module instanceof LayerNorm || module instanceof RMSNorm,
  isLinear: () => false,
  rule: "LN tuning trains normalisation layers only",
  /** PEFT 0.21's usual targets by `model_type`; BERT, RoBERTa and ViT have none. */
  defaults: {
    llama: bothNorms,
    bloom: ["input_layernorm", "post_attention_layernorm", "ln_f"],
    t5: ["layer_norm", "final_layer_norm"],
    mt5: ["layer_norm", "final_layer_norm"],
    bart: ["self_attn_layer_norm", "encoder_attn_layer_norm", "final_layer_norm"],
    gpt2: ["ln_1", "ln_2", "ln_f"],
    gptj: ["ln_1", "ln_f"],
    falcon: ["input_layernorm", "post_attention_layernorm", "ln_f"],
    mistral: bothNorms,
    phi: ["input_layernorm", "final_layernorm"],
    gemma: bothNorms,
    gemma2: fourNorms,
    gemma3_text: fourNorms,
    qwen2: ["post_attention_layernorm"],
    qwen3: ["post_attention_layernorm"],
  },
};

function inject(host: Host, config: LNTuningConfig): Injection {
  const norms = selectTargets(host.modules(), config, targets, host.config.modelType).map(({ module }) => module);
  const parameters = norms.flatMap((module) => [...module.parameters()]);
  const copies = host.copy(parameters, {
    isCounted: true,
    key: ({ name }) => name.replace(/\.(\w+)$/, ".ln_tuning_layers.$1"),
  });
  return {
    targets: norms.map(({ path }) => path),
    merge: parameters.map((parameter, index) => ({ parameter, write: (trace) => trace.parameter(copies[index]!) })),
  };
}

/** Scale and shift of normalisation layers (Zhao et al. 2023). */
export const lnTuning: Tuner<LNTuningConfig> = {
  type: "LN_TUNING",
  name: "ln-tuning",
  help: "Scale and shift of normalisation layers (Zhao et al. 2023)",
  Config: LNTuningConfig,
  targets,
  inject,
};
