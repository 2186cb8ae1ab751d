import { type Dim, gather, matMul, slice, type Tensor, transpose } from "../../../graph/index.js";
import { Embedding, innermost, type LinearLike, type Mode, type Module, type Trace } from "../../../nn/index.js";
import type { Acting } from "../../tuner.js";
import { TunerEmbedding, TunerLayer } from "../../tuner-layer.js";
import type { LowRank } from "./low-rank.js";

/** A layer with LoRA beside it: y = W x + b + scale * B A dropout(x) (Hu et al. 2021, section 4.1). */
export class LoraLayer extends TunerLayer {
  constructor(
    base: Module,
    acting: Acting,
    readonly lowRank: LowRank,
  ) {
    super(base, acting);
  }

  signature(mode: Mode): string {
    return this.lowRank.signature(mode);
  }

  protected adapted(trace: Trace, x: Tensor): Tensor {
    const result = this.base.forward(trace, x);
    return this.scoped(() => {
      const { lowRank } = this;
      const kept = trace.dropout(x, lowRank.dropout);
      const reduced = matMul(kept, lowRank.down(trace), { transposeB: true });
      const base = innermost(this) as Module & LinearLike;
      return lowRank.applied(trace, reduced, result, kept === x ? null : () => base.forward(trace, kept));
    });
  }
}

/** An embedding table with LoRA beside it: rows of W + scale * (B A)^T. Ids cannot be dropped, so there is no dropout. */
export class LoraEmbedding extends TunerEmbedding {
  constructor(
    base: Module,
    acting: Acting,
    readonly lowRank: LowRank,
  ) {
    super(base, acting);
  }

  signature(): string {
    return this.lowRank.signature("eval");
  }

  protected adapted(trace: Trace, ids: Tensor): Tensor {
    const result = this.base.forward(trace, ids);
    const table = innermost(this);
    const padding = table instanceof Embedding ? table.paddingIndex : null;
    return this.scoped(() => {
      const rows = transpose(this.lowRank.down(trace), [1, 0]);
      return this.lowRank.applied(trace, gather(rows, ids, 0, padding), result);
    });
  }

  protected adaptedFirstRows(trace: Trace, count: Dim): Tensor {
    const result = this.base.firstRows(trace, count);
    return this.scoped(() => {
      const columns = slice(this.lowRank.down(trace), 1, 0, count);
      return this.lowRank.applied(trace, transpose(columns, [1, 0]), result);
    });
  }
}
