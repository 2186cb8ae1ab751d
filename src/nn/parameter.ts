import { GraftError } from "../errors.js";
import type { Dim } from "../graph/index.js";
import { elementCount, type TensorData } from "../tensor-data.js";
import { type Initializer, parameterRandom, zeros } from "./init.js";

/** dtypes that a frozen parameter may be kept in; graphs compute in float32. */
export type StorageDType = "float32" | "float16" | "bfloat16";

type Float32Tensor = TensorData<"float32">;

/** Where a parameter's elements are. "shape": nowhere, enough for counts and estimates. */
export type ParameterSource =
  | { readonly kind: "shape" }
  | { readonly kind: "memory"; readonly data: TensorData }
  /**
   * Elements in a file, in the parameter's storage dtype: `path` is real (no symlink), `offset` in bytes from its start,
   * `version` the file's when the offset was read.
   */
  | {
      readonly kind: "file";
      readonly path: string;
      readonly offset: number;
      readonly byteLength: number;
      readonly version: string;
    }
  /** Elements that are made when they are first needed (PiSSA's from the base weight's singular vectors). */
  | { readonly kind: "made"; readonly make: () => Promise<Float32Tensor> };

/**
 * Elements that stand in for a base parameter's own: a residual that an adapter leaves behind, a merged update. The last
 * one counts; taking all away restores the source to the bit.
 */
export interface Adjustment {
  /** Who made it. */
  readonly by: string;
  /** The elements, or how they are made when they are first needed. */
  elements: Float32Tensor | (() => Promise<Float32Tensor>);
}

export interface ParameterOptions {
  /** The shape in graphs where it has named dimensions (a rank); the parameter's own shape by default. */
  readonly symbolicShape?: readonly Dim[];
  /**
   * "fixed" (default): an initialiser of the graph unless it is trained. "slot": always an input of the graph, so that
   * another parameter can take its place without a new program.
   */
  readonly residency?: "fixed" | "slot";
  /** The adapter that it belongs to; null (default): the base model. */
  readonly owner?: string | null;
  readonly trainable?: boolean;
  /** Whether it is a number that a method is set to (a scale): no weight, neither counted nor saved. Default false. */
  readonly isSetting?: boolean;
  readonly initializer?: Initializer;
}

/** A weight of a module: shape, where its elements are, and whether it is trained. All parameters are float32 in graphs. */
export class Parameter {
  /**
   * Its identity in the engine: the full path in the module tree, e.g. `bert.encoder.layer.0.attention.self.query.weight`,
   * with the adapter's name where it belongs to one. Set when the tree is named.
   */
  name = "";
  /** What graphs call it where it fills a slot; null: its name. */
  slot: string | null = null;
  trainable: boolean;
  source: ParameterSource = { kind: "shape" };
  /** What the source's elements are stored as; they are cast where a graph reads them. */
  storage: StorageDType = "float32";
  /** Elements that stand before the source's, the last one in force. */
  readonly adjustments: Adjustment[] = [];
  /** The parameter that is read in this one's place: an acting adapter's copy. */
  standIn: Parameter | null = null;
  /** How a new parameter begins, where no checkpoint has its elements. */
  initializer: Initializer;
  symbolicShape: readonly Dim[];
  readonly residency: "fixed" | "slot";
  readonly owner: string | null;
  readonly isSetting: boolean;
  private settling: Promise<void> | undefined;

  /** @param shape sizes, as in the checkpoint */
  constructor(
    readonly shape: readonly number[],
    options: ParameterOptions = {},
  ) {
    this.symbolicShape = options.symbolicShape ?? shape;
    this.residency = options.residency ?? "fixed";
    this.owner = options.owner ?? null;
    this.isSetting = options.isSetting ?? false;
    this.trainable = options.trainable ?? !this.isSetting;
    this.initializer = options.initializer ?? zeros;
  }

  /** The name of the graph input that feeds it. */
  get inputName(): string {
    return this.slot ?? this.name;
  }

  /** The parameter that graphs read here: an acting adapter's copy, or this one. */
  get inForce(): Parameter {
    return this.standIn ?? this;
  }

  get elementCount(): number {
    return elementCount(this.shape);
  }

  /** How many numbers it is: PyTorch's name of `elementCount`. */
  numel(): number {
    return this.elementCount;
  }

  /** Whether it is trained: PyTorch's name of `trainable`. */
  get requiresGrad(): boolean {
    return this.trainable;
  }

  /** What its elements in force are made from; changes when they do. */
  get content(): object {
    return this.adjustments.at(-1)?.elements ?? this.source;
  }

  /**
   * Gives the parameter new elements in memory.
   * @throws GraftError `shape-mismatch`
   */
  setData(data: Float32Tensor): void {
    if (data.shape.join() !== this.shape.join()) {
      throw new GraftError(
        "shape-mismatch",
        `parameter ${this.name} has shape [${this.shape}], the new elements [${data.shape}]`,
        "Give a tensor of the parameter's own shape.",
      );
    }
    this.source = { kind: "memory", data };
    this.storage = "float32";
  }

  /** Elements by the parameter's own initialiser; the same for the same seed and name. */
  initialize(seed: number, name = this.name): void {
    const data = this.initializer(this.shape, parameterRandom(seed, name));
    this.setData({ dtype: "float32", shape: this.shape, data });
  }

  /** Makes elements that wait to be made; afterwards `content` is at hand. Calls that overlap make them once. */
  async settle(): Promise<void> {
    this.settling ??= this.makeAll().finally(() => {
      this.settling = undefined;
    });
    await this.settling;
  }

  private async makeAll(): Promise<void> {
    const { source } = this;
    if (source.kind === "made") {
      const data = await source.make();
      if (this.source === source) this.setData(data);
    }
    for (const adjustment of this.adjustments) {
      if (typeof adjustment.elements === "function") adjustment.elements = await adjustment.elements();
    }
  }

  /** Whether elements wait to be made. */
  get isUnsettled(): boolean {
    return this.source.kind === "made" || this.adjustments.some(({ elements }) => typeof elements === "function");
  }
}
