import { rename } from "node:fs/promises";
import { platform } from "#platform";
import { siblingName } from "../../platform/node-temporaries.js";
import type { Trainer } from "../../training/index.js";
import { ADAPTER_CONFIG } from "./source.js";

/**
 * Saves the adapter that a run ends with. Everything is written before anything takes its place, and adapter_config.json,
 * which makes a folder an adapter's, comes last: a full disk leaves what was there before, never half of an adapter.
 */
export async function saveRun(trainer: Pick<Trainer<unknown>, "saveModel">, output: string): Promise<void> {
  const temporary = siblingName(platform.join(output, "adapter"), "tmp");
  try {
    await trainer.saveModel(temporary);
    await platform.remove(platform.join(output, ADAPTER_CONFIG));
    const names = (await platform.listDirectory(temporary)).map(({ name }) => name);
    for (const name of [...names.filter((one) => one !== ADAPTER_CONFIG), ADAPTER_CONFIG]) {
      await rename(platform.join(temporary, name), platform.join(output, name));
    }
  } finally {
    await platform.remove(temporary);
  }
}
