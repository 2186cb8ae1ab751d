import { GraftError } from "../errors.js";
import type { Dim, Tensor } from "../graph/index.js";
import { type EmbeddingLike, type LinearLike, type Module, type Trace, Wrapper } from "../nn/index.js";
import type { Acting } from "./tuner.js";

/** A layer that computes one tensor from one. */
export type Layer = Module & LinearLike;

/** A wrapper around a layer that changes what it computes while its adapter acts. */
export abstract class TunerLayer<Base extends Layer = Layer> extends Wrapper<Base> implements LinearLike {
  constructor(
    base: Module,
    protected readonly acting: Acting,
  ) {
    super(base as Base);
  }

  get isActing(): boolean {
    return this.acting.isActing;
  }

  /** @throws GraftError `invalid-argument` for training a merged adapter, which would get no gradient */
  forward(trace: Trace, x: Tensor): Tensor {
    this.requireUnmerged(trace);
    return this.isActing ? this.adapted(trace, x) : this.base.forward(trace, x);
  }

  /** @throws GraftError `invalid-argument` for training a merged adapter, which would get no gradient */
  protected requireUnmerged(trace: Trace): void {
    const { isMerged, isTrainable } = this.acting;
    if (isMerged && isTrainable && trace.mode === "train") {
      throw new GraftError(
        "invalid-argument",
        `the adapter is merged into ${this.path}.weight, so it cannot be trained`,
        "Call unmergeAdapter first.",
      );
    }
  }

  /** What it computes while its adapter acts. */
  protected abstract adapted(trace: Trace, x: Tensor): Tensor;
}

/** A wrapper around an embedding table that changes what it gives while its adapter acts. */
export abstract class TunerEmbedding extends TunerLayer<Module & EmbeddingLike> implements EmbeddingLike {
  /** @throws GraftError `invalid-argument` as `forward` */
  firstRows(trace: Trace, count: Dim): Tensor {
    this.requireUnmerged(trace);
    return this.isActing ? this.adaptedFirstRows(trace, count) : this.base.firstRows(trace, count);
  }

  /** What it gives for the first rows while its adapter acts: [count, embeddingDim]. */
  protected abstract adaptedFirstRows(trace: Trace, count: Dim): Tensor;
}
