import { snakeCase } from "../case.js";
import { GraftError } from "../errors.js";
import { type Bindings, bindingFault, declareShape, emptyBindings, expressionFault } from "../graph/index.js";
import { elementCount, type TensorData } from "../tensor-data.js";
import { givenInput, invalidInput, isWhole, toFloats, toInt32 } from "./convert-inputs.js";
import type { LabelRule } from "./heads/head.js";
import type { ModelInputs } from "./inputs.js";
import type { Network } from "./network.js";
import { type Port, portsOf } from "./ports.js";

/** The inputs of a call and what they are, in the order in which programs have them. */
export type InputPorts = readonly (readonly [name: string, port: Port])[];

/** Inputs that have been checked and converted. */
export interface PreparedInputs {
  /** By graph name (`input_ids`). */
  readonly feeds: Readonly<Record<string, TensorData>>;
  /** What each input is. */
  readonly rules: InputPorts;
}

interface Prepared {
  readonly name: string;
  readonly port: Port;
  readonly tensor: TensorData;
}

/** Numbers of the data set's rows that a batch holds; messages name them. */
type Rows = readonly number[] | undefined;

function wrongShape({ name, tensor, port }: Prepared, fault: string): GraftError {
  return new GraftError(
    "shape-mismatch",
    `${name} has shape [${tensor.shape}], the model takes [${port.shape}]: ${fault}`,
    "Prepare the inputs with the model's own tokenizer or image processor.",
  );
}

function checkShape(input: Prepared, bindings: Bindings): void {
  const { name, tensor, port } = input;
  const fault = bindingFault(declareShape(port.shape), tensor.shape, name, bindings);
  if (fault) throw wrongShape(input, fault);
  if (tensor.data.length !== elementCount(tensor.shape)) {
    throw wrongShape(input, `there are ${tensor.data.length} elements`);
  }
  if (tensor.shape.includes(0)) throw wrongShape(input, "it is empty");
}

function checkExpressions(input: Prepared, bindings: Bindings): void {
  const fault = expressionFault(declareShape(input.port.shape), input.tensor.shape, bindings);
  if (fault) throw wrongShape(input, fault);
}

function checkLength({ name, port }: Prepared, { values }: Bindings, virtualTokens: number): void {
  if (!port.longest) return;
  const sequence = values.sequence ?? 0;
  const limit = port.longest.limit - virtualTokens;
  if (sequence <= limit) return;
  const why = virtualTokens === 0 ? port.longest.why : `${port.longest.why}, less ${virtualTokens} virtual tokens`;
  throw invalidInput(
    name,
    `a sequence of ${sequence} tokens, but the model reads at most ${limit} (${why})`,
    `Truncate the text to that length (maxLength ${limit} when tokenising).`,
  );
}

function checkRows({ name, port: { rows } }: Prepared, { values: { batch = 0 } }: Bindings): void {
  if (!rows || batch <= rows.limit) return;
  throw invalidInput(name, `${batch} rows, but the model takes at most ${rows.limit} (${rows.why})`, rows.hint);
}

/** The place of an element in words: "row 17" of the data set, "row 17, token 3" where a row holds several. */
function placeOf(rows: readonly number[], { shape, data }: TensorData, index: number): string {
  const perRow = data.length / (shape[0] ?? 1);
  const row = `row ${rows[Math.floor(index / perRow)]}`;
  return perRow === 1 ? row : `${row}, position ${index % perRow},`;
}

function checkRange({ name, tensor, port }: Prepared, rows: Rows): void {
  if (!port.below) return;
  const { limit, why } = port.below;
  const fault = tensor.data.findIndex((value) => !(value >= 0 && value < limit));
  if (fault < 0) return;
  const isToken = name === "inputIds";
  const where = rows
    ? `${placeOf(rows, tensor, fault)} holds ${isToken ? "the token id" : `the ${name}`}`
    : `${name} holds`;
  throw new GraftError(
    isToken ? "invalid-token" : "invalid-argument",
    `${where} ${tensor.data[fault]}; the model takes 0 to ${limit - 1} (${why})`,
    "Use the tokenizer that belongs to the model: the one in its folder.",
  );
}

