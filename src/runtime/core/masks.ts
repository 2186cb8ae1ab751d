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
      const data = this.buffer(mask.name, elementCount(shape));
      fillDropoutMask(data, mask.keepProbability, [key.seed, key.step, key.microStep, mask.site]);
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
