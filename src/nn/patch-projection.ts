import type { Initializer } from "./init.js";
import { MatrixLayer } from "./matrix-layer.js";
import { Parameter } from "./parameter.js";

/**
 * A convolution whose stride is its kernel: one product of all patches with the kernel as a matrix. Takes patches
 * [batch, count, channels * height * width], and returns [batch, count, outFeatures].
 * weight: [outFeatures, channels, height, width]; bias: [outFeatures], zeros at first.
 */
export class PatchProjection extends MatrixLayer {
  readonly weight: Parameter;
  readonly bias: Parameter;

  constructor(
    outFeatures: number,
    readonly kernel: readonly [channels: number, height: number, width: number],
    initializer: Initializer,
  ) {
    super(kernel[0] * kernel[1] * kernel[2], outFeatures);
    this.weight = this.parameter("weight", new Parameter([outFeatures, ...kernel], { initializer }));
    this.bias = this.parameter("bias", new Parameter([outFeatures]));
  }
}
