import { GraftError } from "../../errors.js";
import { allocate, elementCount, type TensorData } from "../../tensor-data.js";
import { pickSlices } from "./slices.js";

/** Begins the name under which a program finds a resident's gradient sum. */
export const gradientPrefix = "gradient:";

/** Tensors that stay in the worker between runs: trained parameters, adapters, scales. */
export class ResidentTensors {
  private readonly tensors = new Map<string, TensorData>();
  private changes = 0;
  /** What the last reordered tensor lay in. Caches of one size take turns in it: no garbage of their size at each step. */
  private spare: TensorData["data"] | undefined;

  /** Grows whenever a tensor is set or removed (not when the optimiser changes values in place). */
  get version(): number {
    return this.changes;
  }

  /** @param slot which the tensor is to fill, for the message. @throws GraftError `missing-tensor` */
  get(name: string, slot = name): TensorData {
    const tensor = this.tensors.get(name);
    if (tensor !== undefined) return tensor;
    throw new GraftError(
      "missing-tensor",
      `the engine holds no resident tensor "${name}"${slot === name ? "" : ` for slot "${slot}"`}`,
      "Call setResident with a tensor for each of the program's slots before it runs, or bind the slot to one that is there.",
    );
  }

  /** The memory that the tensors take. */
  get bytes(): number {
    let bytes = 0;
    for (const { data } of this.tensors.values()) bytes += data.byteLength;
    return bytes;
  }

  names(): string[] {
    return [...this.tensors.keys()];
  }

  /**
   * Takes the tensors over; the caller gives their arrays away.
   * @throws GraftError `invalid-argument` for a gradient's name; nothing is set then
   */
  set(tensors: Readonly<Record<string, TensorData>>): void {
    const taken = Object.keys(tensors).find((name) => name.startsWith(gradientPrefix));
    if (taken !== undefined) {
      throw new GraftError(
        "invalid-argument",
        `resident tensor "${taken}" has the name of a gradient sum`,
        `Give it a name that does not begin with "${gradientPrefix}".`,
      );
    }
    for (const [name, tensor] of Object.entries(tensors)) this.tensors.set(name, tensor);
    this.changes++;
  }

  /**
   * Picks slices along an axis of each tensor: in another order, some more than once or not at all.
   * @throws GraftError `missing-tensor`, `invalid-argument`; all tensors then stay as they are
   */
  reorder(names: readonly string[], indices: Int32Array, axis: number): void {
    const tensors = [...new Set(names)].map((name) => [name, this.get(name)] as const);
    for (const [name, { shape }] of tensors) requireIndices(name, shape, indices, axis);
    for (const [name, tensor] of tensors) {
      const length = tensor.shape[axis] as number;
      if (indices.length === length && indices.every((index, i) => index === i)) continue;
      this.tensors.set(name, pickSlices(tensor, axis, indices, this.room(tensor, axis, indices.length)));
      this.spare = tensor.data;
    }
    this.changes++;
  }

  remove(names: readonly string[]): void {
    for (const name of names) this.tensors.delete(name);
    this.spare = undefined;
    this.changes++;
  }

  /** An array for as many slices of a tensor. */
  private room({ dtype, shape, data }: TensorData, axis: number, slices: number): TensorData["data"] {
    const count = elementCount(shape.map((length, i) => (i === axis ? slices : length)));
    const { spare } = this;
    this.spare = undefined;
    if (spare?.constructor === data.constructor && spare.length === count) return spare;
    return allocate(dtype, count);
  }
}

function requireIndices(name: string, shape: readonly number[], indices: Int32Array, axis: number): void {
  const length = shape[axis];
  const foreign = indices.find((index) => length === undefined || index < 0 || index >= length);
  if (length !== undefined && foreign === undefined) return;
  throw new GraftError(
    "invalid-argument",
    length === undefined
      ? `resident tensor "${name}" of shape [${shape}] has no axis ${axis}`
      : `resident tensor "${name}" of shape [${shape}] has no slice ${foreign} along axis ${axis}`,
    "Indices count from 0 and are smaller than the tensor's length along the axis.",
  );
}
