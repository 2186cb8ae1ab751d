import type { ModelInputs } from "#graft/models/index";
import { type TensorData, tensorData } from "#graft/tensor-data";

/** One row of every tensor, as a batch of one. */
export function rowsOf(tensors: ModelInputs, row: number): Record<string, TensorData> {
  return Object.fromEntries(
    Object.entries(tensors as Record<string, TensorData>).map(([name, { dtype, shape, data }]) => {
      const size = data.length / (shape[0] as number);
      return [name, tensorData(dtype, [1, ...shape.slice(1)], data.slice(row * size, (row + 1) * size))];
    }),
  );
}
