import { Command, Option } from "commander";
import { GraftError } from "../errors.js";
import { tuners } from "../peft/index.js";
import { type CompleteRun, executeRun, type PreparedRun, prepareRun, type Run } from "../runs/index.js";
import { tasks } from "../tasks/index.js";
import { addRunFlags, plainSections, readRun } from "./run-file/flags.js";
import { addMethodLines, methodsHelp } from "./run-file/method-lines.js";
import { InterruptedError } from "./shell/errors.js";
import { withExamples } from "./shell/examples.js";
import { interruptSignal } from "./shell/interrupt.js";
import { note, print, printJson, warn } from "./shell/print.js";
import { runProgress } from "./shell/progress.js";
import { trainingReport, trainingResult } from "./shell/training-report.js";
import { UsageError } from "./spelling/usage-error.js";

interface TrainFlags {
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

function announce({ run, model, settings, train, evaluation, test }: PreparedRun): void {
  const rows = (data: typeof test) => (data ? `${data.examples.length} rows of ${data.path}` : "none");
  note(
    `model  ${run.model} (${model.network.className}), ${settings.labels ? `${settings.labels.numLabels} labels` : tasks[settings.task].learns === "tokens" ? settings.task : "regression"}`,
  );
  note(`data   train ${rows(train)}; eval ${rows(evaluation)}; test ${rows(test)}`);
}

async function train(file: string | undefined, flags: TrainFlags): Promise<void> {
  if (typeof flags.resume === "string" && /\.ya?ml$/i.test(flags.resume)) {
    throw new UsageError(
      `--resume ${flags.resume} names a run file, not a checkpoint`,
      `Write the run file first: graft train ${flags.resume} --resume.`,
    );
  }
  const names = plainSections().map(({ name }) => name);
  const run = complete(await readRun(file, flags as Record<string, unknown>, names));
  const { resume, overwrite } = flags;
  const prepared = await prepareRun(run, { resume, overwrite, onWarning: warn, onInfo: note });
  const { model } = prepared;
  announce(prepared);
  if (flags.json) note(model.trainableParametersLine());
  else print(model.trainableParametersLine());
  const progress = runProgress();
  const interrupt = interruptSignal(() => progress.stop());
  try {
    // Once a step is done, or none is left to do, there is something to save.
    const waiting = { onStepEnd: interrupt.startWaiting, onTrainEnd: interrupt.startWaiting };
    const result = await executeRun(prepared, { callbacks: [progress, waiting], signal: interrupt.signal });
    progress.stop();
    const told = trainingResult(prepared, result);
    if (flags.json) printJson(told);
    else print(trainingReport(told));
    if (result.output.stopReason === "aborted") {
      note(`stopped after step ${result.output.globalStep}; go on with the same command and --resume`);
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

const methodNames = (): string =>
  tuners()
    .map(({ name }) => name)
    .join(", ");

/** `graft train` */
export function trainCommand(): Command {
  const command = new Command("train")
    .description("Fine-tune a model with few parameters and save the adapter in PEFT's format.")
    .argument("[run]", "run file (YAML); flags win over it. examples/run-all-options.yaml shows every key")
    .addOption(
      new Option("--resume [checkpoint]", "go on from a checkpoint folder, or from the last one of the output folder"),
    )
    .addOption(new Option("--overwrite", "replace what the output folder holds of an older run"))
    .addOption(new Option("--json", "print the result as one JSON object"))
    .action((file: string | undefined, flags: TrainFlags) => train(file, flags));
  addMethodLines(command);
  addRunFlags(command, {
    sections: plainSections().map(({ name }) => name),
    otherHelp: { method: `How the model is tuned: ${methodNames()}. Default: the one that the run has options of` },
  });
  command.addHelpText("after", methodsHelp);
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
