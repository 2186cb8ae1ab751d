import { GraftError } from "../errors.js";
import type { Dim } from "../graph/index.js";
import { elementCount, type TensorData } from "../tensor-data.js";
import { type Initializer, parameterRandom, zeros } from "./init.js";

/** Where a parameter's elements are. "shape": nowhere, enough for counts and estimates. */
export type ParameterSource =
  | { readonly kind: "shape" }
  | { readonly kind: "memory"; readonly data: TensorData }
  /**
   * float32 elements in a file: `path` is real (no symlink), `offset` in bytes from its start, `version` the file's when
   * the offset was read.
   */
  | {
      readonly kind: "file";
      readonly path: string;
      readonly offset: number;
      readonly byteLength: number;
      readonly version: string;
    };

/** A weight of a module: shape, source of its elements, and whether it is trained. All parameters are float32 in graphs. */
export class Parameter {
  /** Full path in the module tree, e.g. `bert.encoder.layer.0.attention.self.query.weight`; set when the tree is named. */
  name = "";
  trainable = true;
  source: ParameterSource = { kind: "shape" };
  /** Elements that stand in for the source's while an adapter is merged; dropping them restores the source to the bit. */
  override: TensorData<"float32"> | null = null;
  /** How a new parameter begins, where no checkpoint has its elements. */
  initializer: Initializer = zeros;

  /**
   * @param shape sizes, as in the checkpoint
   * @param symbolicShape the shape in graphs where it has named dimensions (LoRA's rank); `shape` by default
   */
  constructor(
    readonly shape: readonly number[],
    readonly symbolicShape: readonly Dim[] = shape,
  ) {}

  get elementCount(): number {
    return elementCount(this.shape);
  }

  /**
   * Gives the parameter new elements in memory.
   * @throws GraftError `shape-mismatch`
   */
  setData(data: TensorData<"float32">): void {
    if (data.shape.join() !== this.shape.join()) {
      throw new GraftError(
        "shape-mismatch",
        `parameter ${this.name} has shape [${this.shape}], the new elements [${data.shape}]`,
        "Give a tensor of the parameter's own shape.",
      );
    }
    this.source = { kind: "memory", data };
  }

  /** Elements by the parameter's own initialiser; the same for the same seed and name. */
  initialize(seed: number): void {
    const data = this.initializer(this.shape, parameterRandom(seed, this.name));
    this.setData({ dtype: "float32", shape: this.shape, data });
  }
}
