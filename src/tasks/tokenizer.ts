import { Tokenizer, type TokenizerOptions } from "../data/index.js";
import type { HubOptions, ModelFileName } from "../hub/index.js";
import type { Network } from "../models/index.js";
import type { ProcessingOptions } from "./task.js";

/** Files of which one is in every folder that holds a tokenizer. */
export const tokenizerSources = [
  "tokenizer.json",
  "vocab.txt",
  "vocab.json",
  "tokenizer.model",
  "spm.model",
  "spiece.model",
  "sentencepiece.bpe.model",
] as const satisfies readonly ModelFileName[];

/** The folder's tokenizer, giving what the network reads. */
async function readBy(
  network: Network,
  own: Tokenizer,
  folder: string,
  options: TokenizerOptions & HubOptions,
): Promise<Tokenizer> {
  const modelInputNames = own.modelInputNames.filter((name) => network.inputs[name] !== undefined);
  return modelInputNames.length === own.modelInputNames.length
    ? own
    : Tokenizer.fromFolder(folder, { ...options, modelInputNames });
}

/**
 * A model's tokenizer, and where it cuts rows: at `maxLength`, or where the model and its tokenizer end. `save` writes
 * it as another folder needs it: with the pad token that was named, and the class that the model's config names.
 */
export async function textProcessing({ folder, from, network, maxLength, padToken }: ProcessingOptions) {
  const options = { ...from, ...(padToken !== undefined && { padToken }) };
  const own = await Tokenizer.fromFolder(folder, options);
  const tokenizer = await readBy(network, own, folder, options);
  const { inputIds } = network.inputs;
  const positions = inputIds?.longest?.limit ?? inputIds?.usualLength ?? Number.POSITIVE_INFINITY;
  const limit = positions - network.virtualTokens;
  const most = maxLength ?? Math.min(tokenizer.modelMaxLength ?? Number.POSITIVE_INFINITY, limit);
  return {
    tokenizer,
    cut: Number.isFinite(most) ? { maxLength: most } : {},
    save: (to: string) => own.savePretrained(to),
  };
}
