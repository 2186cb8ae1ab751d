import { evaluateShape } from "../../graph/dim.js";
import { fillDropoutMask } from "../../random.js";
import { elementCount, type TensorData } from "../../tensor-data.js";
import type { MaskDeclaration, MaskKey } from "../definition.js";

type MaskDType = "uint8" | "bool";

/** Makes a program's dropout masks, in buffers that are used again from run to run. */
export class MaskMaker {
  private readonly buffers = new Map<string, Uint8Array>();

  constructor(
    private readonly masks: readonly MaskDeclaration[],
    private readonly dtypeOf: (name: string) => MaskDType,
  ) {}

  /** The masks of one forward pass: a pure function of the key, each mask's site and the shapes. */
  fill(into: Record<string, TensorData>, key: MaskKey, dims: Readonly<Record<string, number>>): void {
    for (const mask of this.masks) {
      const shape = evaluateShape(mask.shape, dims);
      const length = elementCount(shape);
      const data = this.buffer(mask.name, length);
      const [rows, firstRow = 0] = [mask.shape[0], key.firstRow];
      // Masks that have no rows are the same in all pieces of a batch.
      const first = rows === "batch" ? (length / (shape[0] as number)) * firstRow : 0;
      fillDropoutMask(data, mask.keepProbability, [key.seed, key.step, key.microStep, mask.site], first);
      into[mask.name] = { dtype: this.dtypeOf(mask.name), shape, data };
    }
  }

  private buffer(name: string, length: number): Uint8Array {
    let buffer = this.buffers.get(name);
    if (buffer === undefined || buffer.length < length) {
      buffer = new Uint8Array(length);
      this.buffers.set(name, buffer);
    }
    return buffer.length === length ? buffer : buffer.subarray(0, length);
  }
}
