import { GraftError } from "../../errors.js";
import type { Session } from "../backends/types.js";
import type { ProgramDefinition } from "../definition.js";

function refuse(message: string): never {
  throw new GraftError("invalid-argument", message, "Make the program definition describe the graph that it holds.");
}

function compareNames(kind: string, declared: readonly string[], actual: readonly string[]): void {
  const missing = actual.filter((name) => !declared.includes(name));
  const unknown = declared.filter((name) => !actual.includes(name));
  if (missing.length > 0) refuse(`the graph's ${kind} ${missing.join(", ")} are not declared`);
  if (unknown.length > 0) refuse(`the graph has no ${kind} ${unknown.join(", ")}`);
}

/**
 * Checks that a definition describes the compiled graph.
 * @throws GraftError `invalid-argument` for names that do not fit, `unsupported` for bfloat16 inputs.
 */
export function checkDefinition(definition: ProgramDefinition, session: Session): void {
  const { inputs, outputs, resident, masks, gradients, loss, state = {} } = definition;
  const names = inputs.map((input) => input.name);
  compareNames("inputs", names, session.inputNames);
  compareNames("outputs", outputs, session.outputNames);
  for (const name of resident) if (!names.includes(name)) refuse(`resident "${name}" is no input`);
  for (const { name } of masks) {
    const dtype = inputs.find((input) => input.name === name)?.dtype;
    if (dtype === undefined) refuse(`mask "${name}" is no input`);
    if (dtype !== "uint8" && dtype !== "bool") refuse(`mask "${name}" is ${dtype}; masks are uint8 or bool`);
  }
  for (const { name, dtype } of inputs) {
    if (dtype === "bfloat16") {
      throw new GraftError(
        "unsupported",
        `input "${name}" is bfloat16, which ONNX Runtime's JavaScript interface cannot feed`,
        "Declare it float32 and convert, or make it an initialiser with a Cast.",
      );
    }
  }
  const gradientOutputs = Object.values(gradients ?? {});
  for (const [name, output] of Object.entries(gradients ?? {})) {
    const input = inputs.find((candidate) => candidate.name === name);
    if (!resident.includes(name)) refuse(`gradient "${output}" belongs to "${name}", which is not resident`);
    if (input?.dtype !== "float32") refuse(`"${name}" is trained and ${input?.dtype}; trained tensors are float32`);
    if (!outputs.includes(output)) refuse(`gradient "${output}" of "${name}" is no output`);
  }
  if (new Set(gradientOutputs).size < gradientOutputs.length) refuse("two resident tensors share one gradient output");
  for (const [output, { slot, axis = 0 }] of Object.entries(state)) {
    if (!outputs.includes(output)) refuse(`state "${output}" is no output`);
    if (output === loss || gradientOutputs.includes(output)) refuse(`state "${output}" is loss or gradient as well`);
    if (!Number.isSafeInteger(axis) || axis < 0) refuse(`state "${output}" is written along axis ${axis}`);
    if (names.includes(slot) && !resident.includes(slot)) refuse(`state slot "${slot}" is an input that does not stay`);
  }
  const stateSlots = Object.values(state).map(({ slot }) => slot);
  if (new Set(stateSlots).size < stateSlots.length) refuse("two state outputs share one slot");
  if (loss !== undefined && !outputs.includes(loss)) refuse(`loss "${loss}" is no output`);
}
