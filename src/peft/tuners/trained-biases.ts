import type { Parameter } from "../../nn/index.js";
import type { Host } from "../tuner.js";

/** Which biases of the base are trained: none, all, or those of the adapted layers (PEFT's "lora_only", "vera_only"). */
export type TrainedBiases = "none" | "all" | "adapted";

interface Biased {
  readonly bias: Parameter | null;
}

/**
 * The base's biases that a config trains: PEFT's `bias`. They stay in force while the adapter is switched off.
 * @param layers those that the method went around
 */
export function trainBiases(host: Host, bias: TrainedBiases, layers: readonly Biased[]): void {
  const wrapped = new Set(layers.flatMap((layer) => (layer.bias ? [layer.bias] : [])));
  const saved = new Set(host.copied());
  const all = [...host.network.parameters()].filter(({ name }) => name.endsWith("bias"));
  const chosen = bias === "all" ? all.filter((one) => !saved.has(one)) : bias === "adapted" ? [...wrapped] : [];
  host.copy(chosen, {
    isPersistent: true,
    key: (one) => (wrapped.has(one) ? one.name.replace(/\.bias$/, ".base_layer.bias") : one.name),
  });
}
