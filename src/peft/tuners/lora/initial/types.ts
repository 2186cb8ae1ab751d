import type { TensorData } from "../../../../tensor-data.js";
import type { Host, OwnedOptions } from "../../../tuner.js";
import type { WeightMatrix } from "../weight-matrix.js";

type Begins = Pick<OwnedOptions, "initializer" | "madeBy" | "trainable">;

/** How the factors of one layer begin. */
export interface InitialFactors {
  readonly a: Begins;
  readonly b: Begins;
  /** What the base weight becomes, so that the layer computes what it did before; absent: it stays. */
  readonly residual?: () => Promise<TensorData<"float32">>;
}

/** What an initialisation is told. */
export interface InitialContext {
  readonly host: Host;
  readonly matrix: WeightMatrix;
  readonly r: number;
  readonly scaling: number;
}

export type Initialization = (context: InitialContext) => InitialFactors;
