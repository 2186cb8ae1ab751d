import type { Network } from "../../models/index.js";
import { Conv1D } from "../../nn/index.js";
import type { AdapterConfig, OnWarning } from "../config/config-class.js";

/** PEFT's correction: which way layers store their weights is a fact of the model, [out, in] or GPT-2's [in, out]. */
export function withFanIn<C extends AdapterConfig & { readonly fanInFanOut: boolean }>(
  config: C,
  network: Network,
  onWarning: OnWarning,
): C {
  const isFanIn = [...network.modules()].some((module) => module instanceof Conv1D);
  if (config.fanInFanOut === isFanIn) return config;
  const stored = isFanIn ? "[in, out]" : "[out, in]";
  onWarning(`fanInFanOut is set to ${isFanIn}: the model's layers store their weights as ${stored}`);
  return config.with({ fanInFanOut: isFanIn });
}
