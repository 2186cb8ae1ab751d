import { GraftError } from "../../errors.js";
import { requireRange } from "../../optim/index.js";
import type { TensorData } from "../../tensor-data.js";
import type { StateTarget } from "../definition.js";
import type { ResidentTensors } from "./residents.js";
import { slicesAlong } from "./slices.js";

/** An output and where it goes in one run. */
export interface Destination {
  readonly output: string;
  readonly resident: string;
  /** Where it is written into the resident; null: it replaces the resident. */
  readonly place: { readonly axis: number; readonly offset: number } | null;
}

/** Puts a program's state outputs among the resident tensors. */
export class ProgramState {
  readonly outputs: readonly string[];

  constructor(
    private readonly state: Readonly<Record<string, StateTarget>>,
    private readonly residents: ResidentTensors,
  ) {
    this.outputs = Object.keys(state);
  }

  /**
   * Where the outputs of a run will go: looked at before it, so that a mistake costs no run.
   * @throws GraftError `missing-tensor`, `invalid-argument` without an offset or for two outputs to one resident
   */
  destinations(residentOf: (slot: string) => string, offset: number | undefined): Destination[] {
    const writers = new Map<string, string>();
    return this.outputs.map((output) => {
      const { slot, axis } = this.state[output] as StateTarget;
      const resident = residentOf(slot);
      const other = writers.get(resident);
      if (other !== undefined) {
        throw new GraftError(
          "invalid-argument",
          `the state outputs "${other}" and "${output}" would both go to resident "${resident}"`,
          "Bind their slots to two residents.",
        );
      }
      writers.set(resident, output);
      if (axis === undefined) return { output, resident, place: null };
      const at = offset as number;
      requireRange(Number.isSafeInteger(at) && at >= 0, "stateOffset", at, "a position: a whole number, zero or more");
      this.residents.get(resident, slot);
      return { output, resident, place: { axis, offset: at } };
    });
  }

  /**
   * Moves the state outputs out of a run's results. All are kept, or none.
   * @throws GraftError `shape-mismatch`, `dtype-mismatch` for one that does not fit into its resident
   */
  keep(results: Record<string, TensorData>, destinations: readonly Destination[]): void {
    for (const { output, resident, place } of destinations) {
      if (place) requireFit(output, results[output] as TensorData, resident, this.residents.get(resident), place);
    }
    const replaced = destinations.filter(({ place }) => place === null);
    if (replaced.length > 0) {
      this.residents.set(
        Object.fromEntries(replaced.map(({ output, resident }) => [resident, results[output] as TensorData])),
      );
    }
    for (const { output, resident, place } of destinations) {
      if (place) writeAt(this.residents.get(resident), results[output] as TensorData, place.axis, place.offset);
      delete results[output];
    }
  }
}

function requireFit(
  output: string,
  block: TensorData,
  resident: string,
  whole: TensorData,
  { axis, offset }: { axis: number; offset: number },
): void {
  const refuse = (code: "dtype-mismatch" | "shape-mismatch", hint: string): never => {
    const [from, to] = [block, whole].map(({ dtype, shape }) => `${dtype} [${shape.join(", ")}]`);
    throw new GraftError(
      code,
      `state "${output}" (${from}) does not fit into resident "${resident}" (${to}) at ${offset} along axis ${axis}`,
      hint,
    );
  };
  if (block.dtype !== whole.dtype) refuse("dtype-mismatch", "Make the resident of the output's dtype.");
  const isAlike =
    block.shape.length === whole.shape.length &&
    axis < whole.shape.length &&
    block.shape.every((length, i) => i === axis || length === whole.shape[i]);
  if (!isAlike) refuse("shape-mismatch", "Block and resident may differ along that axis alone.");
  if (offset + (block.shape[axis] as number) > (whole.shape[axis] as number)) {
    refuse("shape-mismatch", "The resident is full: make a longer one, or go on with a shorter sequence.");
  }
}

function writeAt(whole: TensorData, block: TensorData, axis: number, offset: number): void {
  const [to, from] = [slicesAlong(whole, axis), slicesAlong(block, axis)];
  const [target, source] = [whole.data as Float32Array, block.data as Float32Array];
  for (let row = 0; row < to.outer; row++) {
    const values = source.subarray(row * from.length * from.inner, (row + 1) * from.length * from.inner);
    target.set(values, (row * to.length + offset) * to.inner);
  }
}
