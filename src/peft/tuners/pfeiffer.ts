import * as z from "zod";
import { GraftError } from "../../errors.js";
import { add } from "../../graph/index.js";
import { type ActivationName, activationNames, activations, normal } from "../../nn/index.js";
import { option } from "../../options/option-table.js";
import { configClass } from "../config/config-class.js";
import type { Host, Injection, Tuner } from "../tuner.js";
import { ownLinear } from "./own-linear.js";

const pfeifferOptions = {
  /** The bottleneck is the hidden size divided by this. Default 16. */
  reductionFactor: option("integer", z.int().positive(), 16, {
    help: "The bottleneck is the hidden size divided by this",
    expected: "a whole number from 1 that divides the hidden size",
  }),
  /** Between the two projections. Default "relu". */
  nonLinearity: option("choice", z.enum(activationNames), "relu" as ActivationName, {
    help: "Function between the two projections",
  }),
};

/**
 * How a model is adapted with bottlenecks after the feed-forward half of each layer (Pfeiffer et al. 2021).
 * @throws GraftError `invalid-config`
 */
export class PfeifferConfig extends configClass({
  peftType: "PFEIFFER",
  options: pfeifferOptions,
  isPefts: false,
}) {}

function bottleneckOf({ reductionFactor }: PfeifferConfig, hiddenSize: number): number {
  if (hiddenSize % reductionFactor === 0) return hiddenSize / reductionFactor;
  throw new GraftError(
    "invalid-config",
    `reductionFactor ${reductionFactor} does not divide the hidden size ${hiddenSize}`,
    "Choose a divisor of the hidden size.",
    { option: "reductionFactor" },
  );
}

/** y = Up(f(Down(h))) + out, with h = LN(out + residual) where the layer has that norm, else h = out + residual. */
function inject(host: Host, config: PfeifferConfig): Injection {
  const { hiddenSize } = host.network.config;
  const size = bottleneckOf(config, hiddenSize);
  const act = activations[config.nonLinearity];
  const layers = host.network.layers;
  for (const { path, sites } of layers) {
    const down = ownLinear(host, `${path}.adapter_down`, hiddenSize, size, normal(0.02));
    const up = ownLinear(host, `${path}.adapter_up`, size, hiddenSize, normal(0.02));
    host.at(sites, "feedForwardOutput", {
      signature: `bottleneck:${config.nonLinearity}`,
      transform(trace, half) {
        const { output, residual, norm } = half;
        const sum = add(output, residual);
        const narrow = act(down(trace, norm ? norm(sum) : sum));
        return { ...half, output: add(up(trace, narrow), output) };
      },
    });
  }
  return {
    targets: layers.map(({ path }) => path),
    merge: { refused: "a bottleneck with a function inside is no change of a weight" },
  };
}

/** Bottlenecks after the feed-forward half of each layer (Pfeiffer et al. 2021). PEFT has no such type. */
export const pfeiffer: Tuner<PfeifferConfig> = {
  type: "PFEIFFER",
  name: "pfeiffer",
  help: "Bottlenecks after the feed-forward half of each layer (Pfeiffer et al. 2021)",
  Config: PfeifferConfig,
  inject,
};
