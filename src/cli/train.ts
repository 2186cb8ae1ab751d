import { Command, Option } from "commander";
import { platform } from "#platform";
import { GraftError } from "../errors.js";
import { removeStaleTemporaries } from "../platform/node-temporaries.js";
import { lastCheckpoint, precisionFile, requireWritable, Trainer } from "../training/index.js";
import { sectionNames } from "./run-file/fields.js";
import { addRunFlags, readRun, settingsOfLoraLine } from "./run-file/flags.js";
import { type Run, runOf } from "./run-file/run.js";
import { InterruptedError, UsageError } from "./shell/errors.js";
import { withExamples } from "./shell/examples.js";
import { interruptSignal } from "./shell/interrupt.js";
import { note, print, printJson, warn } from "./shell/print.js";
import { runProgress } from "./shell/progress.js";
import { trainingReport, trainingResult } from "./shell/training-report.js";
import { Companions } from "./work/companions.js";
import { computeMetricsOf } from "./work/metrics.js";
import { checkRunFolder } from "./work/output-folder.js";
import { type CompleteRun, type PreparedTraining, prepareTraining } from "./work/prepare-training.js";
import { checkResumed } from "./work/resume.js";
import { saveRun } from "./work/save-run.js";

interface TrainFlags {
  readonly lora?: string;
  readonly resume?: string | true;
  readonly overwrite?: true;
  readonly json?: true;
}

/** @throws UsageError naming what a run lacks */
function complete(run: Run): CompleteRun {
  const missing = [
    ...(run.model === undefined ? ["model"] : []),
    ...(run.data.train === undefined ? ["train"] : []),
    ...(run.output === undefined ? ["output"] : []),
  ];
  const [first] = missing;
  if (first === undefined) return run as CompleteRun;
  const key = first === "train" ? "data.train" : first;
  throw new UsageError(
    `${missing.map((name) => `--${name}`).join(", ")} missing`,
    `Give the flag, or the key ${key} in a run file.`,
  );
}

/** A fresh run begins with a folder that holds nothing of an older one. */
async function clearFolder(output: string): Promise<void> {
  if (!(await platform.exists(output))) return;
  for (const { name } of await platform.listDirectory(output)) {
    const isOfRun = name === "events.jsonl" || name === precisionFile || /^checkpoint-\d+$/.test(name);
    if (isOfRun) await platform.remove(platform.join(output, name));
  }
}

function announce(run: CompleteRun, { model, settings, train, evaluation, test }: PreparedTraining): void {
  const rows = (data: typeof test) => (data ? `${data.examples.length} rows of ${data.path}` : "none");
  note(
    `model  ${run.model} (${model.network.className}), ${settings.labels ? `${settings.labels.numLabels} labels` : "regression"}`,
  );
  note(`data   train ${rows(train)}; eval ${rows(evaluation)}; test ${rows(test)}`);
}

/** The evaluation of the weights that the run ends with, where it has made one already. */
function knownScores({ state, args }: Pick<Trainer<unknown>, "state" | "args">): Record<string, number> | undefined {
  const kept = args.loadBestModelAtEnd ? (state.bestGlobalStep ?? state.globalStep) : state.globalStep;
  return state.logHistory.findLast((entry) => entry.eval_loss !== undefined && entry.step === kept);
}

