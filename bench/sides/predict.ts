// Predictions of a base model and, where they are asked for, merges of an adapter: seconds of each, and the peak memory.
import { PeftModel } from "graft-peft";
import { platform } from "#platform";
import { type GraftSideOptions, loadBase, readBatch, runAsSide } from "./common.js";

interface PredictOptions extends GraftSideOptions {
  /** Merge the adapter and take it out again in each round, instead of predicting. Default false. */
  readonly merge?: boolean;
}

async function predictions(options: PredictOptions) {
  const base = await loadBase(options);
  const model = options.merge ? await PeftModel.fromPretrained(base, `${options.folder}/adapter`) : base;
  const { labels: _labels, ...batch } = await readBatch(options.folder);
  const seconds: number[] = [];
  for (let round = 0; round < options.steps; round++) {
    const start = performance.now();
    if (model instanceof PeftModel) await model.mergeAdapter();
    else await model(batch);
    seconds.push((performance.now() - start) / 1000);
    if (model instanceof PeftModel) model.unmergeAdapter();
  }
  const peakMemoryMB = (platform.memoryUsage()?.peakRss ?? 0) / 2 ** 20;
  await model.dispose();
  return { seconds, peakMemoryMB };
}

await runAsSide(predictions);
