import { ignoredLabel } from "../../problem-type.js";
import { allocate, type DType, elementCount, type TensorData } from "../../tensor-data.js";

interface Settable {
  set(source: ArrayLike<unknown>, offset: number): void;
  fill(value: unknown): void;
}

/** Copies a block into a larger one, from one axis on; what lies behind both offsets belongs together. */
function copyBlock(target: TensorData, to: number, part: TensorData, from: number, axis: number): void {
  const [size, room] = [elementCount(part.shape.slice(axis)), elementCount(target.shape.slice(axis + 1))];
  if (axis === part.shape.length - 1) {
    (target.data as Settable).set(part.data.subarray(from, from + size), to);
    return;
  }
  const step = elementCount(part.shape.slice(axis + 1));
  for (let i = 0; i < part.shape[axis]!; i++) copyBlock(target, to + i * room, part, from + i * step, axis + 1);
}

/**
 * Tensors of one dtype stacked along the first axis. Where the other axes differ (batches that are padded to different
 * lengths), all are filled up to the largest with -100, as transformers does it: labels then count nowhere there.
 */
export function concatRows<D extends DType>(parts: readonly TensorData<D>[]): TensorData<D> {
  const first = parts[0]!;
  const rows = parts.reduce((sum, part) => sum + part.shape[0]!, 0);
  const inner = first.shape.slice(1).map((_, axis) => Math.max(...parts.map(({ shape }) => shape[axis + 1]!)));
  const whole: TensorData<D> = {
    dtype: first.dtype,
    shape: [rows, ...inner],
    data: allocate(first.dtype, rows * elementCount(inner)),
  };
  if (parts.some(({ shape }) => shape.slice(1).join() !== inner.join())) (whole.data as Settable).fill(ignoredLabel);
  let row = 0;
  for (const part of parts) {
    copyBlock(whole, row * elementCount(inner), part, 0, 0);
    row += part.shape[0]!;
  }
  return whole;
}
