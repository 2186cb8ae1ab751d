import { add, cast, div, matMul, maximum, mul, reduceMean, reshape, type Tensor } from "../../../graph/index.js";
import type { MatrixLayer, Mode, Module, Parameter, Trace } from "../../../nn/index.js";
import type { Host, Injection, MergeStep } from "../../tuner.js";
import { TunerLayer } from "../../tuner-layer.js";
import type { LycorisPlace } from "./options.js";

/** y = W x + b + scale * U x, where U is made from factors: LoHa's and LoKr's layers. */
export abstract class LycorisLayer extends TunerLayer {
  /** [] */
  private readonly scale: Parameter;

  /** @param matrix the layer that all wrappers stand around */
  constructor(
    base: Module,
    host: Host,
    protected readonly matrix: MatrixLayer,
    protected readonly place: LycorisPlace,
    /** Whether dropped rows are made up for by the others. */
    private readonly rescalesRows: boolean,
  ) {
    super(base, host.acting);
    this.scale = host.parameter(`${matrix.path}.scaling`, [], { isSetting: true });
    this.setScale(1);
  }

  /** Texts that differ where the factors' shapes do. */
  protected abstract readonly form: string;

  /** U: [outFeatures, inFeatures]. */
  protected abstract update(trace: Trace): Tensor;

  signature(mode: Mode): string {
    const { rankDropout, moduleDropout } = this.place;
    return mode === "train" ? `${this.form}:${rankDropout}:${moduleDropout}:${this.rescalesRows}` : this.form;
  }

  /** Multiplies the scale that the config gives. */
  setScale(factor: number): void {
    this.scale.setData({ dtype: "float32", shape: [], data: Float32Array.of(factor * this.place.scaling) });
  }

  protected adapted(trace: Trace, x: Tensor): Tensor {
    const result = this.base.forward(trace, x);
    return this.scoped(() => {
      const update = this.dropped(trace, mul(this.update(trace), trace.parameter(this.scale)));
      return add(result, matMul(x, update, { transposeB: true }));
    });
  }

  /** W + scale * U. */
  mergeStep(): MergeStep {
    const { weight } = this.matrix;
    return {
      parameter: weight,
      write: (trace, elements) =>
        add(elements, reshape(mul(this.update(trace), trace.parameter(this.scale)), weight.shape)),
    };
  }

  /** In training: without the rows that are dropped, or without all of it. */
  private dropped(trace: Trace, update: Tensor): Tensor {
    if (trace.mode === "eval") return update;
    const { rankDropout, moduleDropout } = this.place;
    const { outFeatures } = this.matrix;
    let left = update;
    if (rankDropout > 0) {
      const rows = cast(trace.randomMask([outFeatures, 1], 1 - rankDropout), "float32");
      // Of no row at all nothing can be made up: the floor lies below the share of a single one.
      const share = maximum(reduceMean(rows), 0.5 / outFeatures);
      left = mul(left, this.rescalesRows ? div(rows, share) : rows);
    }
    if (moduleDropout > 0) left = mul(left, cast(trace.randomMask([1, 1], 1 - moduleDropout), "float32"));
    return left;
  }
}

/** What a method made of layers like these. */
export function injectionOf(layers: readonly LycorisLayer[]): Injection {
  return {
    targets: layers.map(({ path }) => path),
    merge: layers.map((layer) => layer.mergeStep()),
    setScale: (factor) => {
      for (const layer of layers) layer.setScale(factor);
    },
  };
}
