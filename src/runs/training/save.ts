import { platform } from "#platform";
import type { Trainer } from "../../training/index.js";

/**
 * Saves the adapter that a run ends with. Everything is written before anything takes its place, and adapter_config.json,
 * which makes a folder an adapter's, comes last: a full disk leaves what was there before, never half of an adapter.
 */
export function saveRun(trainer: Pick<Trainer<unknown>, "saveModel">, output: string): Promise<void> {
  return platform.writeFilesInto(output, "adapter_config.json", (temporary) => trainer.saveModel(temporary));
}
