import { add, matMul, reshape, type Tensor } from "../graph/index.js";
import { Module } from "./module.js";
import type { Parameter } from "./parameter.js";
import type { Trace } from "./trace.js";

/** Anything that stands where a layer of one matrix stood: the layer itself, or an adapter around it. */
export interface LinearLike {
  forward(trace: Trace, x: Tensor): Tensor;
}

/**
 * A layer that is one product with its weight, whatever the weight's shape: y = x W^T + b with W as a matrix
 * [outFeatures, inFeatures].
 */
export abstract class MatrixLayer extends Module implements LinearLike {
  abstract readonly weight: Parameter;
  abstract readonly bias: Parameter | null;

  constructor(
    readonly inFeatures: number,
    readonly outFeatures: number,
  ) {
    super();
  }

  /** x: [..., inFeatures]; returns [..., outFeatures]. */
  forward(trace: Trace, x: Tensor): Tensor {
    return this.scoped(() => {
      const weight = trace.parameter(this.weight);
      const matrix = weight.shape.length === 2 ? weight : reshape(weight, [this.outFeatures, this.inFeatures]);
      const product = matMul(x, matrix, { transposeB: true });
      return this.bias ? add(product, trace.parameter(this.bias)) : product;
    });
  }
}
