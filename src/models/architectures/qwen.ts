import * as z from "zod";
import { configError, fields, parseConfig } from "../config.js";
import { type LlamaConfig, llamaConfig, llamaFields } from "./llama-config.js";

const kinds = ["full_attention", "sliding_attention"] as const;

const qwenFields = {
  ...llamaFields,
  vocab_size: fields.size(151936),
  intermediate_size: fields.size(22016),
  num_key_value_heads: llamaFields.num_key_value_heads.default(32),
  max_position_embeddings: fields.size(32768),
  use_sliding_window: z.boolean().default(false),
  sliding_window: z.int().min(1).nullable().default(4096),
  max_window_layers: z.int().min(0).default(28),
  layer_types: z.array(z.enum(kinds)).nullable().default(null),
};

const qwen2Schema = z.object(qwenFields);
const qwen3Schema = z.object({
  ...qwenFields,
  head_dim: z.int().min(1).nullable().default(128),
  attention_bias: z.boolean().default(false),
});

/** Windows where `layer_types` has them, or else from layer `max_window_layers` on. */
function windowsOf(config: ReturnType<typeof parseConfig<typeof qwenFields>>, what: string): (number | null)[] {
  const { useSlidingWindow, slidingWindow, maxWindowLayers, layerTypes, numHiddenLayers } = config;
  const window = useSlidingWindow ? slidingWindow : null;
  if (layerTypes && layerTypes.length !== numHiddenLayers) {
    throw configError(what, `layer_types has ${layerTypes.length} entries, num_hidden_layers is ${numHiddenLayers}`);
  }
  return Array.from({ length: numHiddenLayers }, (_, index) => {
    const slides = layerTypes ? layerTypes[index] === "sliding_attention" : index >= maxWindowLayers;
    return slides ? window : null;
  });
}

/** Qwen2: Llama with biases on queries, keys and values. @throws GraftError `invalid-config`, `unsupported` */
export function parseQwen2Config(raw: Readonly<Record<string, unknown>>, what: string): LlamaConfig {
  const config = parseConfig(qwen2Schema, raw, what);
  const windows = windowsOf(config, what);
  return llamaConfig(
    config,
    { qkvBias: true, outputBias: false, mlpBias: false, normalisesHeads: false, windows },
    what,
  );
}

/** Qwen3: Llama whose heads' queries and keys are normalised. @throws GraftError `invalid-config`, `unsupported` */
export function parseQwen3Config(raw: Readonly<Record<string, unknown>>, what: string): LlamaConfig {
  const config = parseConfig(qwen3Schema, raw, what);
  const { attentionBias: bias } = config;
  const windows = windowsOf(config, what);
  return llamaConfig(config, { qkvBias: bias, outputBias: bias, mlpBias: false, normalisesHeads: true, windows }, what);
}
