import { add, div, matMul, mul, reduceSum, reshape, sqrt, sub, type Tensor } from "../../../graph/index.js";
import { type Mode, type Module, normal, type Parameter, type Trace, zeros } from "../../../nn/index.js";
import { type AnyLinear, asStored } from "../../matching/linear-targets.js";
import type { Host, MergeStep } from "../../tuner.js";
import { TunerLayer } from "../../tuner-layer.js";
import type { AdaLoraConfig } from "./config.js";
import { identity } from "./identity.js";

/** PEFT's guard against ranks of zero, part of the scale. */
const RANK_EPSILON = 1e-5;

/** Frobenius norm of x - I, for x [r, r]. */
const distanceFromIdentity = (x: Tensor, r: number): Tensor => {
  const difference = sub(x, identity(r));
  return sqrt(reduceSum(mul(difference, difference)));
};

/** A Linear with singular triplets beside it: y = W x + b + scale * B (E * (A x)). */
export class AdaLoraLayer extends TunerLayer {
  /** [r, inFeatures] */
  readonly a: Parameter;
  /** [r, 1] */
  readonly e: Parameter;
  /** [outFeatures, r] */
  readonly b: Parameter;
  /** [] */
  private readonly scale: Parameter;
  /** [1]: the rank that the layer began with; what is taken away leaves the scale as it was. */
  private readonly ranknum: Parameter;

  /**
   * @param linear the layer that all wrappers stand around
   * @param r triplets; a trained adapter may have none left
   * @param regularisation factor on the distances of A and B from orthogonality in the loss
   */
  constructor(
    base: Module,
    host: Host,
    readonly linear: AnyLinear,
    readonly r: number,
    private readonly config: AdaLoraConfig,
    private readonly regularisation: number,
  ) {
    super(base, host.acting);
    const { inFeatures, outFeatures, path } = linear;
    const start = (usual: typeof zeros) => ({ initializer: config.initLoraWeights ? usual : normal(1) });
    this.a = host.parameter(`${path}.lora_A`, [r, inFeatures], start(normal(0.02)));
    this.b = host.parameter(`${path}.lora_B`, [outFeatures, r], start(normal(0.02)));
    this.e = host.parameter(`${path}.lora_E`, [r, 1], start(zeros));
    this.scale = host.parameter(`${path}.lora_scaling`, [], { isSetting: true });
    this.setScale(1);
    this.ranknum = host.parameter(`${path}.ranknum`, [1], { trainable: false, isSaved: false });
    this.ranknum.setData({ dtype: "float32", shape: [1], data: Float32Array.of(config.initR) });
  }

  /** A, E and B with their names in the adapter's file. */
  keyed(): [string, Parameter][] {
    const { path } = this.linear;
    return [
      [`${path}.lora_A`, this.a],
      [`${path}.lora_E`, this.e],
      [`${path}.lora_B`, this.b],
    ];
  }

  signature(mode: Mode): string {
    const dropout = mode === "train" ? this.config.loraDropout : 0;
    return `adalora:${this.r > 0}:${dropout}:${this.acting.isTrainable ? this.regularisation : 0}`;
  }

  /** Multiplies the scale that the config gives. */
  setScale(factor: number): void {
    const { loraAlpha, initR } = this.config;
    const usual = loraAlpha > 0 ? loraAlpha : initR;
    this.scale.setData({ dtype: "float32", shape: [], data: Float32Array.of(factor * usual) });
  }

  protected adapted(trace: Trace, x: Tensor): Tensor {
    const result = this.base.forward(trace, x);
    if (this.r === 0) return result;
    return this.scoped(() => {
      this.regularise(trace);
      const down = matMul(trace.dropout(x, this.config.loraDropout), trace.parameter(this.a), { transposeB: true });
      const scaled = mul(mul(down, this.values(trace)), this.scaling(trace));
      return add(result, matMul(scaled, trace.parameter(this.b), { transposeB: true }));
    });
  }

  /** W + scale * (B * E) A. */
  mergeSteps(): MergeStep[] {
    if (this.r === 0) return [];
    const write: MergeStep["write"] = (trace, weight) => {
      const left = mul(mul(trace.parameter(this.b), this.values(trace)), this.scaling(trace));
      return add(weight, asStored(this.linear, matMul(left, trace.parameter(this.a))));
    };
    return [{ parameter: this.linear.weight, write }];
  }

  /** E: [r]. */
  private values(trace: Trace): Tensor {
    return reshape(trace.parameter(this.e), [this.r]);
  }

  /** [1]. */
  private scaling(trace: Trace): Tensor {
    return div(trace.parameter(this.scale), add(trace.parameter(this.ranknum), RANK_EPSILON));
  }

  private regularise(trace: Trace): void {
    if (!this.acting.isTrainable || this.regularisation === 0 || trace.lossTerms.has(this)) return;
    const [a, b] = [trace.parameter(this.a), trace.parameter(this.b)];
    const rows = distanceFromIdentity(matMul(a, a, { transposeB: true }), this.r);
    const columns = distanceFromIdentity(matMul(b, b, { transposeA: true }), this.r);
    trace.lossTerms.set(this, mul(add(rows, columns), this.regularisation));
  }
}
