import type { Dim } from "../graph/dim.js";
import type { TensorSource } from "../graph/tensor.js";
import type { OutlierFeature, ProductMeasurement, WeightType } from "../onnx/index.js";
import type { DType } from "../tensor-data.js";

/** Who computes: onnxruntime-node's CPU, WebGPU and CUDA providers, or onnxruntime-web's WASM and WebGPU. */
export type BackendName = "cpu" | "wasm" | "webgpu" | "cuda";

/** What a program is for; decides its session options. "generation": steps of one token, or of a few. */
export type Purpose = "training" | "prediction" | "generation";

/** A graph input as the program declares it. */
export interface InputDeclaration {
  readonly name: string;
  readonly dtype: DType;
  /** Numbers, named dimensions ("batch") and expressions of named dimensions ("batch*sequence"). */
  readonly shape: readonly Dim[];
}

/** A dropout mask that the worker makes: 1 keeps, 0 drops. */
export interface MaskDeclaration {
  /** The graph input that it feeds (uint8 or bool). */
  readonly name: string;
  readonly shape: readonly Dim[];
  readonly keepProbability: number;
  /** Numbers the places of a model where dropout acts, so that each draws its own mask. */
  readonly site: number;
}

/** A tensor file in memory, for external data that lies in no folder (browser, converted weights). */
export interface MountedData {
  /** The location that the model's external data names. */
  readonly path: string;
  readonly data: Uint8Array;
}

/** A matrix [rows, columns] from which the engine makes int8 weights before it compiles the graph. */
export interface QuantizedData {
  readonly source: TensorSource;
  /** What its elements are stored as. Default float32. */
  readonly storage?: DType;
  readonly rows: number;
  readonly columns: number;
  readonly dtype: WeightType;
  readonly forms: readonly QuantizedForm[];
}

/** One int8 weight. It becomes the initialisers `path/values` (int8 or uint8) and `path/scales` (float32, one per column). */
export interface QuantizedForm {
  readonly path: string;
  /** Whether the int8 matrix is [columns, rows]. */
  readonly transposed: boolean;
  /** Multiplied into the scales. */
  readonly factor: number;
  /** Rows of the int8 matrix that are multiplied by a factor before they are rounded. */
  readonly outliers: readonly OutlierFeature[];
}

/** Where an output goes that stays in the engine as a resident tensor, for the next run. */
export interface StateTarget {
  /** Names the resident, as a slot does; it may be a slot of the same program. */
  readonly slot: string;
  /**
   * The output is written into the resident along this axis, at the run's `stateOffset`: a cache with room for more.
   * Default: the output replaces the resident.
   */
  readonly axis?: number;
}

/** A graph ready to be compiled, with what the engine must know of it. */
export interface ProgramDefinition {
  /** An encoded ModelProto. */
  readonly model: Uint8Array;
  /**
   * The folder that external data's locations are relative to (Node). Links to it are resolved; the files themselves
   * must be real files, no links.
   */
  readonly externalFolder?: string;
  readonly externalData?: readonly MountedData[];
  /** Frozen weights to be multiplied in int8; the engine adds them to the model. */
  readonly quantizedData?: readonly QuantizedData[];
  readonly purpose: Purpose;
  /** Every graph input: those given by the caller, the resident ones and the masks. */
  readonly inputs: readonly InputDeclaration[];
  readonly outputs: readonly string[];
  /** Outputs that measure products. */
  readonly probes?: readonly ProductMeasurement[];
  /** Slots: inputs fed from the engine's resident tensors. A run says which fills which; by default that of the same name. */
  readonly resident: readonly string[];
  readonly masks: readonly MaskDeclaration[];
  /** Outputs that are not returned but kept for the next run, by name. */
  readonly state?: Readonly<Record<string, StateTarget>>;
  /** Training: the output that holds the gradient of each trained slot. */
  readonly gradients?: Readonly<Record<string, string>>;
  /** Training: the output that holds the scalar loss. */
  readonly loss?: string;
}

/** Which resident tensor fills a slot, by the slot's name. A slot that is not named is filled by the one of its own name. */
export type Binding = Readonly<Record<string, string>>;

/** Names the dropout masks of one forward pass, together with each mask's site. */
export interface MaskKey {
  readonly seed: number;
  /** The optimiser step. */
  readonly step: number;
  /** Position within gradient accumulation. */
  readonly microStep: number;
  /** Which row of the batch the first one is, where a batch is run in pieces. Default 0. */
  readonly firstRow?: number;
}
