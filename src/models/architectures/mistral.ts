import * as z from "zod";
import { fields, parseConfig } from "../config.js";
import { type LlamaConfig, llamaConfig, llamaFields, sameWindows } from "./llama-config.js";

const schema = z.object({
  ...llamaFields,
  intermediate_size: fields.size(14336),
  num_key_value_heads: llamaFields.num_key_value_heads.default(8),
  max_position_embeddings: fields.size(4096 * 32),
  sliding_window: z.int().min(1).nullable().default(4096),
});

/** Mistral (Jiang et al. 2023): Llama without biases, each layer with a window. @throws GraftError `invalid-config`, `unsupported` */
export function parseMistralConfig(raw: Readonly<Record<string, unknown>>, what: string): LlamaConfig {
  const config = parseConfig(schema, raw, what);
  const windows = sameWindows(config, config.slidingWindow);
  return llamaConfig(
    config,
    { qkvBias: false, outputBias: false, mlpBias: false, normalisesHeads: false, windows },
    what,
  );
}
