import { gradients } from "../autodiff/index.js";
import type { Tensor } from "../graph/index.js";
import { nodesInOrder, storedForm } from "../graph/index.js";
import type { Parameter } from "../nn/parameter.js";
import type { Trace } from "../nn/trace.js";
import {
  applyPeepholes,
  cpuLowering,
  encodeModel,
  type LoweringTable,
  lowerGraph,
  modelOf,
  type ProductMeasurement,
  standardLowering,
  webgpuLowering,
} from "../onnx/index.js";
import type { BackendName, ProgramDefinition, Purpose } from "../runtime/definition.js";
import { ExternalData } from "./external-data.js";
import { type FrozenProducts, float32Products } from "./frozen-products.js";

/** What is to be compiled: the tensors that a traced module tree returned, and what for. */
export interface ProgramRequest {
  readonly trace: Trace;
  /** Tensors by output name ("logits", "loss"). */
  readonly outputs: Readonly<Record<string, Tensor>>;
  /** The output to differentiate: gradients of all trainable parameters of the trace are written. */
  readonly loss?: string;
  readonly purpose: Purpose;
  /** Inputs of the trace that residents fill, besides the parameters that are fed (gradients after a step). */
  readonly residentInputs?: readonly string[];
  /** Outputs that stay in the engine for the next run; the inputs that their slots name are fed from there. */
  readonly state?: NonNullable<ProgramDefinition["state"]>;
  readonly backend: BackendName;
  /** How products with frozen weights are kept and multiplied; float32 by default. */
  readonly frozen?: FrozenProducts;
}

const lowerings: { readonly [B in BackendName]: LoweringTable } = {
  cpu: cpuLowering,
  wasm: cpuLowering,
  cuda: standardLowering,
  webgpu: webgpuLowering,
};

/** Writes a trace's graph, its gradients where a loss is named, and lowers both for a backend. */
export function defineProgram(request: ProgramRequest): ProgramDefinition {
  const { trace, purpose, backend, loss } = request;
  const gradientTensors = loss === undefined ? new Map<string, Tensor>() : parameterGradients(request, loss);
  const outputs: Record<string, Tensor> = { ...request.outputs };
  const gradientOutputs: Record<string, string> = {};
  for (const [name, tensor] of gradientTensors) {
    gradientOutputs[name] = `gradient:${name}`;
    outputs[`gradient:${name}`] = tensor;
  }
  const names = Object.keys(outputs);
  const tensors = applyPeepholes(Object.values(outputs));
  const frozen = (request.frozen ?? float32Products).lowering(lowerings[backend]);
  const external = new ExternalData(filesOf(trace), frozen.weights !== undefined);
  const graph = lowerGraph({
    name: purpose,
    outputs: Object.fromEntries(names.map((name, position) => [name, tensors[position] as Tensor])),
    table: frozen.table,
    writeInitializer: external.write,
    inputs: [...trace.inputs.values()],
  });
  const declared = new Set(graph.input.map((input) => input.name));
  const resident = [
    ...[...trace.parameters.keys()].filter((one) => trace.isFed(one)).map(({ inputName }) => inputName),
    ...(request.residentInputs ?? []),
    ...Object.values(request.state ?? {}).map(({ slot }) => slot),
  ].filter((name) => declared.has(name));
  return {
    model: encodeModel(modelOf(graph)),
    ...(external.folder === undefined ? {} : { externalFolder: external.folder }),
    externalData: external.mounts,
    ...(frozen.weights?.length ? { quantizedData: frozen.weights } : {}),
    ...(frozen.probes && { probes: frozen.probes }),
    purpose,
    inputs: graph.input,
    outputs: [...names, ...measuredOutputs(frozen.probes ?? [])],
    resident,
    masks: trace.masks.filter((mask) => declared.has(mask.name)),
    ...(request.state && { state: request.state }),
    ...(loss === undefined ? {} : { loss, gradients: gradientOutputs }),
  };
}

/** The graph outputs that a probe's measurements are read from. */
export const measuredOutputs = (probes: readonly ProductMeasurement[]): string[] => [
  ...new Set(probes.flatMap(({ error, outliers }) => [error, ...Object.values(outliers ?? {})])),
];

/** Gradients by input name, in the order in which a backward pass reaches them: last layer first. */
function parameterGradients({ trace, outputs }: ProgramRequest, loss: string): Map<string, Tensor> {
  const lossTensor = outputs[loss] as Tensor;
  const trained = [...trace.parameters].filter(([parameter]) => parameter.trainable);
  const position = new Map<Tensor, number>();
  for (const [index, node] of nodesInOrder([lossTensor]).entries()) {
    for (const input of node.inputs) position.set(input, index);
  }
  trained.sort(([, a], [, b]) => (position.get(b) ?? -1) - (position.get(a) ?? -1));
  const written = gradients(
    lossTensor,
    trained.map(([, tensor]) => tensor),
  );
  const byName = new Map<string, Tensor>();
  for (const [index, gradient] of written.entries()) {
    const [parameter] = trained[index] as [Parameter, Tensor];
    if (gradient) byName.set(parameter.inputName, gradient);
  }
  return byName;
}

function filesOf(trace: Trace): string[] {
  const files = new Set<string>();
  for (const tensor of trace.parameters.values()) {
    const { origin } = storedForm(tensor);
    if (origin.kind === "initializer" && origin.source.kind === "file") files.add(origin.source.path);
  }
  return [...files];
}
