import { add, matMul, type Tensor } from "../graph/index.js";
import { type Initializer, kaimingUniform } from "./init.js";
import { Module } from "./module.js";
import { Parameter } from "./parameter.js";
import type { Trace } from "./trace.js";

/** Anything that stands where a Linear stood: the layer itself, or an adapter around it. */
export interface LinearLike {
  forward(trace: Trace, x: Tensor): Tensor;
}

export interface LinearOptions {
  /** Default true. */
  readonly bias?: boolean;
  /** Of the weight; the bias starts at zero. Default PyTorch's, kaimingUniform(sqrt(5)). */
  readonly initializer?: Initializer;
}

/** y = x W^T + b. weight: [outFeatures, inFeatures]; bias: [outFeatures] or none. */
export class Linear extends Module implements LinearLike {
  readonly weight: Parameter;
  readonly bias: Parameter | null;

  constructor(
    readonly inFeatures: number,
    readonly outFeatures: number,
    { bias = true, initializer = kaimingUniform(Math.sqrt(5)) }: LinearOptions = {},
  ) {
    super();
    this.weight = this.parameter("weight", new Parameter([outFeatures, inFeatures], { initializer }));
    this.bias = bias ? this.parameter("bias", new Parameter([outFeatures])) : null;
  }

  /** x: [..., inFeatures]; returns [..., outFeatures]. */
  forward(trace: Trace, x: Tensor): Tensor {
    return this.scoped(() => {
      const product = matMul(x, trace.parameter(this.weight), { transposeB: true });
      return this.bias ? add(product, trace.parameter(this.bias)) : product;
    });
  }
}
