import { type Initializer, kaimingUniform } from "./init.js";
import { MatrixLayer } from "./matrix-layer.js";
import { Parameter } from "./parameter.js";

export interface LinearOptions {
  /** Default true. */
  readonly bias?: boolean;
  /** Of the weight; the bias starts at zero. Default PyTorch's, kaimingUniform(sqrt(5)). */
  readonly initializer?: Initializer;
  /** Another module's parameter [outFeatures, inFeatures] that is read as the weight: an embedding table as a projection. */
  readonly tied?: Parameter | null;
}

/** y = x W^T + b. weight: [outFeatures, inFeatures]; bias: [outFeatures] or none. */
export class Linear extends MatrixLayer {
  readonly weight: Parameter;
  readonly bias: Parameter | null;

  constructor(
    inFeatures: number,
    outFeatures: number,
    { bias = true, initializer = kaimingUniform(Math.sqrt(5)), tied = null }: LinearOptions = {},
  ) {
    super(inFeatures, outFeatures);
    this.weight = tied
      ? this.tie("weight", tied)
      : this.parameter("weight", new Parameter([outFeatures, inFeatures], { initializer }));
    this.bias = bias ? this.parameter("bias", new Parameter([outFeatures])) : null;
  }
}
