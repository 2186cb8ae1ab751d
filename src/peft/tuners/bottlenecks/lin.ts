import * as z from "zod";
import { add, layerNorm } from "../../../graph/index.js";
import { ones, zeros } from "../../../nn/index.js";
import { option } from "../../../options/option-table.js";
import { configClass } from "../../config/config-class.js";
import type { Host, Injection, Tuner } from "../../tuner.js";
import { bottleneck, bottleneckOptions, notMergeable } from "./bottleneck.js";

const linOptions = {
  ...bottleneckOptions("relu"),
  /** Epsilon of the bottleneck's own LayerNorm. Default 1e-5. */
  layerNormEps: option("number", z.number().positive(), 1e-5, {
    help: "Epsilon of the bottleneck's own LayerNorm",
    expected: "a number above 0",
  }),
};

/**
 * How a model is adapted with a bottleneck and a LayerNorm of its own after each layer (Lin et al. 2020).
 * @throws GraftError `invalid-config`
 */
export class LinConfig extends configClass({ peftType: "LIN", options: linOptions, isPefts: false }) {}

/** x + Up(f(Down(LN(x)))) on what a whole layer gives. */
function inject(host: Host, config: LinConfig): Injection {
  const { hiddenSize } = host.config;
  const { layers } = host.network;
  for (const { path, sites } of layers) {
    const weight = host.parameter(`${path}.adapter_norm.weight`, [hiddenSize], { initializer: ones });
    const bias = host.parameter(`${path}.adapter_norm.bias`, [hiddenSize], { initializer: zeros });
    const narrowed = bottleneck(host, `${path}.adapter`, config);
    host.at(sites, "layerOutput", {
      signature: `lin:${config.nonLinearity}:${config.layerNormEps}`,
      transform(trace, stream) {
        const x = stream.hidden;
        const normed = layerNorm(x, trace.parameter(weight), trace.parameter(bias), config.layerNormEps);
        return stream.with(add(x, narrowed(trace, normed)));
      },
    });
  }
  return { targets: layers.map(({ path }) => path), merge: notMergeable };
}

/** A bottleneck with a LayerNorm after each layer (Lin et al. 2020; the paper's AdapterL). PEFT has no such type. */
export const lin: Tuner<LinConfig> = {
  type: "LIN",
  name: "lin",
  help: "A bottleneck with a LayerNorm of its own after each layer (Lin et al. 2020)",
  Config: LinConfig,
  inject,
};
