import * as z from "zod";
import { shown } from "../../../json.js";
import { option } from "../../../options/option-table.js";
import { targetOptions } from "../../config/common-options.js";
import { configClass, type UnbuiltFields } from "../../config/config-class.js";
import { patternValue } from "../../matching/patterns.js";

/** Far above the ranks in use: stops absurd files before anything is made. */
const LARGEST_RANK = 2 ** 16;

const rank = z.int().positive().max(LARGEST_RANK);

const initializations = ["gaussian"] as const;

/** LoRA's options: PEFT 0.21's names, meanings and defaults. */
export const loraOptions = {
  /** Rank of the update, 1 to 65536. Default 8. */
  r: option("integer", rank, 8, { help: "Rank of the update", expected: `a whole number from 1 to ${LARGEST_RANK}` }),
  ...targetOptions,
  /** The update's scale is loraAlpha / r. Default 8. */
  loraAlpha: option("number", z.number(), 8, {
    help: "The update is scaled by lora_alpha / r",
    expected: "a number (the scale of the adapter is loraAlpha / r)",
  }),
  /** Probability that an input of the update is dropped in training, from 0 to below 1. Default 0. */
  loraDropout: option("number", z.number().gte(0).lt(1), 0, {
    help: "Share of the input of A that is dropped in training",
    expected: "a number from 0 to below 1",
  }),
  /** Whether layers store their weights as [in, out]. Set to what the layers do, with a remark. Default false. */
  fanInFanOut: option("switch", z.boolean(), false, { help: "The base stores weights as [in, out]" }),
  /** Which biases of the base are trained: "none" (default), "all", or those of the adapted layers ("lora_only"). */
  bias: option("choice", z.enum(["none", "all", "lora_only"]), "none", {
    help: "Biases that are trained: none, all, or those of the adapted layers",
  }),
  /** Scale loraAlpha / sqrt(r) instead of loraAlpha / r (Kalajdzievski 2023). Default false. */
  useRslora: option("switch", z.boolean(), false, { help: "Scale by lora_alpha / sqrt(r)" }),
  /** true (default: A Kaiming-uniform, B zero), "gaussian" (A normal with deviation 1/r, B zero), false (both random: for tests). */
  initLoraWeights: option("mixed", z.union([z.boolean(), z.enum(initializations)]), true, {
    help: 'true (A random, B zero), "gaussian" or false (both random)',
    expected: `true, false or one of ${initializations.join(", ")} (pissa, olora, eva, loftq and the others are not supported)`,
  }),
  /** Train the magnitude of each row of the weight apart from its direction (DoRA, Liu et al. 2024). Default false. */
  useDora: option("switch", z.boolean(), false, {
    help: "Train magnitudes of the weight apart from directions (DoRA)",
  }),
  /** Ranks of modules whose path ends with a name or matches a regular expression; the first that fits counts. Default {}. */
  rankPattern: option(
    "record",
    z.record(z.string(), rank),
    {},
    {
      help: "Ranks of layers, by the end of their path or a regular expression",
      expected: "an object of names or regular expressions to ranks",
    },
  ),
  /** loraAlpha of modules, as rankPattern. Default {}. */
  alphaPattern: option(
    "record",
    z.record(z.string(), z.number()),
    {},
    {
      help: "lora_alpha of layers, by the end of their path or a regular expression",
      expected: "an object of names or regular expressions to numbers",
    },
  ),
};

const isEmpty = (value: unknown): boolean => value === "" || (Array.isArray(value) && value.length === 0);

/** Fields of PEFT's LoraConfig that change what an adapter computes and that Graft does not build. */
const unbuilt: UnbuiltFields = {
  alora_invocation_tokens: { unset: null },
  arrow_config: { unset: null },
  corda_config: { unset: null },
  ensure_weight_tying: { unset: false },
  eva_config: { unset: null },
  kasa_config: { unset: null },
  layer_replication: { unset: null },
  layers_pattern: { unset: null, alsoUnset: isEmpty },
  layers_to_transform: { unset: null, alsoUnset: isEmpty },
  loftq_config: { unset: {} },
  lora_bias: { unset: false },
  lora_ga_config: { unset: null },
  megatron_config: { unset: null },
  // Read with megatron_config and with use_qalora alone, which are refused themselves.
  megatron_core: { unset: "megatron.core", alsoUnset: () => true },
  monteclora_config: { unset: null },
  qalora_group_size: { unset: 16, alsoUnset: () => true },
  target_parameters: { unset: null },
  trainable_token_indices: { unset: null },
  use_bdlora: { unset: null },
  use_qalora: { unset: false },
  velora_config: { unset: null },
};

/** Initialisations that PEFT knows and Graft does not. */
function refuse({ init_lora_weights: init }: Readonly<Record<string, unknown>>): string[] {
  const isKnown = typeof init !== "string" || initializations.some((known) => known === init);
  return isKnown ? [] : [`init_lora_weights = ${shown(init)}`];
}

/**
 * How a model is adapted with LoRA (Hu et al. 2021): y = W x + scale * B A dropout(x).
 * Options, meanings and defaults are those of PEFT 0.21's LoraConfig.
 * @throws GraftError `invalid-config`
 */
export class LoraConfig extends configClass({ peftType: "LORA", options: loraOptions, unbuilt, refuse }) {
  /** What the product B A is multiplied with, where no pattern says otherwise. */
  get scaling(): number {
    return scalingOf(this.loraAlpha, this.r, this.useRslora);
  }

  /** Rank and scale at a module, by any of the names that it has. */
  at(names: readonly string[]): { r: number; scaling: number } {
    const r = patternValue(this.rankPattern, names) ?? this.r;
    const alpha = patternValue(this.alphaPattern, names) ?? this.loraAlpha;
    return { r, scaling: scalingOf(alpha, r, this.useRslora) };
  }
}

const scalingOf = (alpha: number, r: number, useRslora: boolean): number => alpha / (useRslora ? Math.sqrt(r) : r);
