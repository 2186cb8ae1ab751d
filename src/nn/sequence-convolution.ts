import { add, addDims, concat, type Dim, matMul, pad, reshape, slice, type Tensor, transpose } from "../graph/index.js";
import { type Initializer, zeros } from "./init.js";
import { Module } from "./module.js";
import { Parameter } from "./parameter.js";
import type { Trace } from "./trace.js";

/**
 * A convolution along a sequence that keeps its length (PyTorch's Conv1d with padding (size - 1) / 2), as one product.
 * weight: [outFeatures, inFeatures, size]; bias: [outFeatures].
 */
export class SequenceConvolution extends Module {
  readonly weight: Parameter;
  readonly bias: Parameter;

  /** @param size of the kernel, odd */
  constructor(
    inFeatures: number,
    readonly outFeatures: number,
    readonly size: number,
    initializer: Initializer,
  ) {
    super();
    this.weight = this.parameter("weight", new Parameter([outFeatures, inFeatures, size], { initializer }));
    this.bias = this.parameter("bias", new Parameter([outFeatures], { initializer: zeros }));
  }

  /** x: [batch, sequence, inFeatures]; returns [batch, sequence, outFeatures]. */
  forward(trace: Trace, x: Tensor): Tensor {
    return this.scoped(() => {
      const { size, outFeatures } = this;
      const [, length, features] = x.shape as [Dim, Dim, number];
      const margin = (size - 1) / 2;
      const padded = margin > 0 ? pad(x, 1, margin, margin) : x;
      const shifted = Array.from({ length: size }, (_, at) => slice(padded, 1, at, addDims(length, at)));
      const kernel = reshape(transpose(trace.parameter(this.weight), [0, 2, 1]), [outFeatures, size * features]);
      return add(matMul(concat(shifted, 2), kernel, { transposeB: true }), trace.parameter(this.bias));
    });
  }
}
