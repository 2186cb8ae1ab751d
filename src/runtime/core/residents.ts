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

  /** @throws GraftError `missing-tensor` */
  get(name: string): TensorData {
    const tensor = this.tensors.get(name);
    if (tensor !== undefined) return tensor;
    throw new GraftError(
      "missing-tensor",
      `the engine holds no resident tensor "${name}"`,
      "Call engine.setResident with every tensor that the program declares as resident before it runs.",
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
