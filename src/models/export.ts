import { platform } from "#platform";
import { snakeCase } from "../case.js";
import { encodeExport } from "../compile/index.js";
import { GraftError } from "../errors.js";
import { addDims, cast, type Dim, initializer, input, reshape, type Tensor } from "../graph/index.js";
import { copyCompanions, outputPath, writeJson } from "../hub/index.js";
import { elementsOf, type Parameter, Past, Trace } from "../nn/index.js";
import { bytesOf } from "../tensor-data.js";
import type { CausalLM } from "./architectures/decoder.js";
import { configToWrite, floatKeys } from "./config.js";
import { causalLMOf } from "./decoding.js";
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
    "Save the merged model as safetensors, which have no such limit, or export a smaller model.",
  );
}

/** An input that is not read, or that can only be 0 (token types of RoBERTa), says nothing: exported models do without it. */
const isMeaningful = ({ below, isIgnored }: Port): boolean => !isIgnored && below?.limit !== 1;

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

/**
 * A language model's graph as transformers.js generates with it: keys and values of earlier tokens come in and go out
 * longer, and the mask is of all tokens.
 */
function traceDecoder(network: CausalLM, named: ReadonlyMap<Parameter, string>) {
  if (network.virtualTokens > 0) {
    throw new GraftError(
      "unsupported",
      "the model holds an adapter with virtual tokens, which a graph that continues texts cannot hold",
      "Generate with Graft, or export a model with another kind of adapter.",
    );
  }
  const trace = new ExportTrace(named);
  const { windows, numKeyValueHeads, headDim } = network.config;
  const whole = (name: string, length: Dim) => cast(trace.input(name, "int64", ["batch", length]), "int32");
  const inputs = {
    inputIds: whole("input_ids", "sequence"),
    attentionMask: whole("attention_mask", addDims("past", "sequence")),
    positionIds: whole("position_ids", "sequence"),
  };
  const shape = ["batch", numKeyValueHeads, "past", headDim];
  const earlier = (layer: number, kind: string) => trace.input(`past_key_values.${layer}.${kind}`, "float32", shape);
  const past = new Past(windows.map((_, layer) => ({ keys: earlier(layer, "key"), values: earlier(layer, "value") })));
  const { logits } = network.forward(trace, inputs, past);
  const present = past.present.flatMap(({ keys, values }, layer) => [
    [`present.${layer}.key`, keys],
    [`present.${layer}.value`, values],
  ]);
  return { trace, outputs: { logits: logits as Tensor, ...Object.fromEntries(present) } as Record<string, Tensor> };
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
  const named = adapters?.inputs ?? new Map<Parameter, string>();
  const causalLM = causalLMOf(network);
  const { trace, outputs } = causalLM ? traceDecoder(causalLM, named) : traceExport(network, named);
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
  const { network, files, runner } = model;
  await runner.syncFromEngine();
  const encoded = await encodeNetwork(network, adapters);
  const path = outputPath(folder, "onnx/model.onnx");
  await platform.makeDirectory(platform.dirname(path));
  await platform.writeFileAtomic(path, encoded);
  await writeJson(outputPath(folder, "config.json"), configToWrite(network.config, network.className), floatKeys);
  if (files !== null) await copyCompanions(files, folder);
}
