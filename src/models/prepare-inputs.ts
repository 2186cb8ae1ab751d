import { GraftError } from "../errors.js";
import { allocate, elementCount, floatDTypes, integerDTypes, type TensorData, toFloat32 } from "../tensor-data.js";
import { labelRule, resolveProblemType } from "./heads.js";
import { type InputName, type InputRule, inputNames, type ModelInputs, type NestedNumbers } from "./inputs.js";
import type { Network } from "./network.js";

/** Inputs that have been checked and converted. */
export interface PreparedInputs {
  /** By graph name (`input_ids`). */
  readonly feeds: Readonly<Record<string, TensorData>>;
  /** What each input is, in the order of the network's rules. */
  readonly rules: readonly (readonly [InputName, InputRule])[];
}

function isTensor(value: TensorData | NestedNumbers): value is TensorData {
  return !Array.isArray(value) && typeof value === "object" && value !== null && "data" in value && "shape" in value;
}

function invalid(name: InputName, fault: string, hint: string): GraftError {
  return new GraftError("invalid-argument", `${name}: ${fault}`, hint);
}

function shapeOf(name: InputName, value: unknown): number[] {
  const shape: number[] = [];
  for (let level = value; Array.isArray(level); level = level[0]) shape.push(level.length);
  if (shape.length > 0 && shape.length <= 8) return shape;
  throw invalid(
    name,
    `${String(value).slice(0, 40)} is neither a tensor nor a list of numbers`,
    "Give a tensor or nested lists.",
  );
}

/** Nested lists as one float64 tensor; every list of a level must have one length. */
function flatten(name: InputName, value: NestedNumbers): TensorData<"float64"> {
  const shape = shapeOf(name, value);
  const data = new Float64Array(elementCount(shape));
  let next = 0;
  const visit = (item: unknown, level: number): void => {
    if (level === shape.length) {
      if (typeof item !== "number") throw invalid(name, `${String(item)} is not a number`, "Give numbers only.");
      data[next++] = item;
      return;
    }
    if (!Array.isArray(item) || item.length !== shape[level]) {
      const found = Array.isArray(item) ? item.length : String(item);
      throw invalid(name, `lists of different lengths (${shape[level]} and ${found})`, "Pad all rows to one length.");
    }
    for (const inner of item) visit(inner, level + 1);
  };
  visit(value, 0);
  return { dtype: "float64", shape, data };
}

function isWhole(tensor: TensorData): boolean {
  return (
    integerDTypes.includes(tensor.dtype) ||
    (tensor.dtype === "float64" && tensor.data.every((x) => Number.isInteger(Number(x))))
  );
}

function toInt32(name: InputName, tensor: TensorData, fromLists: boolean): TensorData<"int32"> {
  if (!(integerDTypes.includes(tensor.dtype) || (fromLists && isWhole(tensor)))) {
    throw new GraftError("dtype-mismatch", `${name} holds ${tensor.dtype}, not whole numbers`, "Give an int32 tensor.");
  }
  const data = allocate("int32", tensor.data.length);
  for (let i = 0; i < data.length; i++) {
    const value = Number(tensor.data[i]);
    data[i] = value;
    if (data[i] !== value) throw invalid(name, `${value} does not fit 32 bits`, "Check where the numbers come from.");
  }
  return { dtype: "int32", shape: tensor.shape, data };
}

function toFloats(name: InputName, tensor: TensorData): TensorData<"float32"> {
  if (name !== "labels" && !floatDTypes.includes(tensor.dtype)) {
    throw new GraftError(
      "dtype-mismatch",
      `${name} holds ${tensor.dtype}, not floats`,
      "Scale and normalise the pixels first, as the model's image processor does.",
    );
  }
  return { dtype: "float32", shape: tensor.shape, data: toFloat32(tensor) };
}

function checkShape(name: InputName, tensor: TensorData, rule: InputRule, sizes: Map<string, number>): void {
  const wrong = (fault: string) =>
    new GraftError(
      "shape-mismatch",
      `${name} has shape [${tensor.shape}], the model takes [${rule.shape}]: ${fault}`,
      "Prepare the inputs with the model's own tokenizer or image processor.",
    );
  if (tensor.shape.length !== rule.shape.length) throw wrong(`${rule.shape.length} axes are needed`);
  if (tensor.data.length !== elementCount(tensor.shape)) throw wrong(`there are ${tensor.data.length} elements`);
  for (const [axis, dim] of rule.shape.entries()) {
    const size = tensor.shape[axis] as number;
    if (size === 0) throw wrong(`it is empty`);
    if (typeof dim === "number") {
      if (size !== dim) throw wrong(`axis ${axis} must be ${dim}`);
      continue;
    }
    const known = sizes.get(dim) ?? size;
    if (known !== size) throw wrong(`${dim} is ${size} here and ${known} in another input`);
    sizes.set(dim, size);
  }
  const sequence = sizes.get("sequence") ?? 0;
  if (rule.longest && sequence > rule.longest.limit) {
    throw invalid(
      name,
      `a sequence of ${sequence} tokens, but the model reads at most ${rule.longest.limit} (${rule.longest.why})`,
      "Truncate the text to that length.",
    );
  }
}

