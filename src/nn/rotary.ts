import {
  add,
  cast,
  concat,
  cos,
  type Dim,
  initializer,
  mul,
  reshape,
  sin,
  slice,
  sub,
  type Tensor,
} from "../graph/index.js";

/** Cosines and sines of the angles by which heads are turned: float32 [1 or batch, 1, sequence, size / 2] each. */
export interface Rotation {
  readonly cosines: Tensor;
  readonly sines: Tensor;
}

/** How a position becomes angles. */
export interface RotaryFrequencies {
  /** Angle per position of each pair of features: size / 2 numbers. */
  readonly frequencies: Float32Array;
  /** Factor on cosines and sines. */
  readonly attentionFactor: number;
}

/**
 * The angles of a sequence, written once for all layers.
 * @param positions int32 [sequence] or [batch, sequence]
 */
export function rotationOf(positions: Tensor, { frequencies, attentionFactor }: RotaryFrequencies): Rotation {
  const { shape } = positions;
  const [rows, sequence] = shape.length === 1 ? [1, shape[0] as Dim] : (shape as [Dim, Dim]);
  const size = [frequencies.length];
  const data = { dtype: "float32", shape: size, data: frequencies } as const;
  const table = initializer("rotary.frequencies", data, { kind: "memory", data });
  const angles = mul(reshape(cast(positions, "float32"), [rows, 1, sequence, 1]), table);
  const scaled = (x: Tensor) => (attentionFactor === 1 ? x : mul(x, attentionFactor));
  return { cosines: scaled(cos(angles)), sines: scaled(sin(angles)) };
}

/**
 * Queries or keys with their positions (Su et al. 2021): feature i is turned with feature i + size / 2.
 * @param x float32 [batch, heads, sequence, size]
 */
export function rotate(x: Tensor, { cosines, sines }: Rotation): Tensor {
  const size = x.shape[3] as number;
  const [first, second] = [slice(x, 3, 0, size / 2), slice(x, 3, size / 2, size)];
  return concat([sub(mul(first, cosines), mul(second, sines)), add(mul(second, cosines), mul(first, sines))], 3);
}
