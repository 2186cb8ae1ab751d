import type { Network } from "../../models/index.js";
import type { AdapterConfig, OnWarning } from "../config/config-class.js";

/** PEFT's correction: which way a layer stores its weight is a fact of the layer, and a linear layer's is [out, in]. */
export function withoutFanIn<C extends AdapterConfig & { readonly fanInFanOut: boolean }>(
  config: C,
  _network: Network,
  onWarning: OnWarning,
): C {
  if (!config.fanInFanOut) return config;
  onWarning("fanInFanOut is set to false: the model's layers store their weights as [out, in]");
  return config.with({ fanInFanOut: false });
}
