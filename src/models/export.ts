import { platform } from "#platform";
import { snakeCase } from "../case.js";
import { encodeExport } from "../compile/index.js";
import { GraftError } from "../errors.js";
import { cast, initializer, input, reshape, type Tensor } from "../graph/index.js";
import { copyCompanions, outputPath, writeJson } from "../hub/index.js";
import { elementsOf, type Parameter, Trace } from "../nn/index.js";
import { bytesOf } from "../tensor-data.js";
import { configToWrite, floatKeys } from "./config.js";
import type { Network } from "./network.js";
import { type Port, portsOf } from "./ports.js";
import type { PreTrainedModel } from "./pretrained-model.js";
import { readParameter } from "./saving.js";
import { graphOutputs } from "./trace-network.js";

/** Protobuf messages end at 2 GiB; the room is for the graph around the weights. */
const mostWeightBytes = 2 ** 31 - 2 ** 24;

/** What transformers.js reads from a model; other outputs would be computed for nobody. */
const exportedOutputs = ({ head }: Network): readonly string[] =>
  head ? Object.keys(head.outputs) : ["lastHiddenState"];

function checkSize(network: Network): void {
  const bytes = [...network.parameters()].reduce((sum, parameter) => sum + parameter.elementCount * 4, 0);
  if (bytes <= mostWeightBytes) return;
  throw new GraftError(
    "unsupported",
    `the weights take ${(bytes / 1e9).toFixed(2)} GB in float32, and an .onnx file holds at most ${(mostWeightBytes / 1e9).toFixed(2)} GB of them`,
    "Save the model with savePretrained, which has no such limit, or export a smaller model.",
  );
}

/** An input that can only be 0 (token types of RoBERTa) says nothing: exported models do without it. */
const isMeaningful = ({ below }: Port): boolean => below?.limit !== 1;

/** What becomes of the tensors of adapters that act in the network. */
export interface ExportedAdapters {
  /** Those that are inputs of the graph, with the inputs' names; all others are built in. */
  readonly inputs: ReadonlyMap<Parameter, string>;
}

/** A graph that stands alone: everything is built in, in float32, but what is named. */
class ExportTrace extends Trace {
  constructor(private readonly named: ReadonlyMap<Parameter, string>) {
    super("eval", true);
  }

  override isFed(parameter: Parameter): boolean {
    return this.named.has(parameter);
  }

  protected override fed(parameter: Parameter): Tensor {
    const name = this.named.get(parameter) as string;
    // ONNX Runtime's files of adapters hold no tensor without axes.
    if (parameter.shape.length === 0) return reshape(input(name, "float32", [1]), []);
    return input(name, "float32", parameter.symbolicShape);
  }

  protected override fixed(parameter: Parameter): Tensor {
    const { name, shape } = parameter;
    return initializer(name, { dtype: "float32", shape }, elementsOf(parameter));
  }
}

/** The evaluation graph with inputs of transformers.js' types: whole numbers come as int64. */
function traceExport(network: Network, named: ReadonlyMap<Parameter, string>) {
  const trace = new ExportTrace(named);
  const inputs: Record<string, Tensor> = {};
  for (const [name, port] of portsOf(network.inputs).filter(([, port]) => isMeaningful(port))) {
    const declared = trace.input(snakeCase(name), port.dtype === "int32" ? "int64" : port.dtype, port.shape);
    inputs[name] = cast(declared, port.dtype);
  }
  const written = network.forward(trace, inputs);
  return {
    trace,
    outputs: graphOutputs(Object.fromEntries(exportedOutputs(network).map((name) => [name, written[name]]))),
  };
}

function checkPlain({ parameters }: Trace): void {
  if (![...parameters.keys()].some(({ residency }) => residency === "slot")) return;
  throw new GraftError(
    "invalid-argument",
    "the model holds an adapter that is not merged",
    "Export the PeftModel itself, or what its mergeAndUnload returns.",
  );
}

async function encodeNetwork(network: Network, adapters: ExportedAdapters | undefined): Promise<Uint8Array> {
  checkSize(network);
  for (const parameter of network.parametersInForce()) if (parameter.isUnsettled) await parameter.settle();
  const { trace, outputs } = traceExport(network, adapters?.inputs ?? new Map());
  if (adapters === undefined) checkPlain(trace);
  const weights = new Map<Parameter, Uint8Array>();
  for (const parameter of trace.parameters.keys()) {
    if (!trace.isFed(parameter)) weights.set(parameter, bytesOf(await readParameter(parameter)));
  }
  return encodeExport({ trace, outputs, read: (parameter) => weights.get(parameter) as Uint8Array });
}

/**
 * Writes a model as transformers.js reads it; see `exportOnnx`.
 * @param adapters what becomes of adapters that act; without it they are refused
 * @throws GraftError `unsupported` above 2 GiB, `invalid-argument` for a model that holds an adapter, `missing-tensor`
 *   for a model without weights, `file-access`, `disk-full`
 */
export async function exportModel(model: PreTrainedModel, folder: string, adapters?: ExportedAdapters): Promise<void> {
  const { network, nameOrPath, runner } = model;
  await runner.syncFromEngine();
  const encoded = await encodeNetwork(network, adapters);
  const path = outputPath(folder, "onnx/model.onnx");
  await platform.makeDirectory(platform.dirname(path));
  await platform.writeFileAtomic(path, encoded);
  await writeJson(outputPath(folder, "config.json"), configToWrite(network.config, network.className), floatKeys);
  if (nameOrPath !== null) await copyCompanions(nameOrPath, folder);
}
