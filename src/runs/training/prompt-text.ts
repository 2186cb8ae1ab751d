import { AutoTokenizer } from "../../data/index.js";
import { type AdapterConfig, PromptTuningConfig } from "../../peft/index.js";

/**
 * The token ids that a prompt begins with where its config gives a text, special tokens among them as in PEFT;
 * undefined otherwise.
 * @throws GraftError `file-not-found`, `invalid-tokenizer`
 */
export async function promptTokens(config: AdapterConfig): Promise<readonly number[] | undefined> {
  if (!(config instanceof PromptTuningConfig) || config.promptTuningInit !== "TEXT") return undefined;
  // The config's own check asks for both.
  const tokenizer = await AutoTokenizer.fromPretrained(config.tokenizerNameOrPath as string);
  return [...tokenizer.encode(config.promptTuningInitText as string).inputIds];
}
