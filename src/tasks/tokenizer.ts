import { Tokenizer } from "../data/index.js";
import type { Network } from "../models/index.js";
import type { ProcessingOptions } from "./task.js";

/** The folder's tokenizer, giving what the network reads. */
async function tokenizerOf(folder: string, network: Network): Promise<Tokenizer> {
  const tokenizer = await Tokenizer.fromFolder(folder);
  const modelInputNames = tokenizer.modelInputNames.filter((name) => network.inputs[name] !== undefined);
  return modelInputNames.length === tokenizer.modelInputNames.length
    ? tokenizer
    : Tokenizer.fromFolder(folder, { modelInputNames });
}

/** A model's tokenizer, and where it cuts rows: at `maxLength`, or where the model and its tokenizer end. */
export async function textProcessing({ folder, network, maxLength }: ProcessingOptions) {
  const tokenizer = await tokenizerOf(folder, network);
  const { inputIds } = network.inputs;
  const positions = inputIds?.longest?.limit ?? inputIds?.usualLength ?? Number.POSITIVE_INFINITY;
  const limit = positions - network.virtualTokens;
  const most = maxLength ?? Math.min(tokenizer.modelMaxLength ?? Number.POSITIVE_INFINITY, limit);
  return { tokenizer, cut: Number.isFinite(most) ? { maxLength: most } : {} };
}
