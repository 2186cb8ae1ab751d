import { defineProgram, type FrozenProducts, float32Products } from "../../compile/index.js";
import { traceNetwork } from "../../models/index.js";
import { decodeModel, type GraphProto } from "../../onnx/index.js";
import type { PeftModel } from "../../peft/index.js";
import type { QuantizedData } from "../../runtime/index.js";

/** One batch as a model is given it. */
export interface BatchShape {
  readonly batch: number;
  /** Tokens of a row; pictures have none. */
  readonly sequence: number;
}

/** The graph of a training step with the sizes that its dimensions have. */
export interface StepGraph {
  readonly graph: GraphProto;
  readonly sizes: Readonly<Record<string, number>>;
  /** Names of the inputs that are trained or belong to the adapter. */
  readonly fed: ReadonlySet<string>;
  /** int8 weights that the engine makes. */
  readonly quantized: readonly QuantizedData[];
}

/** One row of a batch: enough for the rules of its inputs, and for a sequence that is too long to be refused. */
function sample(peft: PeftModel, sequence: number): Record<string, number[] | number[][] | number[][][][]> {
  const { network } = peft;
  const { imageSize, numChannels } = network.config as unknown as Record<
    string,
    number | readonly number[] | undefined
  >;
  const kind = network.className;
  if (imageSize !== undefined) {
    const [height, width] = (typeof imageSize === "number" ? [imageSize, imageSize] : imageSize) as [number, number];
    const plane = Array.from({ length: height }, () => new Array<number>(width).fill(0));
    return { pixelValues: [Array.from({ length: Number(numChannels) }, () => plane)], labels: [0] };
  }
  const perToken = /TokenClassification|CausalLM|LMHead/.test(kind);
  const ones = [new Array<number>(sequence).fill(1)];
  return { inputIds: ones, attentionMask: ones, labels: perToken ? ones.map((row) => row.map(() => 0)) : [0] };
}

/** Weights without elements lie, for the graph, in a file that is never opened. */
function placeWeights(peft: PeftModel): void {
  for (const [, parameter] of peft.namedParameters()) {
    if (parameter.source.kind !== "shape") continue;
    const byteLength = 4 * parameter.elementCount;
    parameter.source = { kind: "file", path: "/no/weights.safetensors", offset: 0, byteLength, version: "" };
  }
}

/**
 * Writes the graph of a step with a model that has shapes alone: nothing is read, sent or allocated.
 * @throws GraftError as `prepareInputs`
 */
export function stepGraph(
  peft: PeftModel,
  { batch, sequence }: BatchShape,
  frozen: FrozenProducts = float32Products,
): StepGraph {
  placeWeights(peft);
  const { rules } = peft.prepareInputs(sample(peft, sequence));
  const { trace, outputs } = traceNetwork(peft.network, "train", rules, false);
  const definition = defineProgram({ trace, outputs, loss: "loss", purpose: "training", backend: "cpu", frozen });
  const sizes: Record<string, number> = { batch, sequence };
  for (const parameter of trace.parameters.keys()) {
    for (const [axis, dim] of parameter.symbolicShape.entries()) {
      if (typeof dim === "string") sizes[dim] = parameter.shape[axis] as number;
    }
  }
  return {
    graph: decodeModel(definition.model).graph,
    sizes,
    fed: new Set(definition.resident),
    quantized: definition.quantizedData ?? [],
  };
}