async function train(file: string | undefined, flags: TrainFlags): Promise<void> {
  if (typeof flags.resume === "string" && /\.ya?ml$/i.test(flags.resume)) {
    throw new UsageError(
      `--resume ${flags.resume} names a run file, not a checkpoint`,
      `Write the run file first: graft train ${flags.resume} --resume.`,
    );
  }
  const read = await readRun(file, flags as Record<string, unknown>, sectionNames);
  const extra = flags.lora === undefined ? {} : runOf(settingsOfLoraLine(flags.lora)).lora;
  const run = complete({ ...read, lora: { ...read.lora, ...extra } });
  if (flags.resume === undefined) await checkRunFolder(run.output, run.model, flags.overwrite ?? false);
  const prepared = await prepareTraining(run);
  const { model, args, processing, settings } = prepared;
  if (flags.resume !== undefined) {
    const checkpoint = flags.resume === true ? await lastCheckpoint(run.output) : flags.resume;
    await checkResumed(checkpoint, run, prepared);
  }
  announce(run, prepared);
  if (flags.json) note(model.trainableParametersLine());
  else print(model.trainableParametersLine());
  const progress = runProgress();
  const interrupt = interruptSignal(() => progress.stop());
  try {
    const datasets = {
      trainDataset: processing.dataset(prepared.train.examples, "train"),
      ...(prepared.evaluation && { evalDataset: processing.dataset(prepared.evaluation.examples, "evaluate") }),
    };
    const test = prepared.test && processing.dataset(prepared.test.examples, "evaluate");
    const trainer = new Trainer({
      model,
      args,
      ...datasets,
      dataCollator: processing.collate,
      computeMetrics: computeMetricsOf(run.metrics, model.config, settings.problemType === "regression"),
      callbacks: [progress],
      processingClass: new Companions(run.model, settings),
      onWarning: warn,
      onInfo: note,
    });
    if (flags.resume === undefined) await clearFolder(run.output);
    await removeStaleTemporaries(run.output);
    await requireWritable(run.output);
    const output = await trainer.train({ signal: interrupt.signal, resumeFromCheckpoint: flags.resume ?? false });
    await saveRun(trainer, run.output);
    // The memory of the training program serves the evaluations.
    await model.runner.invalidate();
    const isStopped = output.stopReason === "aborted";
    const { signal } = interrupt;
    const scores =
      !isStopped && datasets.evalDataset
        ? (knownScores(trainer) ?? (await trainer.evaluate(undefined, { signal })))
        : undefined;
    const tests = !isStopped && test ? (await trainer.predict(test, { signal })).metrics : undefined;
    const compared = scores ? datasets.evalDataset : tests && test;
    const int8Scores =
      compared && model.runner.trainsInInt8
        ? await model.runner.withTrainingPrecision(() =>
            trainer.evaluate(compared, { metricKeyPrefix: "int8", signal }),
          )
        : undefined;
    progress.stop();
    const result = trainingResult(run, prepared, output, { scores, int8Scores, tests });
    if (flags.json) printJson(result);
    else print(trainingReport(result));
    if (isStopped) {
      note(`stopped after step ${output.globalStep}; go on with the same command and --resume`);
      throw new InterruptedError();
    }
  } catch (error) {
    if (!interrupt.signal.aborted || !(error instanceof GraftError) || error.code !== "aborted") throw error;
    note(`stopped: the adapter is in ${run.output}, its evaluation is not finished; graft eval makes it`);
    throw new InterruptedError();
  } finally {
    progress.stop();
    await model.dispose();
    interrupt.release();
  }
}

/** `graft train` */
export function trainCommand(): Command {
  const command = new Command("train")
    .description("Fine-tune a model with LoRA and save the adapter in PEFT's format.")
    .argument("[run]", "run file (YAML); flags win over it. examples/run-all-options.yaml shows every key")
    .addOption(new Option("--lora <line>", "LoRA on one line: r=16,alpha=16,dropout=0.1,targets=query,value"))
    .addOption(
      new Option("--resume [checkpoint]", "go on from a checkpoint folder, or from the last one of the output folder"),
    )
    .addOption(new Option("--overwrite", "replace what the output folder holds of an older run"))
    .addOption(new Option("--json", "print the result as one JSON object"))
    .action((file: string | undefined, flags: TrainFlags) => train(file, flags));
  addRunFlags(command, sectionNames);
  return withExamples(command, [
    [
      "graft train --model models/all-MiniLM-L6-v2 --train SST-2/train.tsv --eval SST-2/dev.tsv --output runs/sst2 \\\n      --lora r=8,alpha=16,targets=query,value --learning-rate 1e-3 --num-train-epochs 1",
      "Sentences: adapt a sentence encoder, evaluate after training",
    ],
    [
      "graft train examples/food101.yaml --model models/vit-tiny --train food/train --test food/test",
      "Pictures: a run file, with the folders as flags",
    ],
    [
      "graft train examples/food101.yaml --model models/vit-tiny --train food/train --test food/test --resume",
      "Go on after Ctrl-C: the same command and --resume",
    ],
  ]);
}
