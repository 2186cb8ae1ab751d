import { initializer, type Tensor } from "../../../graph/index.js";

/** The identity matrix [size, size], float32. */
export function identity(size: number): Tensor {
  const data = new Float32Array(size * size);
  for (let i = 0; i < size; i++) data[i * size + i] = 1;
  const tensor = { dtype: "float32" as const, shape: [size, size], data };
  return initializer(`constant:identity:${size}`, tensor, { kind: "memory", data: tensor });
}
