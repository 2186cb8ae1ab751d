import { add, matMul, type Tensor } from "../graph/index.js";
import { type Initializer, normal } from "./init.js";
import type { LinearLike } from "./matrix-layer.js";
import { Module } from "./module.js";
import { Parameter } from "./parameter.js";
import type { Trace } from "./trace.js";

/** transformers' Conv1D, a linear layer that stores its weight the other way: y = x W + b. weight: [inFeatures, outFeatures]. */
export class Conv1D extends Module implements LinearLike {
  readonly weight: Parameter;
  readonly bias: Parameter;

  constructor(
    readonly inFeatures: number,
    readonly outFeatures: number,
    initializer: Initializer = normal(0.02),
  ) {
    super();
    this.weight = this.parameter("weight", new Parameter([inFeatures, outFeatures], { initializer }));
    this.bias = this.parameter("bias", new Parameter([outFeatures]));
  }

  /** x: [..., inFeatures]; returns [..., outFeatures]. */
  forward(trace: Trace, x: Tensor): Tensor {
    return this.scoped(() => add(matMul(x, trace.parameter(this.weight)), trace.parameter(this.bias)));
  }
}
