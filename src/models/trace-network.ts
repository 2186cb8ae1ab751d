import { snakeCase } from "../case.js";
import { add, type Tensor } from "../graph/index.js";
import { type Mode, Trace } from "../nn/index.js";
import type { Network } from "./network.js";
import type { NetworkOutputs } from "./ports.js";
import type { InputPorts } from "./prepare-inputs.js";

/** A forward pass's outputs by graph name. */
export function graphOutputs(outputs: NetworkOutputs): Record<string, Tensor> {
  return Object.fromEntries(
    Object.entries(outputs).flatMap(([name, tensor]) => (tensor ? [[snakeCase(name), tensor]] : [])),
  );
}

/**
 * Writes a network's graph.
 * @param frozen take trainable parameters as fixed too
 * @returns the trace and its outputs by graph name
 */
export function traceNetwork(
  network: Network,
  mode: Mode,
  rules: InputPorts,
  frozen: boolean,
): { trace: Trace; outputs: Record<string, Tensor> } {
  const trace = new Trace(mode, frozen);
  const inputs = rules.map(([name, { dtype, shape }]) => [name, trace.input(snakeCase(name), dtype, shape)]);
  const outputs = graphOutputs(network.forward(trace, Object.fromEntries(inputs)));
  if (outputs.loss) outputs.loss = [...trace.lossTerms.values()].reduce((sum, term) => add(sum, term), outputs.loss);
  return { trace, outputs };
}
