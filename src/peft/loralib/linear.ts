import { add, type Dim, matMul, mul, type Tensor } from "../../graph/index.js";
import { kaimingUniform, type Parameter, type Trace, uniform, zeros } from "../../nn/index.js";
import { elementCount } from "../../tensor-data.js";
import {
  checkSizes,
  type Float32Tensor,
  LoRALayer,
  type LoRALayerOptions,
  type Prepared,
  tensorOf,
} from "./lora-layer.js";
import { scaledProduct, transposed } from "./matrices.js";

export interface LinearOptions extends LoRALayerOptions {
  /** Probability that an input of the update is dropped in training. Default 0. */
  readonly loraDropout?: number;
  /** Whether the weight is stored as [inFeatures, outFeatures]. Default false. */
  readonly fanInFanOut?: boolean;
  /** Default true. */
  readonly bias?: boolean;
}

const known = ["loraDropout", "fanInFanOut", "bias"];

/** PyTorch's default for weights of linear layers, which loralib keeps for A. */
export const linearDefault = kaimingUniform(Math.sqrt(5));

/** A linear layer whose weight an update belongs to, whichever form that has. */
export abstract class LinearLayer extends LoRALayer {
  /** [outFeatures, inFeatures], or the transpose with `fanInFanOut`; frozen where there is an update. */
  readonly weight: Parameter;
  /** [outFeatures] or none. */
  readonly bias: Parameter | null;
  readonly fanInFanOut: boolean;
  protected readonly input: readonly Dim[];

  protected constructor(
    readonly inFeatures: number,
    readonly outFeatures: number,
    { loraDropout = 0, fanInFanOut = false, bias = true, ...others }: LinearOptions,
    more: readonly string[],
  ) {
    checkSizes(`a linear layer from ${inFeatures} to ${outFeatures} features`, [inFeatures, outFeatures]);
    super(others, loraDropout, [...known, ...more]);
    this.fanInFanOut = fanInFanOut;
    this.input = ["rows", inFeatures];
    this.weight = this.parameter(
      "weight",
      this.made("weight", this.laidOutShape, (_shape, random) =>
        this.laidOut(linearDefault([outFeatures, inFeatures], random)),
      ),
    );
    const bound = 1 / Math.sqrt(inFeatures);
    this.bias = bias ? this.parameter("bias", this.made("bias", [outFeatures], uniform(-bound, bound))) : null;
  }

  protected get frozen(): Parameter {
    return this.weight;
  }

  protected prepare({ data, shape }: Float32Tensor): Prepared {
    const rows = elementCount(shape.slice(0, -1));
    return {
      x: { dtype: "float32", shape: [rows, shape.at(-1) ?? 1], data },
      flat: [rows, this.outFeatures],
      shape: [...shape.slice(0, -1), this.outFeatures],
    };
  }

  protected write(trace: Trace, x: Tensor, hasUpdate: boolean, read: (name: string) => Tensor): Tensor {
    const product = matMul(x, read("weight"), { transposeB: !this.fanInFanOut });
    const result = this.bias ? add(product, read("bias")) : product;
    if (!hasUpdate) return result;
    return add(result, mul(this.writeUpdate(trace.dropout(x, this.loraDropout), read), this.scaling));
  }

  /** B A x: [rows, outFeatures]. */
  protected abstract writeUpdate(x: Tensor, read: (name: string) => Tensor): Tensor;

  /** [outFeatures, inFeatures] as the weight is stored. */
  protected laidOut(matrix: Float32Array): Float32Array {
    return this.fanInFanOut ? transposed(matrix, this.outFeatures, this.inFeatures) : matrix;
  }

  private get laidOutShape(): readonly number[] {
    return this.fanInFanOut ? [this.inFeatures, this.outFeatures] : [this.outFeatures, this.inFeatures];
  }
}

/** `lora.Linear`: y = W x + b + loraAlpha / r * B A dropout(x). */
export class Linear extends LinearLayer {
  /** [r, inFeatures] or none. */
  readonly loraA: Parameter | null = null;
  /** [outFeatures, r] or none. */
  readonly loraB: Parameter | null = null;

  /**
   * @param inFeatures, outFeatures whole numbers from 1
   * @throws GraftError `invalid-config` for sizes and options out of range, `unsupported` for unknown options
   */
  constructor(inFeatures: number, outFeatures: number, options: LinearOptions = {}) {
    super(inFeatures, outFeatures, options, []);
    if (this.r === 0) return;
    this.loraA = this.parameter("lora_A", this.made("lora_A", [this.r, inFeatures], linearDefault));
    this.loraB = this.parameter("lora_B", this.made("lora_B", [outFeatures, this.r], zeros));
    this.weight.trainable = false;
  }

  protected get hasUpdate(): boolean {
    return this.r > 0;
  }

  protected update(): Float32Array {
    const [a, b] = [tensorOf(this.loraA as Parameter), tensorOf(this.loraB as Parameter)];
    return this.laidOut(scaledProduct(b.data, a.data, this.r, this.scaling));
  }

  protected writeUpdate(x: Tensor, read: (name: string) => Tensor): Tensor {
    const down = matMul(x, read("lora_A"), { transposeB: true });
    return matMul(down, read("lora_B"), { transposeB: true });
  }
}
