import { platform } from "#platform";
import { type ModelFileName, outputPath } from "../../hub/index.js";
import type { PeftModel } from "../../peft/index.js";
import type { Trainer } from "../../training/index.js";

/** What a run is saved from. */
interface Trained {
  readonly trainer: Pick<Trainer<unknown>, "saveModel">;
  readonly model: Pick<PeftModel, "savePretrained">;
  /** Whether what the adapter took out of the base's weights becomes a part of it. */
  readonly plainLora: boolean;
}

/** What makes a folder an adapter's, and a model's: the first counts where there are both. */
const MARKS = ["adapter_config.json", "config.json"] as const;

/** What an older run leaves behind whose adapter a model replaces. */
const ofAdapters = ["adapter_model.safetensors", "trained.safetensors", "README.md"] as const;

/**
 * Saves the adapter that a run ends with, or the model where the method trains the model itself. Everything is written before
 * anything takes its place, and the config that makes a folder an adapter's or a model's comes last: a full disk leaves
 * what was there before, never half of it.
 */
export async function saveRun({ trainer, model, plainLora }: Trained, output: string): Promise<void> {
  await platform.writeFilesInto(output, MARKS, async (temporary) => {
    await trainer.saveModel(temporary);
    if (plainLora) await model.savePretrained(temporary, { pathInitialModelForWeightConversion: true });
  });
  const has = (name: ModelFileName) => platform.exists(outputPath(output, name));
  const isOld = !(await has(MARKS[0])) && (await has(ofAdapters[0]));
  if (isOld) for (const name of ofAdapters) await platform.remove(outputPath(output, name));
}
