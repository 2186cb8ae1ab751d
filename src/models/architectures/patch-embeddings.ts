import { reshape, slice, type Tensor, transpose } from "../../graph/index.js";
import { MatrixLayer, Module, Parameter, type Trace, truncatedNormal, zeros } from "../../nn/index.js";

export interface PatchConfig {
  readonly hiddenSize: number;
  readonly numChannels: number;
  readonly imageSize: readonly [number, number];
  readonly patchSize: readonly [number, number];
  readonly initializerRange: number;
}

/**
 * The convolution whose stride is its kernel: one product of all patches with the kernel as a matrix.
 * Takes patches [batch, count, channels * height * width], and returns [batch, count, hiddenSize].
 */
class PatchProjection extends MatrixLayer {
  readonly weight: Parameter;
  readonly bias: Parameter;

  constructor({ hiddenSize, numChannels, patchSize, initializerRange }: PatchConfig) {
    super(numChannels * patchSize[0] * patchSize[1], hiddenSize);
    this.weight = this.parameter("weight", new Parameter([hiddenSize, numChannels, ...patchSize]));
    this.weight.initializer = truncatedNormal(initializerRange);
    this.bias = this.parameter("bias", new Parameter([hiddenSize]));
    this.bias.initializer = zeros;
  }
}

/** The first elements along an axis; the tensor itself where that is all. */
const firstOf = (x: Tensor, axis: number, count: number): Tensor =>
  x.shape[axis] === count ? x : slice(x, axis, 0, count);

/** Cuts an image into patches and projects each to a vector. */
export class PatchEmbeddings extends Module {
  readonly projection: PatchProjection;
  private readonly rows: number;
  private readonly columns: number;

  constructor(readonly config: PatchConfig) {
    super();
    const { imageSize, patchSize } = config;
    this.rows = Math.floor(imageSize[0] / patchSize[0]);
    this.columns = Math.floor(imageSize[1] / patchSize[1]);
    this.projection = this.child("projection", new PatchProjection(config));
  }

  /** Patches of an image. */
  get count(): number {
    return this.rows * this.columns;
  }

  /** pixelValues: [batch, channels, height, width]; returns [batch, count, hiddenSize]. */
  forward(trace: Trace, pixelValues: Tensor): Tensor {
    return this.scoped(() => {
      const { numChannels, patchSize } = this.config;
      const [height, width] = patchSize;
      const batch = pixelValues.shape[0] ?? 1;
      // Pixels beyond the last whole patch take no part, as in a convolution without padding.
      const rows = firstOf(pixelValues, 2, this.rows * height);
      const used = firstOf(rows, 3, this.columns * width);
      const grid = reshape(used, [batch, numChannels, this.rows, height, this.columns, width]);
      const patches = transpose(grid, [0, 2, 4, 1, 3, 5]);
      return this.projection.forward(trace, reshape(patches, [batch, this.count, numChannels * height * width]));
    });
  }
}
