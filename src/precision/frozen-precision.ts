import type { Network, PreparedInputs, Runner } from "../models/index.js";
import type { MaskKey } from "../runtime/index.js";
import type { FrozenPrecisionReport } from "./report.js";

/** What a precision is chosen for. */
export interface PreparedModel {
  readonly network: Network;
  readonly runner: Runner;
}

/**
 * How a run has frozen weights kept and multiplied. It decides once, on the first batch, and gives the model's training
 * programs their `FrozenProducts`; training knows nothing else of it.
 */
export interface FrozenPrecision {
  /** What was decided. Set before `prepare` (a resumed run's), it is followed instead of measured anew. */
  report: FrozenPrecisionReport | undefined;
  /**
   * Called before the first training program of a run.
   * @param masks key of the first batch's dropout masks
   */
  prepare(model: PreparedModel, batch: PreparedInputs, masks: MaskKey): Promise<void>;
}