function checkLabels(tensor: TensorData, { range: [least, largest], padding, takes }: LabelRule, rows: Rows): void {
  const fault = tensor.data.findIndex((label) => label !== padding && !(label >= least && label <= largest));
  if (fault < 0) return;
  const where = rows ? `${placeOf(rows, tensor, fault)} has the label` : "labels hold";
  throw new GraftError(
    "invalid-label",
    `${where} ${tensor.data[fault]}; ${takes}`,
    "Check the data set's labels against id2label, or load the model with the data's label2id.",
  );
}

/** Labels as the model's head wants them. */
function prepareLabels(network: Network, value: NonNullable<ModelInputs[string]>, rows: Rows): Prepared | undefined {
  const given = givenInput("labels", value);
  const rule = network.head?.labels({ shape: given.tensor.shape, areWhole: isWhole(given.tensor) });
  if (rule === undefined) return undefined;
  const { dtype, shape } = rule;
  const tensor = dtype === "int32" ? toInt32("labels", given) : toFloats("labels", given, true);
  checkLabels(tensor, rule, rows);
  const isColumn = shape.length === 1 && tensor.shape.length === 2 && tensor.shape[1] === 1 && dtype === "float32";
  return {
    name: "labels",
    port: { dtype, shape },
    tensor: isColumn ? { ...tensor, shape: tensor.shape.slice(0, 1) } : tensor,
  };
}

function checkNames(network: Network, inputs: ModelInputs): void {
  const ports = portsOf(network.inputs);
  const known = [...ports.map(([name]) => name), ...(network.head ? ["labels"] : [])];
  const given = Object.entries(inputs).flatMap(([name, value]) => (value === undefined ? [] : [name]));
  const unknown = given.filter((name) => !known.includes(name));
  const missing = ports.filter(([name, port]) => port.required && inputs[name] === undefined);
  if (unknown.length === 0 && missing.length === 0) return;
  const faults = [...unknown.map((name) => `${name} is unknown`), ...missing.map(([name]) => `${name} is missing`)];
  throw new GraftError(
    "invalid-argument",
    `inputs of ${network.className}: ${faults.join(", ")}`,
    `It takes ${known.join(", ")}.`,
  );
}

function convert(network: Network, inputs: ModelInputs): Prepared[] {
  return portsOf(network.inputs).flatMap(([name, port]) => {
    const value = inputs[name];
    if (value === undefined) return [];
    const given = givenInput(name, value);
    return [{ name, port, tensor: port.dtype === "int32" ? toInt32(name, given) : toFloats(name, given) }];
  });
}

/**
 * Checks what a model is called with and converts it to the engine's types: the one place where a batch is compared
 * with a model. Lists become tensors, integers int32, floats float32.
 * @param rows the data set's numbers of the batch's rows, for messages
 * @throws GraftError `invalid-argument`, `invalid-token`, `invalid-label`, `shape-mismatch`, `dtype-mismatch`
 */
export function prepareInputs(network: Network, inputs: ModelInputs, rows?: readonly number[]): PreparedInputs {
  checkNames(network, inputs);
  const prepared = convert(network, inputs);
  const labels = inputs.labels === undefined ? undefined : prepareLabels(network, inputs.labels, rows);
  if (labels) prepared.push(labels);
  const bindings = emptyBindings();
  for (const input of prepared) {
    checkShape(input, bindings);
    checkLength(input, bindings, network.virtualTokens);
    checkRows(input, bindings);
    checkRange(input, rows);
  }
  for (const input of prepared) checkExpressions(input, bindings);
  return {
    feeds: Object.fromEntries(prepared.map(({ name, tensor }) => [snakeCase(name), tensor])),
    rules: prepared.map(({ name, port }) => [name, port] as const),
  };
}
