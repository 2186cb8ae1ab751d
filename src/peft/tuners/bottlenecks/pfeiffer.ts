import { configClass } from "../../config/config-class.js";
import type { Tuner } from "../../tuner.js";
import { bottleneckOptions, notMergeable, pfeifferBottlenecks } from "./bottleneck.js";

/**
 * How a model is adapted with bottlenecks after the feed-forward half of each layer (Pfeiffer et al. 2021).
 * @throws GraftError `invalid-config`
 */
export class PfeifferConfig extends configClass({
  peftType: "PFEIFFER",
  options: bottleneckOptions("relu"),
  isPefts: false,
}) {}

/** Bottlenecks after the feed-forward half of each layer (Pfeiffer et al. 2021). PEFT has no such type. */
export const pfeiffer: Tuner<PfeifferConfig> = {
  type: "PFEIFFER",
  name: "pfeiffer",
  help: "Bottlenecks after the feed-forward half of each layer (Pfeiffer et al. 2021)",
  Config: PfeifferConfig,
  inject: (host, config) => ({
    targets: pfeifferBottlenecks(host, config, host.network.layers),
    merge: notMergeable,
  }),
};
