/** Parameters that transformers' Trainer never decays: biases and everything that belongs to a normalisation. */
const undecayed = [/bias/, /layernorm/, /rmsnorm/, /(?:^|\.)norm(?:$|\.)/, /_norm(?:$|\.)/];

/**
 * Whether weight decay applies to a parameter.
 * @param name its full path in the module tree; ViT's `layernorm_before` and BERT's `LayerNorm` both match
 */
export function isDecayed(name: string): boolean {
  const lower = name.toLowerCase();
  return !undecayed.some((pattern) => pattern.test(lower));
}
