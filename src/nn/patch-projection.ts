import { add, matMul, reshape, type Tensor } from "../graph/index.js";
import type { Initializer } from "./init.js";
import type { LinearLike } from "./linear.js";
import { Module } from "./module.js";
import { Parameter } from "./parameter.js";
import type { Trace } from "./trace.js";

/**
 * A convolution whose stride is its kernel, as one product of all patches with the kernel as a matrix.
 * weight: [outFeatures, channels, height, width]; bias: [outFeatures].
 */
export class PatchProjection extends Module implements LinearLike {
  readonly weight: Parameter;
  readonly bias: Parameter;
  /** channels * height * width */
  readonly inFeatures: number;

  constructor(
    readonly outFeatures: number,
    readonly kernel: readonly [channels: number, height: number, width: number],
    initializer: Initializer,
  ) {
    super();
    this.inFeatures = kernel[0] * kernel[1] * kernel[2];
    this.weight = this.parameter("weight", new Parameter([outFeatures, ...kernel], { initializer }));
    this.bias = this.parameter("bias", new Parameter([outFeatures]));
  }

  /** patches: [batch, count, inFeatures]; returns [batch, count, outFeatures]. */
  forward(trace: Trace, patches: Tensor): Tensor {
    return this.scoped(() => {
      const matrix = reshape(trace.parameter(this.weight), [this.outFeatures, this.inFeatures]);
      return add(matMul(patches, matrix, { transposeB: true }), trace.parameter(this.bias));
    });
  }
}
