import { float32Products } from "../compile/index.js";
import type { FrozenPrecision } from "./frozen-precision.js";
import { Int8Precision, type Int8PrecisionOptions } from "./int8/int8-precision.js";

/** Frozen weights in float32: nothing is decided, and nothing is reported. */
const float32Precision = (): FrozenPrecision => ({
  report: undefined,
  // The model may have been trained otherwise before.
  prepare: ({ runner }) => runner.setFrozenProducts(float32Products),
});

export type FrozenPrecisionName = "f32" | "int8" | "auto";

/** Precisions by the name that run files and training arguments have for them. */
export const frozenPrecisions: {
  readonly [N in FrozenPrecisionName]: (options?: Int8PrecisionOptions) => FrozenPrecision;
} = {
  f32: float32Precision,
  int8: (options) => new Int8Precision(options),
  auto: (options) => new Int8Precision({ ...options, mayBeIdle: true }),
};
