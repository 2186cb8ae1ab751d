import {
  createTrainingSession,
  type FrozenPrecisionReport,
  GraftError,
  Int8Precision,
  type PeftModel,
  type PreTrainedModel,
  type TrainingSession,
} from "graft-peft";
import { camelCase } from "#graft/case";
import type { ModelInputs } from "#graft/models/index";
import { loadClassifier } from "#graft/runs/models/open";
import type { BackendName } from "#graft/runtime/index";
import { openSafetensors, readAllTensors } from "#graft/safetensors/read";
import { type StepJobName, stepJobs } from "../jobs.js";

export type FrozenPrecision = "f32" | "int8";

/** What a Graft side is started with. */
export interface GraftSideOptions {
  readonly job: StepJobName;
  readonly model: string;
  readonly folder: string;
  readonly precision: FrozenPrecision;
  readonly threads: number;
  /** "cpu" by default. */
  readonly backend?: BackendName;
  readonly steps: number;
  /** As of `fromPretrained`; "float32" by default. */
  readonly storageDtype?: "float32" | "auto";
  /** Where ONNX Runtime's profiles go; undefined: no profile. */
  readonly profileFolder?: string;
  /** Rows that are run at once; whole batches by default. */
  readonly microBatch?: number | "auto";
  /** int8: the choice of an earlier process, taken again. */
  readonly knownPrecision?: FrozenPrecisionReport;
}

export async function readBatch(folder: string): Promise<ModelInputs> {
  const tensors = await readAllTensors(await openSafetensors(`${folder}/batch.safetensors`));
  return Object.fromEntries([...tensors].map(([name, tensor]) => [camelCase(name), tensor]));
}

/** The base with a head for the job's labels; the head's own values come with the adapter. */
export function loadBase({
  job,
  model,
  threads,
  backend = "cpu",
  profileFolder,
  storageDtype = "float32",
}: GraftSideOptions): Promise<PreTrainedModel> {
  const { kind, labels } = stepJobs[job];
  return loadClassifier(kind === "image" ? "image-classification" : "text-classification", model, {
    threads,
    backend,
    numLabels: labels,
    ignoreMismatchedSizes: true,
    onReport: () => {},
    storageDtype,
    ...(profileFolder !== undefined && { profileFolder }),
  });
}

/** AdamW without decay, as on the Python side. `onReport` is told what came of int8, unless it is known. */
export function openSession(
  model: PeftModel,
  { precision, knownPrecision, microBatch }: GraftSideOptions,
  onReport: (report: FrozenPrecisionReport) => void = () => {},
): TrainingSession {
  return createTrainingSession(model, {
    optimizer: "adamw",
    weightDecay: 0,
    ...(microBatch !== undefined && { microBatchSize: microBatch }),
    frozenPrecision: precision === "int8" ? new Int8Precision({ report: knownPrecision, onReport }) : "f32",
  });
}

/** Runs a side on the options in the last argument and prints its result, or its error, as one line of JSON. */
export async function runAsSide<O>(work: (options: O) => Promise<unknown>): Promise<void> {
  try {
    console.log(JSON.stringify(await work(JSON.parse(process.argv.at(-1) ?? "{}") as O)));
  } catch (error) {
    if (!(error instanceof GraftError)) throw error;
    console.log(JSON.stringify({ error: { code: error.code, message: error.message } }));
    process.exitCode = 1;
  }
}
