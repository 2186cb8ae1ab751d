import { getPeftModel, LoraConfig } from "graft-peft";
import { LEARNING_RATE, stepJobs } from "../jobs.js";
import { type GraftSideOptions, loadBase, openSession, readBatch, runAsSide } from "./common.js";

export interface FirstStep {
  readonly loss: number;
  /** Seconds of the step inside ONNX Runtime. */
  readonly engineSeconds: number;
}

/** One training step as a user writes it, with a fresh adapter: the twin of reference/cold_start.py. */
async function firstStep(options: GraftSideOptions): Promise<FirstStep> {
  const { kind, rank, alpha } = stepJobs[options.job];
  const rest = kind === "image" ? { modulesToSave: ["classifier"] } : { taskType: "SEQ_CLS" as const };
  const config = new LoraConfig({ r: rank, loraAlpha: alpha, targetModules: ["query", "value"], ...rest });
  const session = openSession(getPeftModel(await loadBase(options), config), options);
  const { loss, engineMs } = await session.forwardBackward(await readBatch(options.folder));
  await session.optimizerStep({ learningRate: LEARNING_RATE });
  return { loss, engineSeconds: engineMs / 1000 };
}

await runAsSide(firstStep);
// The worker is left to the end of the process, as the Python side leaves its memory.
process.exit();
