import { add, type Tensor } from "../graph/index.js";
import { type Mode, Trace } from "../nn/index.js";
import { type InputName, inputNames, type OutputName, outputNames } from "./inputs.js";
import type { Network } from "./network.js";
import type { PreparedInputs } from "./prepare-inputs.js";

/**
 * Writes a network's graph.
 * @param frozen take trainable parameters as fixed too
 * @returns the trace and its outputs by graph name
 */
export function traceNetwork(
  network: Network,
  mode: Mode,
  rules: PreparedInputs["rules"],
  frozen: boolean,
): { trace: Trace; outputs: Record<string, Tensor> } {
  const trace = new Trace(mode, frozen);
  const inputs: { [K in InputName]?: Tensor } = {};
  for (const [name, rule] of rules) inputs[name] = trace.input(inputNames[name], rule.dtype, rule.shape);
  const outputs: Record<string, Tensor> = {};
  for (const [name, tensor] of Object.entries(network.forward(trace, inputs)) as [OutputName, Tensor][]) {
    outputs[outputNames[name]] = tensor;
  }
  const { loss } = outputNames;
  if (outputs[loss]) outputs[loss] = trace.lossTerms.reduce((sum, term) => add(sum, term), outputs[loss]);
  return { trace, outputs };
}
