import { add, matMul, type Tensor } from "../../graph/index.js";
import { type Initializer, type Trace, zeros } from "../../nn/index.js";
import type { Host } from "../tuner.js";

/**
 * A linear layer of an adapter's own: y = x W^T + b.
 * @param path its parameters are `<path>.weight` [outFeatures, inFeatures] and `<path>.bias` [outFeatures]
 * @param initializer of the weight; the bias begins at zero
 */
export function ownLinear(
  host: Host,
  path: string,
  inFeatures: number,
  outFeatures: number,
  initializer: Initializer,
): (trace: Trace, x: Tensor) => Tensor {
  const weight = host.parameter(`${path}.weight`, [outFeatures, inFeatures], { initializer });
  const bias = host.parameter(`${path}.bias`, [outFeatures], { initializer: zeros });
  return (trace, x) => add(matMul(x, trace.parameter(weight), { transposeB: true }), trace.parameter(bias));
}
