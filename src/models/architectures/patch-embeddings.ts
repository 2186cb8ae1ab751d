import { reshape, slice, type Tensor, transpose } from "../../graph/index.js";
import { type LinearLike, Module, PatchProjection, type Trace, truncatedNormal } from "../../nn/index.js";

export interface PatchConfig {
  readonly hiddenSize: number;
  readonly numChannels: number;
  readonly imageSize: readonly [number, number];
  readonly patchSize: readonly [number, number];
  readonly initializerRange: number;
}

/** The first elements along an axis; the tensor itself where that is all. */
const firstOf = (x: Tensor, axis: number, count: number): Tensor =>
  x.shape[axis] === count ? x : slice(x, axis, 0, count);

/** Cuts an image into patches and projects each to a vector. */
export class PatchEmbeddings extends Module {
  readonly projection: LinearLike;
  private readonly rows: number;
  private readonly columns: number;

  constructor(readonly config: PatchConfig) {
    super();
    const { hiddenSize, numChannels, imageSize, patchSize, initializerRange } = config;
    this.rows = Math.floor(imageSize[0] / patchSize[0]);
    this.columns = Math.floor(imageSize[1] / patchSize[1]);
    this.projection = this.child(
      "projection",
      new PatchProjection(hiddenSize, [numChannels, ...patchSize], truncatedNormal(initializerRange)),
    );
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
