import { GraftError } from "../../errors.js";
import { readParameter } from "../../models/index.js";
import type { Parameter } from "../../nn/index.js";
import type { TensorData } from "../../tensor-data.js";
import type { MergeStep } from "../tuner.js";
import type { AdaptedNetwork } from "./adapted-network.js";
import type { Adapter } from "./adapter.js";
import { type Compute, MERGE } from "./adapter-host.js";

/** Options of `mergeAdapter` and `mergeAndUnload`. */
export interface MergeOptions {
  /** Check that every merged weight is finite before any is put in place. Default false, as in PEFT. */
  readonly safeMerge?: boolean;
}

/** Weights that one program makes; more at a time would only hold more memory. */
const parametersAtOnce = 16;

/** @throws GraftError `unsupported` naming the method and the reason */
function stepsOf({ name, tuner, injection: { merge } }: Adapter): readonly MergeStep[] {
  if (!("refused" in merge)) return merge;
  throw new GraftError(
    "unsupported",
    `the adapter ${name} (${tuner.type}) cannot be merged: ${merge.refused}`,
    "Use the adapter beside the base model; savePretrained writes it.",
  );
}

/** The steps of all acting adapters by the parameter that they change, in the adapters' order. */
function stepsByParameter(adapters: readonly Adapter[]): Map<Parameter, MergeStep[]> {
  const steps = new Map<Parameter, MergeStep[]>();
  for (const step of adapters.flatMap(stepsOf)) {
    steps.set(step.parameter, [...(steps.get(step.parameter) ?? []), step]);
  }
  return steps;
}

const noneActive = (): GraftError =>
  new GraftError("invalid-argument", "no adapter is active, so there is none to merge", "Call setAdapter first.");

/** The output of the program that makes a parameter's merged elements. */
const outputOf = ({ name }: Parameter): string => `merged:${name}`;

/** @throws GraftError `not-finite` naming the weight (PEFT's safe merge) */
function requireFinite({ name }: Parameter, { data }: TensorData<"float32">): void {
  if (data.every(Number.isFinite)) return;
  throw new GraftError(
    "not-finite",
    `merging would put values that are not finite into ${name}`,
    "The adapter is broken (training diverged?). Nothing was merged.",
  );
}

/**
 * Takes the acting adapters into the base parameters that they change, as graphs that the engine runs in float32.
 * Merged elements stand before the base's own, which stay as they are. Either all is merged or, on an error, nothing.
 * @throws GraftError `invalid-argument` where no adapter acts, `unsupported` for a method that cannot be merged,
 *   `missing-tensor` for a model without weights, `not-finite` (safeMerge)
 */
export async function mergeActing(
  network: AdaptedNetwork,
  compute: Compute,
  { safeMerge = false }: MergeOptions = {},
): Promise<void> {
  network.requireEnabled();
  const { acting } = network;
  if (acting.length === 0) {
    throw noneActive();
  }
  const steps = [...stepsByParameter(acting.filter(({ isMerged }) => !isMerged))];
  for (const [parameter] of steps) await parameter.settle();
  const merged: [Parameter, TensorData<"float32">][] = [];
  for (let first = 0; first < steps.length; first += parametersAtOnce) {
    const some = steps.slice(first, first + parametersAtOnce);
    const made = await compute((trace) =>
      Object.fromEntries(
        some.map(([parameter, own]) => [
          outputOf(parameter),
          own.reduce((elements, step) => step.write(trace, elements), trace.original(parameter)),
        ]),
      ),
    );
    for (const [parameter] of some) merged.push([parameter, made[outputOf(parameter)] as TensorData<"float32">]);
  }
  if (safeMerge) for (const [parameter, elements] of merged) requireFinite(parameter, elements);
  network.requireEnabled();
  const changed = acting.map(({ name }) => name).join() !== network.activeAdapters.join();
  if (changed) {
    throw new GraftError(
      "invalid-argument",
      `the adapter ${acting.map(({ name }) => name).join(", ")} gave way to ${network.activeAdapters.join(", ") || "none"} while it was being merged`,
      "Await mergeAdapter before you change adapters.",
    );
  }
  for (const [parameter, elements] of merged) parameter.adjustments.push({ by: MERGE, elements });
  for (const adapter of acting) adapter.isMerged = true;
}

/**
 * The base parameters that the acting adapters change, each with what makes its elements when they are asked for: nothing is
 * merged, and one parameter at a time is in memory. Copies of saved modules and trained biases are among them.
 * @throws GraftError `invalid-argument` where no adapter acts, `unsupported` for a method that cannot be merged
 */
export function mergedLazily(
  network: AdaptedNetwork,
  compute: Compute,
): Map<Parameter, () => Promise<TensorData<"float32">>> {
  network.requireEnabled();
  const { acting } = network;
  if (acting.length === 0) throw noneActive();
  const made = new Map<Parameter, () => Promise<TensorData<"float32">>>();
  for (const [parameter, steps] of stepsByParameter(acting)) {
    made.set(parameter, async () => {
      await parameter.settle();
      const output = outputOf(parameter);
      const outputs = await compute((trace) => ({
        [output]: steps.reduce((elements, step) => step.write(trace, elements), trace.original(parameter)),
      }));
      return outputs[output] as TensorData<"float32">;
    });
  }
  for (const { copies } of acting) {
    for (const { original, copy } of copies) {
      made.set(original, () => readParameter(copy));
    }
  }
  return made;
}
