import { platform } from "#platform";
import { GraftError } from "../errors.js";
import { type ModelFiles, openWeights } from "../hub/index.js";
import type { Parameter, StorageDType } from "../nn/index.js";
import { type SafetensorsEntry, unreadableTensor } from "../safetensors/header.js";
import { readTensor } from "../safetensors/read.js";
import { type DType, floatDTypes, toFloat32 } from "../tensor-data.js";
import { matchNames } from "./checkpoint-names.js";
import { fileSource } from "./file-source.js";
import { type LoadingReport, listSome, type MismatchedKey } from "./loading-report.js";
import type { Network } from "./network.js";

export interface WeightOptions {
  /** Give tensors of another shape fresh values instead of failing. Default false. */
  readonly ignoreMismatchedSizes?: boolean;
  /** Begin with a new classifier, even where the file holds one of its shape: its classes are others. Default false. */
  readonly newHead?: boolean;
  /**
   * Give tensors that the file lacks below the head fresh values instead of failing: what such a model says means nothing
   * until they are trained. A missing head or pooler is always begun anew, and told. Default false.
   */
  readonly allowMissing?: boolean;
  /** Seed of fresh values. Default 0. */
  readonly seed?: number;
  /**
   * What weights are kept in. "float32" (default): half-precision tensors are converted once, in memory. "auto": they stay
   * as the checkpoint has them, in Node in their file, and are cast wherever a product reads them: half the memory, at
   * a cost in time. Weights that are trained are float32 either way, and so is all arithmetic.
   */
  readonly storageDtype?: "float32" | "auto";
}

/** The last layer of a classifier, whose rows are its classes. */
const isClassLayer = (name: string): boolean => /(^|\.)(classifier|score)(\.out_proj)?\.(weight|bias)$/.test(name);

/** Tensors that belong to no head; a pooler is often missing, since masked language models have none. */
function bodyOf(names: readonly string[], all: ReadonlySet<string>, basePrefix: string): string[] {
  const prefix = [...all].some((name) => name.startsWith(`${basePrefix}.`)) ? `${basePrefix}.` : "";
  return names.filter((name) => name.startsWith(prefix) && !/(^|\.)pooler\./.test(name));
}

function refuseMissing(missing: readonly string[], unexpected: readonly string[], path: string): void {
  if (missing.length === 0) return;
  // "module.bert.encoder..." beside a missing "bert.encoder..." is the same tensor under a wrapper's name.
  const wrapped = unexpected.find((name) => missing.some((one) => name.endsWith(`.${one}`)));
  const prefix = wrapped?.slice(0, -(missing.find((one) => wrapped.endsWith(`.${one}`)) ?? "").length);
  throw new GraftError(
    "missing-tensor",
    `${path} lacks ${missing.length} tensors of the model: ${listSome(missing, 3)}`,
    prefix === undefined
      ? "The checkpoint is incomplete, or config.json describes a larger model: fetch the folder again. allowMissing: true begins these tensors with random values."
      : `It holds some of them under the prefix "${prefix}": save the model itself, not the wrapper around it. allowMissing: true begins them with random values.`,
  );
}

/** No fresh tensor is larger: a config that claims more is broken. */
const LARGEST_FRESH = 2 ** 30;

const storageDtypes: readonly DType[] = ["float32", "float16", "bfloat16"] satisfies StorageDType[];

const isStorage = (dtype: DType): dtype is StorageDType => storageDtypes.includes(dtype);

/**
 * Gives a parameter its elements. Those of its storage dtype stay in their file, which the engine maps; others are
 * converted once, and where there are no files to map all are read.
 */
async function load(parameter: Parameter, entry: SafetensorsEntry, storageDtype: "float32" | "auto"): Promise<void> {
  const { offset, dtype, shape, name } = entry;
  if (!floatDTypes.includes(dtype)) {
    throw new GraftError(
      "dtype-mismatch",
      `tensor ${name} of ${entry.file} holds ${dtype}, the model needs floats`,
      "Quantised checkpoints cannot be read: take the float version of the model.",
    );
  }
  const storage = storageDtype === "auto" && isStorage(dtype) ? dtype : "float32";
  const isMapped = platform.name === "node" && dtype === storage && entry.byteLength > 0 && !entry.gather;
  const isAligned = offset % (storage === "float32" ? 4 : 2) === 0;
  if (isMapped && isAligned) parameter.source = fileSource(entry);
  else {
    const data = await readTensor(entry);
    parameter.source = {
      kind: "memory",
      data: dtype === storage ? data : { dtype: "float32", shape, data: toFloat32(data) },
    };
  }
  parameter.storage = storage;
}

