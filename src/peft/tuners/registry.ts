import { GraftError } from "../../errors.js";
import type { Tuner } from "../tuner.js";
import { adaLora } from "./adalora/index.js";
import { bitFit } from "./bitfit.js";
import { adapterDrop } from "./bottlenecks/adapter-drop.js";
import { houlsby } from "./bottlenecks/houlsby.js";
import { lin } from "./bottlenecks/lin.js";
import { pfeiffer } from "./bottlenecks/pfeiffer.js";
import { full, fullTop } from "./full.js";
import { ia3 } from "./ia3.js";
import { lnTuning } from "./ln-tuning.js";
import { lora } from "./lora/index.js";
import { loha } from "./lycoris/loha.js";
import { lokr } from "./lycoris/lokr.js";
import { pTuning } from "./prompts/p-tuning.js";
import { preEmbed } from "./prompts/preembed.js";
import { prefixTuning } from "./prompts/prefix-tuning.js";
import { preLayer } from "./prompts/prelayer.js";
import { promptTuning } from "./prompts/prompt-tuning.js";
import { unbuiltTypes } from "./unbuilt-types.js";
import { vera } from "./vera.js";

export { AdaLoraConfig } from "./adalora/config.js";
export { BitFitConfig } from "./bitfit.js";
export { AdapterDropConfig } from "./bottlenecks/adapter-drop.js";
export { HoulsbyConfig } from "./bottlenecks/houlsby.js";
export { LinConfig } from "./bottlenecks/lin.js";
export { PfeifferConfig } from "./bottlenecks/pfeiffer.js";
export { FullConfig, FullTopConfig } from "./full.js";
export { IA3Config } from "./ia3.js";
export { LNTuningConfig } from "./ln-tuning.js";
export { LoraConfig } from "./lora/config.js";
export { LoHaConfig } from "./lycoris/loha.js";
export { LoKrConfig } from "./lycoris/lokr.js";
export { PromptEncoderConfig } from "./prompts/p-tuning.js";
export { PreEmbedConfig } from "./prompts/preembed.js";
export { PrefixTuningConfig } from "./prompts/prefix-tuning.js";
export { PreLayerConfig } from "./prompts/prelayer.js";
export { PromptTuningConfig } from "./prompts/prompt-tuning.js";
export { VeraConfig } from "./vera.js";

const registry = new Map<string, Tuner>();

/**
 * Makes a tuning method known: configs of its type are read, `getPeftModel` takes them, and the command line lists it.
 * @throws GraftError `invalid-argument` where its type or its name is taken
 */
export function registerTuner(tuner: Tuner): void {
  const taken = [...registry.values()].find(({ type, name }) => type === tuner.type || name === tuner.name);
  if (taken) {
    throw new GraftError(
      "invalid-argument",
      `there is a tuning method ${taken.type} ("${taken.name}") already`,
      "Give the new one another type and another name.",
    );
  }
  registry.set(tuner.type, tuner);
}

const builtIn: readonly Tuner[] = [
  lora,
  full,
  fullTop,
  bitFit,
  ia3,
  promptTuning,
  prefixTuning,
  pTuning,
  preEmbed,
  preLayer,
  houlsby,
  lin,
  pfeiffer,
  adapterDrop,
  lnTuning,
  loha,
  lokr,
  vera,
  adaLora,
];
for (const tuner of builtIn) registerTuner(tuner);

/** All tuning methods, in the order in which they were registered. */
export function tuners(): readonly Tuner[] {
  return [...registry.values()];
}

/**
 * The method of a `peft_type`.
 * @param where names the config in messages
 * @throws GraftError `unsupported` listing the types there are
 */
export function requireTuner(type: string, where: string): Tuner {
  const tuner = registry.get(type);
  if (tuner) return tuner;
  const reason = unbuiltTypes[type];
  throw new GraftError(
    "unsupported",
    `${where} is of peft_type ${type}${reason === undefined ? "" : `, which Graft does not build: ${reason}`}`,
    `Supported: ${[...registry.keys()].join(", ")}.`,
  );
}
