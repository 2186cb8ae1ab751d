import { GraftError } from "../../errors.js";
import { add, type Dim, matMul, mul, reshape, type Tensor, transpose } from "../../graph/index.js";
import { Module, type Parameter, type Trace, uniform, zeros } from "../../nn/index.js";
import { linearDefault } from "./linear.js";
import {
  checkSizes,
  type Float32Tensor,
  LoRALayer,
  type LoRALayerOptions,
  type Prepared,
  tensorOf,
} from "./lora-layer.js";
import { scaledProduct } from "./matrices.js";
import { patchesOf, placesAlong, type Sliding } from "./patches.js";

export interface Conv2dOptions extends LoRALayerOptions {
  /** Probability of dropping; loralib takes it and drops nothing, and so does Graft. Default 0. */
  readonly loraDropout?: number;
  /** Default 1. */
  readonly stride?: number;
  /** Zeros around the picture. Default 0. */
  readonly padding?: number;
  /** Default 1. */
  readonly dilation?: number;
  /** Default true. */
  readonly bias?: boolean;
}

const known = ["loraDropout", "stride", "padding", "dilation", "bias"];

/** The convolution below the update. */
class Conv extends Module {
  readonly weight: Parameter;
  readonly bias: Parameter | null;

  constructor(weight: Parameter, bias: Parameter | null) {
    super();
    this.weight = this.parameter("weight", weight);
    this.bias = bias && this.parameter("bias", bias);
  }
}

/**
 * `lora.Conv2d` for inference: a convolution with the kernel W + loraAlpha / r * (B A in W's shape), computed as the
 * product of all patches with the kernel as a matrix. `gradients` has those of parameters.
 */
export class Conv2d extends LoRALayer {
  /** weight [outChannels, inChannels, kernelSize, kernelSize], frozen where r > 0; bias [outChannels] or none. */
  readonly conv: Conv;
  /** [r * kernelSize, inChannels * kernelSize] or none. */
  readonly loraA: Parameter | null = null;
  /** [outChannels * kernelSize, r * kernelSize] or none. */
  readonly loraB: Parameter | null = null;
  protected readonly input: readonly Dim[];
  private readonly sliding: Sliding;

  /**
   * @param inChannels, outChannels, kernelSize whole numbers from 1; kernels are square
   * @throws GraftError `invalid-config` for sizes and options out of range, `unsupported` for unknown options (`groups`)
   */
  constructor(
    readonly inChannels: number,
    readonly outChannels: number,
    readonly kernelSize: number,
    { loraDropout = 0, stride = 1, padding = 0, dilation = 1, bias = true, ...options }: Conv2dOptions = {},
  ) {
    const what = `a convolution from ${inChannels} to ${outChannels} channels with a kernel of ${kernelSize}`;
    checkSizes(what, [inChannels, outChannels, kernelSize]);
    checkSizes(`${what}, stride ${stride}, padding ${padding}, dilation ${dilation}`, [stride, padding + 1, dilation]);
    super(options, loraDropout, known);
    const { r } = this;
    this.sliding = { kernelSize, stride, padding, dilation };
    this.input = ["batch", "places", this.features];
    const shape = [outChannels, inChannels, kernelSize, kernelSize];
    const bound = 1 / Math.sqrt(this.features);
    this.conv = this.child(
      "conv",
      new Conv(
        this.made("weight", shape, linearDefault),
        bias ? this.made("bias", [outChannels], uniform(-bound, bound)) : null,
      ),
    );
    if (r === 0) return;
    this.loraA = this.parameter(
      "lora_A",
      this.made("lora_A", [r * kernelSize, inChannels * kernelSize], linearDefault),
    );
    this.loraB = this.parameter("lora_B", this.made("lora_B", [outChannels * kernelSize, r * kernelSize], zeros));
    this.conv.weight.trainable = false;
  }

  protected get frozen(): Parameter {
    return this.conv.weight;
  }

  protected get hasUpdate(): boolean {
    return this.r > 0;
  }

  protected override get passesGradient(): boolean {
    return false;
  }

  /** Elements of a patch. */
  private get features(): number {
    return this.inChannels * this.kernelSize ** 2;
  }

  protected update(): Float32Array {
    const [a, b] = [tensorOf(this.loraA as Parameter), tensorOf(this.loraB as Parameter)];
    return scaledProduct(b.data, a.data, this.r * this.kernelSize, this.scaling);
  }

  protected prepare({ data, shape }: Float32Tensor): Prepared {
    const [batch = 0, channels = 0, height = 0, width = 0] = shape;
    const [down, across] = [placesAlong(height, this.sliding), placesAlong(width, this.sliding)];
    if (shape.length !== 4 || channels !== this.inChannels || down < 1 || across < 1) {
      throw new GraftError(
        "shape-mismatch",
        `the input is [${shape}], for ${this.inChannels} channels and a kernel of ${this.kernelSize}`,
        "Give pictures [batch, channels, height, width] that the kernel fits in.",
      );
    }
    const patches = patchesOf(data, [batch, channels, height, width], this.sliding);
    return {
      x: { dtype: "float32", shape: [batch, down * across, this.features], data: patches },
      flat: [batch, this.outChannels, down * across],
      shape: [batch, this.outChannels, down, across],
    };
  }

  protected write(_trace: Trace, x: Tensor, hasUpdate: boolean, read: (name: string) => Tensor): Tensor {
    const asMatrix = (kernel: Tensor): Tensor => reshape(kernel, [this.outChannels, this.features]);
    const weight = asMatrix(read("conv.weight"));
    const update = (): Tensor => mul(asMatrix(matMul(read("lora_B"), read("lora_A"))), this.scaling);
    const product = matMul(x, hasUpdate ? add(weight, update()) : weight, { transposeB: true });
    return transpose(this.conv.bias ? add(product, read("conv.bias")) : product, [0, 2, 1]);
  }
}
