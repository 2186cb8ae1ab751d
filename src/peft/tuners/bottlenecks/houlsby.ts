import { configClass } from "../../config/config-class.js";
import type { Host, Injection, Tuner } from "../../tuner.js";
import { addTo, bottleneck, bottleneckOptions, notMergeable } from "./bottleneck.js";

/**
 * How a model is adapted with bottlenecks after both halves of each layer (Houlsby et al. 2019).
 * @throws GraftError `invalid-config`
 */
export class HoulsbyConfig extends configClass({
  peftType: "HOULSBY",
  options: bottleneckOptions("swish"),
  isPefts: false,
}) {}

/** h + Up(f(Down(h))) on what attention and feed-forward give, before residual and norm. */
function inject(host: Host, config: HoulsbyConfig): Injection {
  const { layers } = host.network;
  for (const { path, sites } of layers) {
    const signature = `houlsby:${config.nonLinearity}`;
    const ofAttention = bottleneck(host, `${path}.adapter_attention`, config);
    const ofFeedForward = bottleneck(host, `${path}.adapter_output`, config);
    host.at(sites, "attentionOutput", { signature, transform: addTo(ofAttention) });
    host.at(sites, "feedForwardOutput", { signature, transform: addTo(ofFeedForward) });
  }
  return { targets: layers.map(({ path }) => path), merge: notMergeable };
}

/** Bottlenecks after both halves of each layer (Houlsby et al. 2019; the paper's AdapterH). PEFT has no such type. */
export const houlsby: Tuner<HoulsbyConfig> = {
  type: "HOULSBY",
  name: "houlsby",
  help: "Bottlenecks after attention and feed-forward of each layer (Houlsby et al. 2019)",
  Config: HoulsbyConfig,
  inject,
};
