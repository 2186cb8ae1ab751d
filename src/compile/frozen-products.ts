import type { LoweringTable, ProductMeasurement } from "../onnx/index.js";
import type { QuantizedData, QuantizeProgress } from "../runtime/index.js";

/** How products with frozen weights are kept and multiplied: float32, or what stands in its place. */
export interface FrozenProducts {
  /** Tells programs apart that treat frozen weights differently. */
  readonly key: string;
  /** How one graph is written. */
  lowering(base: LoweringTable): FrozenLowering;
  /** Told how far the engine is with weights that it makes, where that takes a while. */
  readonly onProgress?: ((progress: QuantizeProgress) => void) | undefined;
}

/** The writing of one graph. */
export interface FrozenLowering {
  /** The backend's operators, products with frozen weights in their own form. */
  readonly table: LoweringTable;
  /** What the engine is to make of weights, complete once the graph is written; absent where it makes nothing. */
  readonly weights?: readonly QuantizedData[];
  /** What the graph measures, complete once it is written; absent where it measures nothing. */
  readonly probes?: readonly ProductMeasurement[];
}

/** Frozen weights are float32 constants, multiplied as the backend does. */
export const float32Products: FrozenProducts = { key: "f32", lowering: (table) => ({ table }) };