/** Fresh values by each parameter's own initialiser. @throws GraftError `invalid-config` for sizes no model has */
export function initializeAll(parameters: Iterable<Parameter>, seed: number): void {
  for (const parameter of parameters) {
    if (parameter.elementCount > LARGEST_FRESH) {
      throw new GraftError(
        "invalid-config",
        `${parameter.name} of shape [${parameter.shape}] would be created with ${parameter.elementCount} elements`,
        "Check the sizes in config.json against the checkpoint.",
      );
    }
    parameter.initialize(seed);
  }
}

function refuseMismatches(mismatched: readonly MismatchedKey[], path: string): void {
  const shapes = mismatched.map(
    ({ name, checkpointShape, modelShape }) =>
      `${name} is [${checkpointShape}] in the file and [${modelShape}] in the model`,
  );
  throw new GraftError(
    "shape-mismatch",
    `${path}: ${listSome(shapes)}`,
    "Pass ignoreMismatchedSizes: true to start these tensors afresh (a new head), or a config that fits the file.",
  );
}

/**
 * Gives a network the tensors of a folder's checkpoint.
 * @throws GraftError `shape-mismatch` (without ignoreMismatchedSizes), `missing-tensor` when not one tensor fits
 *   and when some below the head are missing (without allowMissing), `dtype-mismatch`, `unsupported` for a needed tensor
 *   of a dtype that Graft does not read, and what opening the files throws
 */
export async function loadWeights(
  network: Network,
  files: ModelFiles,
  basePrefix: string,
  {
    ignoreMismatchedSizes = false,
    newHead = false,
    allowMissing = false,
    seed = 0,
    storageDtype = "float32",
  }: WeightOptions,
): Promise<LoadingReport> {
  const checkpoint = await openWeights(files);
  const { entries, unreadable } = checkpoint;
  const [path] = checkpoint.files as [string];
  const names = [...entries.keys(), ...unreadable.keys()];
  const parameters = [...network.parameters()];
  const tied = [...network.tiedParameters()];
  const wanted = new Set([...parameters.map(({ name }) => name), ...tied.map(([name]) => name)]);
  const { found, unexpected } = matchNames(names, wanted, network.names, basePrefix);
  if (found.size === 0) {
    throw new GraftError(
      "missing-tensor",
      `${path} holds none of the tensors of a ${network.className} (${listSome(
        parameters.map(({ name }) => name),
        2,
      )}), but ${listSome(names, 3) || "nothing"}`,
      "Check that config.json and the checkpoint belong together.",
    );
  }
  const missing: Parameter[] = [];
  const mismatched: MismatchedKey[] = [];
  const replaced: string[] = [];
  const fresh: Parameter[] = [];
  const loaded: [Parameter, SafetensorsEntry][] = [];
  for (const parameter of parameters) {
    const ownNames = [parameter.name, ...tied.flatMap(([name, one]) => (one === parameter ? [name] : []))];
    const ownName = ownNames.find((name) => found.has(name));
    const name = ownName === undefined ? "" : (found.get(ownName) as string);
    const odd = unreadable.get(name);
    if (odd !== undefined) throw unreadableTensor(name, odd, path);
    const entry = entries.get(name);
    if (!entry) {
      missing.push(parameter);
      fresh.push(parameter);
    } else if (entry.shape.join() !== parameter.shape.join()) {
      mismatched.push({ name: parameter.name, checkpointShape: entry.shape, modelShape: parameter.shape });
      fresh.push(parameter);
    } else if (newHead && isClassLayer(parameter.name)) {
      replaced.push(parameter.name);
      fresh.push(parameter);
    } else {
      loaded.push([parameter, entry]);
    }
  }
  const missingNames = missing.map(({ name }) => name);
  if (!allowMissing) refuseMissing(bodyOf(missingNames, wanted, basePrefix), unexpected, path);
  if (mismatched.length > 0 && !ignoreMismatchedSizes) refuseMismatches(mismatched, path);
  for (const [parameter, entry] of loaded) await load(parameter, entry, storageDtype);
  initializeAll(fresh, seed);
  return {
    missingKeys: missingNames,
    unexpectedKeys: unexpected,
    mismatchedKeys: mismatched,
    replacedKeys: replaced,
    newlyInitialized: fresh.map((parameter) => parameter.name),
  };
}
