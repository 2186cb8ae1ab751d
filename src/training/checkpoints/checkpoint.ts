import { platform } from "#platform";
import { GraftError } from "../../errors.js";
import { parseJson } from "../../json.js";
import { type OptimizerName, optimizers } from "../../optim/index.js";
import { type FrozenPrecisionReport, writePrecisionReport } from "../../precision/index.js";
import type { OptimizerState } from "../../runtime/index.js";
import { openSafetensors, readAllTensors } from "../../safetensors/read.js";
import { writeSafetensors } from "../../safetensors/write.js";
import type { TensorData } from "../../tensor-data.js";
import type { TrainingArgumentName, TrainingArguments } from "../arguments/index.js";
import { type MicroBatchReport, writeMicroBatchReport } from "../micro-batches/report.js";
import { stateFromJson, stateToJson, type TrainerState } from "./state.js";

const OPTIMIZER = "optimizer.safetensors";
const STATE = "trainer_state.json";
const ARGUMENTS = "training_args.json";

/** Something whose files belong beside a model's: a `Tokenizer`, an `ImageProcessor`, or one's own. */
export interface Savable {
  savePretrained(folder: string): Promise<void>;
  /** Also what training needs to go on and `savePretrained` leaves out, where there is such. */
  saveTrained?(folder: string): Promise<void>;
}

/** What a checkpoint folder is written from. */
export interface CheckpointContents {
  /** The model, and its tokenizer or image processor. */
  readonly saved: readonly Savable[];
  readonly optimizer: OptimizerState | undefined;
  /** What was decided about int8, where the run asks for it. */
  readonly precision: FrozenPrecisionReport | undefined;
  /** How batches are cut, where the run found that out. */
  readonly cut: MicroBatchReport | undefined;
  readonly state: TrainerState;
  readonly args: TrainingArguments;
}

/** Where the checkpoint of an update lies. */
export function checkpointPath(outputDir: string, step: number): string {
  return platform.join(outputDir, `checkpoint-${step}`);
}

/** Writes a checkpoint folder, whole or not at all: model, optimizer.safetensors, trainer_state.json, training_args.json. */
export async function writeCheckpoint(path: string, contents: CheckpointContents): Promise<void> {
  const { saved, optimizer, precision, cut, state, args } = contents;
  await platform.writeFolderAtomic(path, async (folder) => {
    for (const one of saved) await (one.saveTrained?.(folder) ?? one.savePretrained(folder));
    if (optimizer) {
      const metadata = { optimizer: optimizer.optimizer, step: String(optimizer.step) };
      await writeSafetensors(platform.join(folder, OPTIMIZER), new Map(Object.entries(optimizer.tensors)), metadata);
    }
    if (precision) await writePrecisionReport(folder, precision);
    if (cut) await writeMicroBatchReport(folder, cut);
    await platform.writeFileAtomic(platform.join(folder, STATE), stateToJson(state));
    const { warnings: _, ...values } = args;
    await platform.writeFileAtomic(platform.join(folder, ARGUMENTS), `${JSON.stringify(values, null, 2)}\n`);
  });
}

/** What a run goes on from, the model's weights aside. */
export interface ResumePoint {
  readonly folder: string;
  readonly state: TrainerState;
  readonly optimizer: OptimizerState;
  /** The options of the run that wrote it, where they are there. */
  readonly args: Readonly<Record<string, unknown>>;
}

/** @throws GraftError `file-not-found`, `invalid-json`, `invalid-config`, `invalid-safetensors` for a folder that is no checkpoint */
export async function readCheckpoint(folder: string): Promise<ResumePoint> {
  for (const name of [STATE, OPTIMIZER]) {
    if (await platform.exists(platform.join(folder, name))) continue;
    throw new GraftError(
      "file-not-found",
      `${folder} is not a checkpoint: it has no ${name}`,
      "Give a checkpoint-<step> folder that the Trainer wrote, or true for the last one of outputDir.",
    );
  }
  const statePath = platform.join(folder, STATE);
  const state = stateFromJson(await platform.readText(statePath), statePath);
  // The best checkpoint may have been removed, or have stayed on another machine.
  const best = state.bestModelCheckpoint;
  if (best !== null && !(await platform.isDirectory(best))) state.bestModelCheckpoint = null;
  const file = await openSafetensors(platform.join(folder, OPTIMIZER));
  const { optimizer: name = "", step = "" } = file.metadata;
  if (!Object.hasOwn(optimizers, name) || Number(step) !== state.globalStep) {
    throw new GraftError(
      "invalid-config",
      `${platform.join(folder, OPTIMIZER)} is of optimiser "${name}" at step "${step}", the state of step ${state.globalStep}`,
      "The folder's files do not belong together: resume from another checkpoint.",
    );
  }
  const tensors = Object.fromEntries(await readAllTensors(file)) as Record<string, TensorData<"float32">>;
  const args = await readArguments(platform.join(folder, ARGUMENTS));
  return { folder, state, optimizer: { optimizer: name as OptimizerName, step: Number(step), tensors }, args };
}

