import { add, matMul, mul, reshape, type Tensor } from "../../../graph/index.js";
import { type Mode, type Parameter, type Trace, uniform, zeros } from "../../../nn/index.js";
import type { Host, MergeStep } from "../../tuner.js";
import type { LoraConfig } from "./config.js";
import { dora } from "./dora.js";
import { initialFactors } from "./initial/index.js";
import type { InitialFactors } from "./initial/types.js";
import { type LoraFactors, type LoraVariant, plain } from "./variant.js";
import type { WeightMatrix } from "./weight-matrix.js";

/**
 * The low-rank update of one weight: scale * B A, and a bias beside B where the config asks for one.
 *
 * The rank is a named dimension and the scale a slot, so that adapters of any rank and scale run in one program.
 */
export class LowRank {
  /** [r, inFeatures], in the layout that the layer's kind has in files. */
  readonly a: Parameter;
  /** [outFeatures, r], likewise. */
  readonly b: Parameter;
  /** [outFeatures] */
  readonly bias: Parameter | null;
  /** [] */
  readonly scale: Parameter;
  readonly dropout: number;
  /** How A and B began. */
  readonly initial: InitialFactors;
  private readonly variant: LoraVariant;
  private readonly extra: Readonly<Record<string, Parameter>>;

  constructor(
    host: Host,
    readonly matrix: WeightMatrix,
    readonly at: { readonly r: number; readonly scaling: number },
    config: LoraConfig,
  ) {
    const { path, layout, outFeatures, weight } = matrix;
    const { r, scaling } = at;
    const initial = initialFactors(host, matrix, at, config);
    this.initial = initial;
    const named = (shape: (rank: number) => readonly number[], axis: number) => (slot: string) =>
      shape(r).map((size, position) => (position === axis ? `rank(${path})${slot}` : size));
    this.dropout = config.loraDropout;
    this.a = host.parameter(`${path}.${layout.a}`, layout.aShape(r), {
      symbolicShape: named(layout.aShape, 0),
      ...initial.a,
    });
    this.b = host.parameter(`${path}.${layout.b}`, layout.bShape(r), {
      symbolicShape: named(layout.bShape, 1),
      ...initial.b,
    });
    const beginning = config.initLoraWeights === false ? uniform(-1 / Math.sqrt(r), 1 / Math.sqrt(r)) : zeros;
    this.bias = config.loraBias
      ? host.parameter(`${path}.lora_B.bias`, [outFeatures], { initializer: beginning })
      : null;
    this.scale = host.parameter(`${path}.lora_scaling`, [], { isSetting: true });
    this.scale.setData({ dtype: "float32", shape: [], data: Float32Array.of(scaling) });
    if (initial.residual) host.adjust(weight, initial.residual);
    this.variant = config.useDora ? dora : plain;
    this.extra = this.variant.parameters(host, this);
  }

  /** What the graph depends on besides parameters. */
  signature(mode: Mode): string {
    const { name } = this.variant;
    const form = this.bias ? `${name}+bias` : name;
    return mode === "train" ? `${form}:${this.dropout}` : form;
  }

  /** Multiplies the scale that the config gives. */
  setScale(factor: number): void {
    const data = Float32Array.of(factor * this.at.scaling);
    this.scale.setData({ dtype: "float32", shape: [], data });
  }

  /** A: [r, inFeatures]. */
  down(trace: Trace): Tensor {
    const a = trace.parameter(this.a);
    return a.shape.length === 2 ? a : reshape(a, [a.shape[0] ?? 1, this.matrix.inFeatures]);
  }

  /** B: [outFeatures, r]. */
  up(trace: Trace): Tensor {
    const b = trace.parameter(this.b);
    return b.shape.length === 2 ? b : reshape(b, [this.matrix.outFeatures, b.shape[1] ?? 1]);
  }

  /**
   * The base's output with the update in it.
   * @param reduced A x: [..., r]
   * @param result [..., outFeatures]
   * @param dropped writes what the base gives for the dropped x; null where nothing is dropped
   */
  applied(trace: Trace, reduced: Tensor, result: Tensor, dropped: (() => Tensor) | null = null): Tensor {
    // Scaled here, where the tensor has only r columns.
    const scaled = mul(reduced, trace.parameter(this.scale));
    const product = matMul(scaled, this.up(trace), { transposeB: true });
    const update = this.bias ? add(product, this.scaledBias(trace, this.bias)) : product;
    return this.variant.forward(trace, { ...this.factors, result, update, dropped });
  }

  /** scale * B A: [outFeatures, inFeatures]. */
  weightUpdate(trace: Trace): Tensor {
    return mul(matMul(this.up(trace), this.down(trace)), trace.parameter(this.scale));
  }

  /** Why it cannot be merged; null where it can. */
  get refusal(): string | null {
    if (this.bias === null || this.matrix.bias !== null) return null;
    return `${this.matrix.path} has no bias that the trained one could be added to`;
  }

  /** W + scale * B A, or what the variant makes of it, and the bias. */
  mergeSteps(): MergeStep[] {
    const { weight, bias, toMatrix, toWeight } = this.matrix;
    const own = this.bias;
    const weightStep: MergeStep = {
      parameter: weight,
      write: (trace, elements) =>
        toWeight(
          this.variant.merge(trace, {
            ...this.factors,
            weight: toMatrix(elements),
            update: this.weightUpdate(trace),
          }),
        ),
    };
    if (own === null || bias === null) return [weightStep];
    return [weightStep, { parameter: bias, write: (trace, elements) => add(elements, this.scaledBias(trace, own)) }];
  }

  private scaledBias(trace: Trace, bias: Parameter): Tensor {
    return mul(trace.parameter(bias), trace.parameter(this.scale));
  }

  private get factors(): LoraFactors {
    return { layer: this, extra: this.extra };
  }
}
