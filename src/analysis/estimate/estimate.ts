import { evaluateShape } from "../../graph/index.js";
import type { PeftModel } from "../../peft/index.js";
import { int8Products } from "../../precision/index.js";
import { bytesPerElement, elementCount } from "../../tensor-data.js";
import { type BatchShape, stepGraph } from "./step-graph.js";
import { walkStep } from "./walk.js";

export interface EstimateOptions extends BatchShape {
  /** How frozen weights are kept and multiplied. Default "float32". */
  readonly frozenPrecision?: "float32" | "int8";
}

/** What training a model takes, in bytes, floating-point operations and parameters. */
export interface Estimate {
  readonly parameters: { readonly all: number; readonly trained: number };
  readonly memory: {
    /** Frozen weights: float32 pages of the model's file, or int8 copies. */
    readonly weights: number;
    /** Elements of what is trained, in the worker and in the model. */
    readonly trained: number;
    readonly gradients: number;
    /** AdamW's two moments. */
    readonly optimizer: number;
    /** Most that is alive at once of activations and of gradients on their way. */
    readonly activations: number;
    /** The batch, on both sides of the worker, and dropout masks. */
    readonly batch: number;
    /** The process without a model: Node, ONNX Runtime, the graph. */
    readonly process: number;
    /** All of it: the most that the process has resident (VmHWM). */
    readonly peak: number;
  };
  readonly flops: {
    readonly step: number;
    readonly frozen: number;
    readonly trained: number;
    readonly activations: number;
  };
  /** Sizes of files. */
  readonly checkpoint: { readonly adapterFloat32: number; readonly adapterFloat16: number; readonly model: number };
}

/** Node with ONNX Runtime and its worker, and what a graph of some nodes adds. Measured on Linux x64 with Node 22. */
const PROCESS = 150e6;
const PER_NODE = 12e3;

/**
 * ONNX Runtime's arena takes memory in steps and leaves gaps: what it holds by what is alive, measured on the
 * benchmark's jobs.
 */
const ARENA = 1.1;

/** Pages that the system maps at once when one of a mapped file is read. */
const FAULT_AROUND = 65536;

/**
 * What a step of training would take, from the graph that it would run: nothing is allocated, downloaded or run.
 * @param peft a model with shapes alone, and its adapter
 * @throws GraftError as `prepareInputs`
 */
export function estimateStep(
  peft: PeftModel,
  { batch, sequence, frozenPrecision = "float32" }: EstimateOptions,
): Estimate {
  const isInt8 = frozenPrecision === "int8";
  const step = stepGraph(peft, { batch, sequence }, isInt8 ? int8Products() : undefined);
  const { peakBytes, weightBytes } = walkStep(step);
  const { flops } = walkStep(isInt8 ? stepGraph(peft, { batch, sequence }) : step);
  const [trained, all] = peft.getNbTrainableParameters();
  const int8 = step.quantized.reduce((sum, { rows, columns, forms }) => sum + forms.length * rows * columns, 0);
  const rows = batch * sequence * FAULT_AROUND;
  const given = step.graph.input.filter(({ name }) => !step.fed.has(name));
  const bytes = (inputs: typeof given): number =>
    inputs.reduce(
      (sum, { dtype, shape }) => sum + bytesPerElement(dtype) * elementCount(evaluateShape(shape, step.sizes)),
      0,
    );
  // Dropout masks are made in the worker; what is given comes from the caller through a message.
  const masks = given.filter(({ dtype }) => dtype === "uint8");
  const inputs = given.filter(({ dtype }) => dtype !== "uint8");
  const memory = {
    weights: weightBytes.whole + int8 + Math.min(weightBytes.gathered, rows),
    trained: 2 * 4 * trained,
    gradients: 4 * trained,
    optimizer: 2 * 4 * trained,
    activations: ARENA * peakBytes,
    batch: 3 * bytes(inputs) + bytes(masks),
    process: PROCESS + PER_NODE * step.graph.node.length,
  };
  const elements = peft.namedParameters().reduce((sum, [, { elementCount }]) => sum + elementCount, 0);
  return {
    parameters: { all, trained },
    memory: { ...memory, peak: Object.values(memory).reduce((sum, part) => sum + part, 0) },
    flops: { step: flops.frozen + flops.trained + flops.activations, ...flops },
    checkpoint: { adapterFloat32: 4 * trained, adapterFloat16: 2 * trained, model: 4 * elements },
  };
}
