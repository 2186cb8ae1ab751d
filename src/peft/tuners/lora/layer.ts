import { GraftError } from "../../../errors.js";
import { add, matMul, mul, type Tensor } from "../../../graph/index.js";
import { type Linear, type LinearLike, Module, type Parameter, type Trace } from "../../../nn/index.js";
import type { LoraConfig } from "../../config/lora-config.js";
import { createMatrices, type LoraMatrices } from "./matrices.js";

/**
 * A Linear with LoRA beside it: y = W x + b + scale * B A dropout(x) (Hu et al. 2021, section 4.1).
 *
 * It stands at the Linear's own path in the module tree, and the Linear's parameters keep their names. It can hold
 * several adapters, of which at most one acts. The scale is a resident scalar: 0 switches the adapter off.
 */
export class LoraLinear extends Module implements LinearLike {
  private readonly adapters = new Map<string, LoraMatrices>();
  private active: string | null = null;
  private isMerged = false;

  constructor(readonly base: Linear) {
    super();
    this.path = base.path;
  }

  /** Adds an adapter whose matrices have no elements yet; it does not act before `activate`. */
  addAdapter(name: string, config: LoraConfig): void {
    this.adapters.set(name, createMatrices(this.path, this.base.inFeatures, this.base.outFeatures, config));
  }

  /** Gives an adapter's matrices the elements that they begin with; the same for the same seed. */
  initialize(name: string, seed: number): void {
    const matrices = this.adapters.get(name);
    matrices?.a.initialize(seed);
    matrices?.b.initialize(seed);
  }

  removeAdapter(name: string): void {
    this.adapters.delete(name);
    if (this.active === name) this.activate(null);
  }

  adapter(name: string): LoraMatrices | undefined {
    return this.adapters.get(name);
  }

  get adapterNames(): string[] {
    return [...this.adapters.keys()];
  }

  /** Lets one adapter act, at its own scale; null: none. An adapter that this layer lacks is none. */
  activate(name: string | null): void {
    const matrices = name === null ? undefined : this.adapters.get(name);
    this.active = matrices ? name : null;
    this.ownScalars.clear();
    if (matrices) this.setScaling(matrices.scaling);
  }

  /** Changes what B A is multiplied with, until the next `activate`. */
  setScaling(scaling: number): void {
    if (this.active !== null) this.ownScalars.set(this.scalingName, scaling);
  }

  /** The scale in force; 0 where no adapter acts. */
  get scaling(): number {
    return this.ownScalars.get(this.scalingName) ?? 0;
  }

  /** The matrices that act; undefined where no adapter does. */
  get activeMatrices(): LoraMatrices | undefined {
    return this.active === null ? undefined : this.adapters.get(this.active);
  }

  /** Whether the base weight's override holds the adapter, so that it must not be added again. */
  get merged(): boolean {
    return this.isMerged;
  }

  /** Computes with these elements ([outFeatures, inFeatures]) in the base weight's place, and without A and B. */
  merge(weight: Float32Array): void {
    this.base.weight.override = { dtype: "float32", shape: this.base.weight.shape, data: weight };
    this.isMerged = true;
  }

  /** Drops the merged weight: the base's own elements are in force again, to the bit. */
  unmerge(): void {
    this.base.weight.override = null;
    this.isMerged = false;
  }

  /**
   * x: [..., inFeatures]; returns [..., outFeatures].
   * @throws GraftError `invalid-argument` for training a merged adapter, which would get no gradient
   */
  forward(trace: Trace, x: Tensor): Tensor {
    const result = this.base.forward(trace, x);
    const matrices = this.activeMatrices;
    if (this.isMerged && trace.mode === "train" && matrices?.a.trainable) {
      throw new GraftError(
        "invalid-argument",
        `the adapter is merged into ${this.base.weight.name}, so it cannot be trained`,
        "Call unmergeAdapter first.",
      );
    }
    if (!matrices || this.isMerged) return result;
    return this.scoped(() => {
      const down = matMul(trace.dropout(x, matrices.dropout), trace.parameter(matrices.a), { transposeB: true });
      // Scaled here, where the tensor has only r columns.
      const scaled = mul(down, trace.scalar(this.scalingName));
      return add(result, matMul(scaled, trace.parameter(matrices.b), { transposeB: true }));
    });
  }

  override assignNames(path = ""): void {
    this.path = path;
    this.base.assignNames(path);
  }

  /** The base's parameters under their own names, then the acting adapter's. */
  override *parameters(): Generator<Parameter> {
    yield* this.base.parameters();
    const matrices = this.activeMatrices;
    if (matrices) yield* [matrices.a, matrices.b];
  }

  private get scalingName(): string {
    return `${this.path}.lora_scaling`;
  }
}
