import { layerNorm, type Tensor } from "../graph/index.js";
import { ones, zeros } from "./init.js";
import { Module } from "./module.js";
import { Parameter } from "./parameter.js";
import type { Trace } from "./trace.js";

/** Layer normalisation over the last axis (Ba et al. 2016). weight and bias: [features]. */
export class LayerNorm extends Module {
  readonly weight: Parameter;
  readonly bias: Parameter;

  constructor(
    features: number,
    readonly epsilon: number,
  ) {
    super();
    this.weight = this.parameter("weight", new Parameter([features]));
    this.weight.initializer = ones;
    this.bias = this.parameter("bias", new Parameter([features]));
    this.bias.initializer = zeros;
  }

  /** x: [..., features]; returns the same shape. */
  forward(trace: Trace, x: Tensor): Tensor {
    return this.scoped(() => layerNorm(x, trace.parameter(this.weight), trace.parameter(this.bias), this.epsilon));
  }
}
