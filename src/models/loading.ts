import { platform } from "#platform";
import { GraftError } from "../errors.js";
import { type ModelFiles, openWeights } from "../hub/index.js";
import type { Parameter, ParameterSource } from "../nn/index.js";
import { type SafetensorsEntry, unreadableTensor } from "../safetensors/header.js";
import { readTensor } from "../safetensors/read.js";
import { floatDTypes, toFloat32 } from "../tensor-data.js";
import { matchNames } from "./checkpoint-names.js";
import { fileSource } from "./file-source.js";
import { type LoadingReport, listSome, type MismatchedKey } from "./loading-report.js";
import type { Network } from "./network.js";

export interface WeightOptions {
  /** Give tensors of another shape fresh values instead of failing. Default false. */
  readonly ignoreMismatchedSizes?: boolean;
  /** Seed of fresh values. Default 0. */
  readonly seed?: number;
}

/** No fresh tensor is larger: a config that claims more is broken. */
const LARGEST_FRESH = 2 ** 30;

/**
 * Where a parameter's elements are. float32 stays in its file, which the engine maps; other types are converted once,
 * and so is everything where there are no files to map.
 */
async function sourceOf(entry: SafetensorsEntry): Promise<ParameterSource> {
  const { offset, byteLength, dtype, shape, name } = entry;
  if (!floatDTypes.includes(dtype)) {
    throw new GraftError(
      "dtype-mismatch",
      `tensor ${name} of ${entry.file} holds ${dtype}, the model needs floats`,
      "Quantised checkpoints cannot be read: take the float version of the model.",
    );
  }
  if (platform.name === "node" && dtype === "float32" && offset % 4 === 0 && byteLength > 0) {
    return fileSource(entry);
  }
  return { kind: "memory", data: { dtype: "float32", shape, data: toFloat32(await readTensor(entry)) } };
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
 * @throws GraftError `shape-mismatch` (without ignoreMismatchedSizes), `missing-tensor` when not one tensor fits,
 *   `dtype-mismatch`, `unsupported` for a needed tensor of a dtype that Graft does not read, and what opening the files throws
 */
export async function loadWeights(
  network: Network,
  files: ModelFiles,
  basePrefix: string,
  { ignoreMismatchedSizes = false, seed = 0 }: WeightOptions,
): Promise<LoadingReport> {
  const checkpoint = await openWeights(files);
  const { entries, unreadable } = checkpoint;
  const [path] = checkpoint.files as [string];
  const names = [...entries.keys(), ...unreadable.keys()];
  const parameters = [...network.parameters()];
  const { found, unexpected } = matchNames(
    names,
    new Set(parameters.map(({ name }) => name)),
    network.names,
    basePrefix,
  );
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
  const fresh: Parameter[] = [];
  const loaded: [Parameter, SafetensorsEntry][] = [];
  for (const parameter of parameters) {
    const name = found.get(parameter.name) ?? "";
    const odd = unreadable.get(name);
    if (odd !== undefined) throw unreadableTensor(name, odd, path);
    const entry = entries.get(name);
    if (!entry) {
      missing.push(parameter);
      fresh.push(parameter);
    } else if (entry.shape.join() !== parameter.shape.join()) {
      mismatched.push({ name: parameter.name, checkpointShape: entry.shape, modelShape: parameter.shape });
      fresh.push(parameter);
    } else {
      loaded.push([parameter, entry]);
    }
  }
  if (mismatched.length > 0 && !ignoreMismatchedSizes) refuseMismatches(mismatched, path);
  for (const [parameter, entry] of loaded) parameter.source = await sourceOf(entry);
  initializeAll(fresh, seed);
  return {
    missingKeys: missing.map((parameter) => parameter.name),
    unexpectedKeys: unexpected,
    mismatchedKeys: mismatched,
    newlyInitialized: fresh.map((parameter) => parameter.name),
  };
}
