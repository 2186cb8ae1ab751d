import { type Dim, gather, slice, type Tensor } from "../graph/index.js";
import { type Initializer, normal } from "./init.js";
import { Module } from "./module.js";
import { Parameter } from "./parameter.js";
import type { Trace } from "./trace.js";

/** Anything that stands where an Embedding stood: the table itself, or an adapter around it. */
export interface EmbeddingLike {
  /** ids: int32 [...], each below numEmbeddings; returns [..., embeddingDim]. */
  forward(trace: Trace, ids: Tensor): Tensor;
  /** The first rows, as positions 0, 1, ... of a sequence: [count, embeddingDim]. */
  firstRows(trace: Trace, count: Dim): Tensor;
}

/** A table of vectors. weight: [numEmbeddings, embeddingDim]. */
export class Embedding extends Module implements EmbeddingLike {
  readonly weight: Parameter;

  /**
   * @param initializer of the table; default N(0, 1)
   * @param paddingIndex a row that starts at zero and gets no gradient (PyTorch's padding_idx)
   */
  constructor(
    readonly numEmbeddings: number,
    readonly embeddingDim: number,
    initializer: Initializer = normal(1),
    readonly paddingIndex: number | null = null,
  ) {
    super();
    this.weight = this.parameter("weight", new Parameter([numEmbeddings, embeddingDim]));
    this.weight.initializer = (shape, random) => {
      const data = initializer(shape, random);
      if (paddingIndex !== null) data.fill(0, paddingIndex * embeddingDim, (paddingIndex + 1) * embeddingDim);
      return data;
    };
  }

  forward(trace: Trace, ids: Tensor): Tensor {
    return this.scoped(() => gather(trace.parameter(this.weight), ids, 0, this.paddingIndex));
  }

  firstRows(trace: Trace, count: Dim): Tensor {
    return this.scoped(() => slice(trace.parameter(this.weight), 0, 0, count));
  }
}
