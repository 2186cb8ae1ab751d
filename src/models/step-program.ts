import { defineProgram } from "../compile/index.js";
import type { Tensor } from "../graph/index.js";
import { type Parameter, Trace } from "../nn/index.js";
import type { BackendName, ProgramDefinition } from "../runtime/index.js";

/** Writes next elements of some parameters from parameters and gradients. */
export type StepGraph = (trace: Trace, gradient: (parameter: Parameter) => Tensor) => ReadonlyMap<Parameter, Tensor>;

/** A graph that runs between an update and the clearing of its gradients, and what it reads and changes. */
export interface StepProgram {
  readonly definition: ProgramDefinition;
  /** Parameters that it reads. */
  readonly fed: readonly Parameter[];
  /** Parameters whose gradients it reads. */
  readonly graded: readonly Parameter[];
  /** Parameters that it changes. */
  readonly written: readonly Parameter[];
}

/** The slot of a parameter's gradient, and with a resident's name what fills it. */
export const gradientOf = (name: string): string => `gradient:${name}`;

export function defineStepProgram(write: StepGraph, backend: BackendName): StepProgram {
  const trace = new Trace("eval");
  const graded = new Set<Parameter>();
  const next = write(trace, (parameter) => {
    graded.add(parameter);
    return trace.input(gradientOf(parameter.inputName), "float32", parameter.symbolicShape);
  });
  // What it writes must be there to be written over.
  for (const parameter of next.keys()) trace.original(parameter);
  const written = [...next.keys()];
  const outputOf = ({ inputName }: Parameter): string => `next:${inputName}`;
  const definition = defineProgram({
    trace,
    outputs: Object.fromEntries([...next].map(([parameter, tensor]) => [outputOf(parameter), tensor])),
    purpose: "prediction",
    residentInputs: [...graded].map(({ inputName }) => gradientOf(inputName)),
    state: Object.fromEntries(written.map((one) => [outputOf(one), { slot: one.inputName }])),
    backend,
  });
  const fed = [...trace.parameters.keys()].filter((parameter) => trace.isFed(parameter));
  return { definition, fed, graded: [...graded], written };
}
