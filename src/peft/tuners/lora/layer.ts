import { add, matMul, mul, type Tensor } from "../../../graph/index.js";
import {
  kaimingUniform,
  type Linear,
  type Mode,
  type Module,
  normal,
  type Parameter,
  type Trace,
  zeros,
} from "../../../nn/index.js";
import type { Host, MergeStep } from "../../tuner.js";
import { TunerLayer } from "../../tuner-layer.js";
import type { LoraConfig } from "./config.js";
import { dora } from "./dora.js";
import type { LoraFactors, LoraVariant } from "./variant.js";

/** The plain form: y + s B A x. */
const plain: LoraVariant = {
  name: "plain",
  parameters: () => ({}),
  forward: (_trace, { result, update }) => add(result, update),
  merge: (_trace, { weight, update }) => add(weight, update),
};

const variantOf = (config: LoraConfig): LoraVariant => (config.useDora ? dora : plain);

/** PyTorch's default for a linear layer, which PEFT keeps for A: uniform in +-1/sqrt(inFeatures). */
const linearDefault = kaimingUniform(Math.sqrt(5));

/**
 * A Linear with LoRA beside it: y = W x + b + scale * B A dropout(x) (Hu et al. 2021, section 4.1).
 *
 * The rank is a named dimension and the scale a slot, so that adapters of any rank and scale run in one program.
 */
export class LoraLayer extends TunerLayer {
  /** [r, inFeatures] */
  readonly a: Parameter;
  /** [outFeatures, r] */
  readonly b: Parameter;
  /** [] */
  private readonly scale: Parameter;
  private readonly variant: LoraVariant;
  private readonly extra: Readonly<Record<string, Parameter>>;
  private readonly dropout: number;

  /** @param linear the layer that all wrappers stand around */
  constructor(
    base: Module,
    host: Host,
    readonly linear: Linear,
    private readonly at: { readonly r: number; readonly scaling: number },
    config: LoraConfig,
  ) {
    super(base, host.acting);
    const { inFeatures, outFeatures, path } = linear;
    const { r } = at;
    const rank = (slot: string): string => `rank(${path})${slot}`;
    const initA = config.initLoraWeights === "gaussian" ? normal(1 / r) : linearDefault;
    const initB = config.initLoraWeights === false ? linearDefault : zeros;
    this.dropout = config.loraDropout;
    this.a = host.parameter(`${path}.lora_A.weight`, [r, inFeatures], {
      symbolicShape: (slot) => [rank(slot), inFeatures],
      initializer: initA,
    });
    this.b = host.parameter(`${path}.lora_B.weight`, [outFeatures, r], {
      symbolicShape: (slot) => [outFeatures, rank(slot)],
      initializer: initB,
    });
    this.scale = host.parameter(`${path}.lora_scaling`, [], { isSetting: true });
    this.setScale(1);
    this.variant = variantOf(config);
    this.extra = this.variant.parameters(host, this);
  }

  signature(mode: Mode): string {
    return mode === "train" ? `${this.variant.name}:${this.dropout}` : this.variant.name;
  }

  /** Multiplies the scale that the config gives. */
  setScale(factor: number): void {
    this.scale.setData({ dtype: "float32", shape: [], data: Float32Array.of(factor * this.at.scaling) });
  }

  protected adapted(trace: Trace, x: Tensor): Tensor {
    const result = this.base.forward(trace, x);
    return this.scoped(() => {
      const down = matMul(trace.dropout(x, this.dropout), trace.parameter(this.a), { transposeB: true });
      // Scaled here, where the tensor has only r columns.
      const scaled = mul(down, trace.parameter(this.scale));
      const update = matMul(scaled, trace.parameter(this.b), { transposeB: true });
      return this.variant.forward(trace, { ...this.factors, x, result, update });
    });
  }

  /** W + scale * B A, or what the variant makes of it. */
  mergeStep(): MergeStep {
    return {
      parameter: this.linear.weight,
      write: (trace, weight) =>
        this.variant.merge(trace, { ...this.factors, weight, update: this.weightUpdate(trace) }),
    };
  }

  /** scale * B A: [outFeatures, inFeatures]. */
  weightUpdate(trace: Trace): Tensor {
    const product = matMul(trace.parameter(this.b), trace.parameter(this.a));
    return mul(product, trace.parameter(this.scale));
  }

  private get factors(): LoraFactors {
    return { layer: this, extra: this.extra };
  }
}