async function readArguments(path: string): Promise<Readonly<Record<string, unknown>>> {
  if (!(await platform.exists(path))) return {};
  const json = parseJson(await platform.readText(path), path);
  return typeof json === "object" && json !== null ? (json as Record<string, unknown>) : {};
}

/** Options that decide the course of a run: with another value a resumed run is not the one that was interrupted. */
const decisive: readonly TrainingArgumentName[] = [
  "perDeviceTrainBatchSize",
  "gradientAccumulationSteps",
  "numTrainEpochs",
  "maxSteps",
  "learningRate",
  "lrSchedulerType",
  "warmupSteps",
  "optim",
  "weightDecay",
  "adamBeta1",
  "adamBeta2",
  "adamEpsilon",
  "loraplusLrRatio",
  "loraplusLrEmbedding",
  "maxGradNorm",
  "seed",
  "dataSeed",
  "trainSamplingStrategy",
  "dataloaderDropLast",
  "frozenPrecision",
  "microBatchSize",
  "autoMicroBatch",
  "maxMemory",
];

/** What is set otherwise than in the interrupted run, e.g. "seed (7, was 42)". */
export function changedArguments({ args: old }: ResumePoint, args: TrainingArguments): string[] {
  return decisive
    .filter((name) => old[name] !== undefined && old[name] !== args[name])
    .map((name) => `${name} (${String(args[name])}, was ${String(old[name])})`);
}

/** The checkpoints of a folder with their steps, oldest first. */
export async function listCheckpoints(outputDir: string): Promise<{ path: string; step: number }[]> {
  if (!(await platform.isDirectory(outputDir))) return [];
  const found = (await platform.listDirectory(outputDir)).flatMap(({ name, isDirectory }) => {
    const match = /^checkpoint-(\d+)$/.exec(name);
    return match && isDirectory ? [{ path: platform.join(outputDir, name), step: Number(match[1]) }] : [];
  });
  return found.sort((a, b) => a.step - b.step);
}

/** The last checkpoint of a folder; one that a kill caught while it was replaced comes back first. @throws GraftError `file-not-found` where there is none */
export async function lastCheckpoint(outputDir: string): Promise<string> {
  await platform.mendInterruptedWrites(outputDir);
  const last = (await listCheckpoints(outputDir)).at(-1);
  if (last) return last.path;
  throw new GraftError(
    "file-not-found",
    `${outputDir} has no checkpoint to resume from`,
    "Train without resumeFromCheckpoint first, or name the folder of a checkpoint.",
  );
}

/**
 * Removes the oldest checkpoints beyond a limit; the best one and the one just written stay.
 * @param own checkpoints of the run, the one just written last; others in the folder count as older
 * @param best folder of the best checkpoint, if there is one
 */
export async function removeOldCheckpoints(
  outputDir: string,
  limit: number,
  own: readonly string[],
  best: string | null,
): Promise<void> {
  const all = (await listCheckpoints(outputDir)).map(({ path }) => path);
  const oldestFirst = [...all.filter((path) => !own.includes(path)), ...own.filter((path) => all.includes(path))];
  const kept = new Set([...oldestFirst.slice(-1), ...(best === null ? [] : [best])]);
  const removable = oldestFirst.filter((path) => !kept.has(path));
  for (const path of removable.slice(0, Math.max(0, all.length - Math.max(limit, kept.size)))) {
    await platform.remove(path);
  }
}