function checkRange(name: InputName, tensor: TensorData, rule: InputRule): void {
  if (!rule.below) return;
  const { limit, why } = rule.below;
  const fault = tensor.data.findIndex((value) => !(value >= 0 && value < limit));
  if (fault < 0) return;
  throw new GraftError(
    name === "inputIds" ? "invalid-token" : "invalid-argument",
    `${name} holds ${tensor.data[fault]}; the model takes 0 to ${limit - 1} (${why})`,
    "Use the tokenizer that belongs to the model.",
  );
}

/** Labels as the problem type wants them, and their rule. */
function prepareLabels(
  network: Network,
  given: TensorData,
  fromLists: boolean,
): { tensor: TensorData; rule: InputRule } {
  const { config } = network;
  const problemType = resolveProblemType(config, given.shape.length === 1 && isWhole(given));
  const rule = labelRule(config, problemType);
  const invalidLabel = (value: unknown, allowed: string) =>
    new GraftError(
      "invalid-label",
      `labels hold ${value}; ${problemType} takes ${allowed}`,
      "Check the data set's labels against id2label.",
    );
  if (rule.dtype === "int32") {
    const tensor = toInt32("labels", given, fromLists);
    const wrong = tensor.data.find((label) => label !== -100 && (label < 0 || label >= config.numLabels));
    if (wrong !== undefined) throw invalidLabel(wrong, `0 to ${config.numLabels - 1}, or -100 for a row to ignore`);
    return { tensor, rule };
  }
  const floats = toFloats("labels", given);
  const isColumn = rule.shape.length === 1 && floats.shape.length === 2 && floats.shape[1] === 1;
  const tensor = isColumn ? { ...floats, shape: floats.shape.slice(0, 1) } : floats;
  const [low, high] = problemType === "regression" ? [-Number.MAX_VALUE, Number.MAX_VALUE] : [0, 1];
  const wrong = tensor.data.find((label) => !(label >= low && label <= high));
  if (wrong !== undefined)
    throw invalidLabel(wrong, problemType === "regression" ? "finite numbers" : "numbers from 0 to 1");
  return { tensor, rule };
}

function rulesOf(network: Network): readonly (readonly [InputName, InputRule])[] {
  return Object.entries(network.inputs) as [InputName, InputRule][];
}

function checkNames(network: Network, inputs: ModelInputs): void {
  const known = [...rulesOf(network).map(([name]) => name), ...(network.hasHead ? ["labels"] : [])];
  const given = Object.entries(inputs).flatMap(([name, value]) => (value === undefined ? [] : [name]));
  const unknown = given.filter((name) => !known.includes(name));
  const missing = rulesOf(network).filter(([name, rule]) => rule.required && inputs[name] === undefined);
  if (unknown.length === 0 && missing.length === 0) return;
  const faults = [...unknown.map((name) => `${name} is unknown`), ...missing.map(([name]) => `${name} is missing`)];
  throw new GraftError(
    "invalid-argument",
    `inputs of ${network.className}: ${faults.join(", ")}`,
    `It takes ${known.join(", ")}.`,
  );
}

/**
 * Checks what a model is called with and converts it to the engine's types. Lists become tensors, integers int32,
 * floats float32.
 * @throws GraftError `invalid-argument`, `invalid-token`, `invalid-label`, `shape-mismatch`, `dtype-mismatch`
 */
export function prepareInputs(network: Network, inputs: ModelInputs): PreparedInputs {
  checkNames(network, inputs);
  const feeds: Record<string, TensorData> = {};
  const rules: [InputName, InputRule][] = [];
  const sizes = new Map<string, number>();
  const add = (name: InputName, tensor: TensorData, rule: InputRule) => {
    checkShape(name, tensor, rule, sizes);
    checkRange(name, tensor, rule);
    feeds[inputNames[name]] = tensor;
    rules.push([name, rule]);
  };
  for (const [name, rule] of rulesOf(network)) {
    const value = inputs[name];
    if (value === undefined) continue;
    const given = isTensor(value) ? value : flatten(name, value);
    add(name, rule.dtype === "int32" ? toInt32(name, given, !isTensor(value)) : toFloats(name, given), rule);
  }
  if (inputs.labels !== undefined) {
    const given = isTensor(inputs.labels) ? inputs.labels : flatten("labels", inputs.labels);
    const { tensor, rule } = prepareLabels(network, given, !isTensor(inputs.labels));
    add("labels", tensor, rule);
  }
  return { feeds, rules };
}
