import { platform } from "#platform";
import { plainMetrics } from "../../runs/data/metrics.js";
import { methodOf, type PreparedRun, type RunResult } from "../../runs/index.js";
import type { TrainOutput } from "../../training/index.js";
import { formatBytes, formatCount, formatDuration, formatNumber } from "./format.js";
import { renderPairs } from "./table.js";

type Numbers = Readonly<Record<string, number>>;

/** What `graft train --json` prints. */
export interface TrainingResult {
  readonly output: string;
  /** What the output folder holds: full fine-tuning writes a model. */
  readonly kind: "adapter" | "model";
  readonly stopReason: TrainOutput["stopReason"];
  readonly checkpoint: string | null;
  readonly steps: number;
  readonly epochs: number;
  readonly parameters: { readonly trainable: number; readonly all: number };
  readonly labels: readonly string[];
  readonly peakMemoryBytes: number | null;
  /** As transformers names them: train_runtime, train_loss, ... */
  readonly train: Numbers;
  /** eval_loss, eval_accuracy, ...; null without evaluation data or after Ctrl-C. */
  readonly eval: Numbers | null;
  /**
   * int8_loss, int8_accuracy, ...: the evaluation, or the test where there is no evaluation data, with the int8 products of
   * training; null where it was float32.
   */
  readonly evalInInt8: Numbers | null;
  /** test_loss, test_accuracy, ... */
  readonly test: Numbers | null;
}

export function trainingResult(
  { run, model, settings }: PreparedRun,
  { output, scores, int8Scores, tests }: RunResult,
): TrainingResult {
  const [trainable, all] = model.getNbTrainableParameters();
  return {
    output: run.output,
    kind: methodOf(run).isWholeModel ? "model" : "adapter",
    stopReason: output.stopReason,
    checkpoint: output.checkpoint,
    steps: output.globalStep,
    epochs: Number(output.metrics.epoch ?? 0),
    parameters: { trainable, all },
    labels: Object.values(settings.labels?.id2label ?? {}),
    peakMemoryBytes: platform.memoryUsage()?.peakRss ?? null,
    train: output.metrics as Numbers,
    eval: scores ?? null,
    evalInInt8: int8Scores ?? null,
    test: tests ?? null,
  };
}

function scoreRows(name: string, prefix: string, metrics: Numbers | null): [string, string][] {
  if (metrics === null) return [];
  return Object.entries(plainMetrics(metrics, prefix)).map(([key, value]) => [`${name} ${key}`, formatNumber(value)]);
}

const ends: { readonly [R in TrainOutput["stopReason"]]: string } = {
  completed: "",
  callback: ", stopped by a callback",
  aborted: ", interrupted",
};

/** The result for people. */
export function trainingReport(result: TrainingResult): string {
  const { train, steps, epochs, peakMemoryBytes, kind, output, stopReason } = result;
  const inInt8 = scoreRows(result.eval ? "eval in int8" : "test in int8", "int8", result.evalInInt8);
  return renderPairs([
    [
      "steps",
      `${formatCount(steps)} (${formatNumber(epochs)} ${epochs === 1 ? "epoch" : "epochs"}${ends[stopReason]})`,
    ],
    ["time", formatDuration(train.train_runtime ?? 0)],
    ["rows per second", formatNumber(train.train_samples_per_second ?? 0)],
    ["mean loss", formatNumber(train.train_loss ?? 0)],
    ...scoreRows("eval", "eval", result.eval),
    ...(result.eval ? inInt8 : []),
    ...scoreRows("test", "test", result.test),
    ...(result.eval ? [] : inInt8),
    ...(peakMemoryBytes === null ? [] : [["peak memory", formatBytes(peakMemoryBytes)] as const]),
    [kind, output],
  ]);
}
