import { GraftError } from "../errors.js";
import type { Tensor } from "../graph/index.js";
import { type LinearLike, type Module, type Trace, Wrapper } from "../nn/index.js";
import type { Acting } from "./tuner.js";

/** A layer that computes one tensor from one. */
export type Layer = Module & LinearLike;

/** A wrapper around a layer that changes what it computes while its adapter acts. */
export abstract class TunerLayer extends Wrapper<Layer> implements LinearLike {
  constructor(
    base: Module,
    protected readonly acting: Acting,
  ) {
    super(base as Layer);
  }

  get isActing(): boolean {
    return this.acting.isActing;
  }

  /** @throws GraftError `invalid-argument` for training a merged adapter, which would get no gradient */
  forward(trace: Trace, x: Tensor): Tensor {
    const { isActing, isMerged, isTrainable } = this.acting;
    if (isMerged && isTrainable && trace.mode === "train") {
      throw new GraftError(
        "invalid-argument",
        `the adapter is merged into ${this.path}.weight, so it cannot be trained`,
        "Call unmergeAdapter first.",
      );
    }
    return isActing ? this.adapted(trace, x) : this.base.forward(trace, x);
  }

  /** What it computes while its adapter acts. */
  protected abstract adapted(trace: Trace, x: Tensor): Tensor;
}
