import * as z from "zod";
import { GraftError } from "../../../errors.js";
import { add, mul, type Tensor } from "../../../graph/index.js";
import {
  type ActivationName,
  activationNames,
  activations,
  type HalfOutput,
  normal,
  type Trace,
} from "../../../nn/index.js";
import { option } from "../../../options/option-table.js";
import type { Host, Injection } from "../../tuner.js";
import { ownLinear } from "../own-linear.js";

/** The options that all bottlenecks have. @param usual the function that the method's paper has between the projections */
export const bottleneckOptions = (usual: ActivationName) => ({
  /** The bottleneck is the hidden size divided by this. Default 16. */
  reductionFactor: option("integer", z.int().positive(), 16, {
    help: "The bottleneck is the hidden size divided by this",
    expected: "a whole number from 1 that divides the hidden size",
  }),
  /** The bottleneck itself, in place of reductionFactor: sizes that do not divide the hidden size, too. Default null. */
  bottleneckSize: option("integer", z.int().positive().nullable(), null, {
    help: "Size of the bottleneck, in place of reduction_factor",
    expected: "null, or a whole number from 1",
  }),
  /** Between the two projections. */
  nonLinearity: option("choice", z.enum(activationNames), usual, {
    help: "Function between the two projections",
  }),
});

export interface BottleneckOptions {
  readonly reductionFactor: number;
  readonly bottleneckSize: number | null;
  readonly nonLinearity: ActivationName;
}

/** Why no bottleneck can be merged. */
export const notMergeable: Injection["merge"] = {
  refused: "a bottleneck with a function inside is no change of a weight",
};

/**
 * Up(f(Down(x))), with parameters of the adapter's own.
 * @param name they are `<name>_down` and `<name>_up`
 * @throws GraftError `invalid-config` where the hidden size cannot be divided
 */
export function bottleneck(
  host: Host,
  name: string,
  { reductionFactor, bottleneckSize, nonLinearity }: BottleneckOptions,
): (trace: Trace, x: Tensor) => Tensor {
  const { hiddenSize } = host.config;
  if (bottleneckSize === null && hiddenSize % reductionFactor !== 0) {
    throw new GraftError(
      "invalid-config",
      `reductionFactor ${reductionFactor} does not divide the hidden size ${hiddenSize}`,
      "Choose a divisor of the hidden size, or set bottleneckSize.",
      { option: "reductionFactor" },
    );
  }
  const size = bottleneckSize ?? hiddenSize / reductionFactor;
  const down = ownLinear(host, `${name}_down`, hiddenSize, size, { weight: normal(0.02) });
  const up = ownLinear(host, `${name}_up`, size, hiddenSize, { weight: normal(0.02) });
  const act = activations[nonLinearity];
  return (trace, x) => up(trace, act(down(trace, x)));
}

/** Whether a bottleneck acts in a pass: float32 [1], 1 or 0; null: it always does. */
export type Switch = (trace: Trace, layer: number) => Tensor | null;

/**
 * Pfeiffer's bottleneck after the feed-forward half of layers: Up(f(Down(h))) + out, with h = LN(out + residual) where
 * the layer has that norm, else h = out + residual.
 * @param isOn asked for each layer, the first first; a bottleneck that does not act gets the gradient zero
 * @returns the layers' paths
 */
export function pfeifferBottlenecks(
  host: Host,
  config: BottleneckOptions,
  layers: Host["network"]["layers"],
  isOn?: Switch,
): string[] {
  for (const { path, sites, index } of layers) {
    const narrowed = bottleneck(host, `${path}.adapter`, config);
    host.at(sites, "feedForwardOutput", {
      signature: `bottleneck:${config.nonLinearity}:${isOn ? "drawn" : "always"}`,
      transform(trace, half) {
        const { output, residual, norm } = half;
        const sum = add(output, residual);
        const change = narrowed(trace, norm ? norm(sum) : sum);
        const factor = isOn?.(trace, index) ?? null;
        return { ...half, output: add(factor ? mul(change, factor) : change, output) };
      },
    });
  }
  return layers.map(({ path }) => path);
}

/** h + Up(f(Down(h))) on what a half of a layer gives. */
export function addTo(narrowed: (trace: Trace, x: Tensor) => Tensor) {
  return (trace: Trace, half: HalfOutput): HalfOutput => ({
    ...half,
    output: add(half.output, narrowed(trace, half.output)),
  });
}
