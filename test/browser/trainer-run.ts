import {
  AutoModelForSequenceClassification,
  accuracy,
  argMax,
  PeftModel,
  platform,
  Trainer,
  TrainingArguments,
} from "graft-peft";

export interface TrainerRunOptions {
  /** Folder (path or URL) that holds `models/` and `peft/`. */
  readonly golden: string;
  readonly backend: "cpu" | "wasm" | "webgpu";
  readonly threads: number;
  readonly wasmPaths?: string;
  /** Folder for the run's files. */
  readonly outputDir: string;
  readonly frozenPrecision: "f32" | "int8";
  /** Abort after so many updates, then resume from the checkpoint. */
  readonly abortAfter?: number;
}

export interface TrainerRun {
  /** Of each update. */
  readonly losses: number[];
  /** eval_loss and eval_accuracy of each epoch. */
  readonly evaluations: { readonly loss: number; readonly accuracy: number }[];
  /** Updates that were reported as they were made. */
  readonly progress: number[];
  readonly stopReasons: string[];
  readonly warnings: string[];
  /** Files of the run's folder, a folder's with its name before them. */
  readonly files: string[];
  /** The adapter's files in base64, by name. */
  readonly adapter: Readonly<Record<string, string>>;
  /** Of the trained model, and of a fresh one with the saved adapter. */
  readonly logits: number[];
  readonly reloaded: number[];
}

interface Row {
  readonly inputIds: readonly number[];
  readonly label: number;
}

/** The class is the first token's remainder by three. */
function makeRows(count: number, offset: number): Row[] {
  return Array.from({ length: count }, (_, row) => {
    const first = 4 + ((row + offset) % 60);
    return { inputIds: [first, ...Array.from({ length: 5 }, (_, i) => 4 + ((first + 7 * i) % 60))], label: first % 3 };
  });
}

/** A Trainer run (dropout as in the golden configs), the same in Node and in a page. */
export async function trainerRun(options: TrainerRunOptions): Promise<TrainerRun> {
  const { golden, outputDir, frozenPrecision, abortAfter, ...engine } = options;
  const loadBase = () => AutoModelForSequenceClassification.fromPretrained(`${golden}/models/bert_seqcls`, engine);
  const base = await loadBase();
  const model = await PeftModel.fromPretrained(base, `${golden}/peft/bert_default`, { isTrainable: true });
  const progress: number[] = [];
  const warnings: string[] = [];
  const stop = new AbortController();
  const trainer = new Trainer<Row>({
    model,
    args: new TrainingArguments({
      outputDir,
      perDeviceTrainBatchSize: 6,
      perDeviceEvalBatchSize: 8,
      numTrainEpochs: 2,
      learningRate: 5e-3,
      loggingSteps: 1,
      evalStrategy: "epoch",
      saveStrategy: "epoch",
      metricForBestModel: "accuracy",
      frozenPrecision,
      seed: 3,
    }),
    trainDataset: makeRows(24, 0),
    evalDataset: makeRows(12, 30),
    dataCollator: (rows) => ({
      inputIds: {
        dtype: "int32",
        shape: [rows.length, 6],
        data: Int32Array.from(rows.flatMap(({ inputIds }) => inputIds)),
      },
      labels: { dtype: "int32", shape: [rows.length], data: Int32Array.from(rows, ({ label }) => label) },
    }),
    computeMetrics: ({ predictions, labelIds }) =>
      accuracy({ predictions: argMax(predictions), references: labelIds?.data as Int32Array }),
    callbacks: [
      {
        onProgress: (event) => {
          if (event.progress.phase === "train") progress.push(event.progress.done);
        },
        onStepEnd: ({ state }) => {
          if (state.globalStep === abortAfter) stop.abort();
        },
      },
    ],
    onWarning: (message) => warnings.push(message),
  });
  const stopReasons = [(await trainer.train({ signal: stop.signal })).stopReason];
  if (abortAfter !== undefined) stopReasons.push((await trainer.train({ resumeFromCheckpoint: true })).stopReason);
  const history = trainer.state.logHistory;

  await trainer.saveModel(`${outputDir}/adapter`);
  const inputs = { inputIds: makeRows(3, 7).map((row) => [...row.inputIds]) };
  const logitsOf = async (of: typeof model) => Array.from((await of(inputs)).logits.data as Float32Array);
  const logits = await logitsOf(model);
  await base.dispose();
  const fresh = await loadBase();
  const reloaded = await logitsOf(await PeftModel.fromPretrained(fresh, `${outputDir}/adapter`));
  await fresh.dispose();
  return {
    losses: history.flatMap(({ loss }) => (loss === undefined ? [] : [Number(loss)])),
    evaluations: history.flatMap(({ eval_loss, eval_accuracy }) =>
      eval_loss === undefined ? [] : [{ loss: Number(eval_loss), accuracy: Number(eval_accuracy) }],
    ),
    progress,
    stopReasons,
    warnings,
    files: await filesBelow(outputDir),
    adapter: await contentsOf(`${outputDir}/adapter`),
    logits,
    reloaded,
  };
}

async function filesBelow(folder: string): Promise<string[]> {
  const entries = await platform.listDirectory(folder);
  const lists = entries.map(async ({ name, isDirectory }) => {
    if (!isDirectory) return [name];
    return (await filesBelow(platform.join(folder, name))).map((below) => `${name}/${below}`);
  });
  return (await Promise.all(lists)).flat();
}

async function contentsOf(folder: string): Promise<Record<string, string>> {
  const contents: Record<string, string> = {};
  for (const { name } of await platform.listDirectory(folder)) {
    const bytes = await platform.readFile(platform.join(folder, name));
    contents[name] = btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
  }
  return contents;
}
