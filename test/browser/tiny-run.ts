import { AutoModelForSequenceClassification, createTrainingSession, PeftModel, platform } from "graft-peft";

export interface TinyRunOptions {
  /** Folder (path or URL) that holds `models/` and `peft/`. */
  readonly golden: string;
  readonly backend: "cpu" | "wasm" | "webgpu";
  readonly threads: number;
  readonly wasmPaths?: string;
  /** Folder to save the adapter in. */
  readonly saveTo?: string;
}

export interface TinyRun {
  /** Logits before training, row by row. */
  readonly before: number[];
  /** Of each step, before its update. */
  readonly losses: number[];
  /** After the last update, without dropout, row by row. */
  readonly logits: number[];
  readonly backend: string;
  readonly threads: number;
  /** What was saved: bytes by file name. */
  readonly saved: Readonly<Record<string, readonly number[]>>;
}

export const inputs = {
  inputIds: [
    [2, 17, 43, 8, 3, 0],
    [2, 51, 9, 30, 22, 3],
    [2, 60, 3, 0, 0, 0],
  ],
  attentionMask: [
    [1, 1, 1, 1, 1, 0],
    [1, 1, 1, 1, 1, 1],
    [1, 1, 1, 0, 0, 0],
  ],
};

/** A few steps of LoRA (dropout as in the golden configs), the same in Node and in a page. */
export async function tinyRun({ golden, saveTo, ...engine }: TinyRunOptions): Promise<TinyRun> {
  const base = await AutoModelForSequenceClassification.fromPretrained(`${golden}/models/bert_seqcls`, engine);
  try {
    const model = await PeftModel.fromPretrained(base, `${golden}/peft/bert_default`, { isTrainable: true });
    const before = Array.from((await model(inputs)).logits.data as Float32Array);
    const session = createTrainingSession(model, { optimizer: "adamw", weightDecay: 0.01 });
    const losses: number[] = [];
    for (let step = 0; step < 5; step++) {
      const { loss } = await session.forwardBackward({ ...inputs, labels: [0, 2, 1] });
      losses.push(loss);
      await session.optimizerStep({ learningRate: 5e-3, maxGradNorm: 1 });
    }
    const { logits } = await model(inputs);
    const { backend, threads } = await model.runner.engine();
    const saved = saveTo === undefined ? {} : await savedFiles(model, saveTo);
    return { before, losses, logits: Array.from(logits.data as Float32Array), backend, threads, saved };
  } finally {
    await base.dispose();
  }
}

async function savedFiles(model: PeftModel, folder: string): Promise<Record<string, readonly number[]>> {
  await model.savePretrained(folder);
  const files: Record<string, readonly number[]> = {};
  for (const { name } of await platform.listDirectory(folder)) {
    files[name] = [...(await platform.readFile(platform.join(folder, name)))];
  }
  return files;
}
