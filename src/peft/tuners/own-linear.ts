import { add, matMul, type Tensor } from "../../graph/index.js";
import { type Initializer, type Trace, zeros } from "../../nn/index.js";
import type { Host } from "../tuner.js";

export interface OwnLinearOptions {
  /** How the weight begins. Default: zeros. */
  readonly weight?: Initializer | undefined;
  /** How the bias begins. Default: zeros. */
  readonly bias?: Initializer | undefined;
  /** Whether the adapter's file holds them. Default true. */
  readonly isSaved?: boolean;
}

/**
 * A linear layer of an adapter's own: y = x W^T + b.
 * @param path its parameters are `<path>.weight` [outFeatures, inFeatures] and `<path>.bias` [outFeatures]
 */
export function ownLinear(
  host: Host,
  path: string,
  inFeatures: number,
  outFeatures: number,
  { weight: weightBegins = zeros, bias: biasBegins = zeros, isSaved = true }: OwnLinearOptions,
): (trace: Trace, x: Tensor) => Tensor {
  const weight = host.parameter(`${path}.weight`, [outFeatures, inFeatures], { initializer: weightBegins, isSaved });
  const bias = host.parameter(`${path}.bias`, [outFeatures], { initializer: biasBegins, isSaved });
  return (trace, x) => add(matMul(x, trace.parameter(weight), { transposeB: true }), trace.parameter(bias));
}
