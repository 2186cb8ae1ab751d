import { GraftError } from "../../errors.js";
import type { TensorData } from "../../tensor-data.js";

/** Tensors that stay in the worker between runs: trained parameters, adapters, scales. */
export class ResidentTensors {
  private readonly tensors = new Map<string, TensorData>();
  private changes = 0;

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

  names(): string[] {
    return [...this.tensors.keys()];
  }

  /** Takes the tensors over; the caller gives their arrays away. */
  set(tensors: Readonly<Record<string, TensorData>>): void {
    for (const [name, tensor] of Object.entries(tensors)) this.tensors.set(name, tensor);
    this.changes++;
  }

  remove(names: readonly string[]): void {
    for (const name of names) this.tensors.delete(name);
    this.changes++;
  }
}
