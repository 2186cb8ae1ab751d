import * as z from "zod";
import { GraftError } from "../../../errors.js";
import { shown } from "../../../json.js";
import { type OptionValues, option } from "../../../options/option-table.js";
import { targetOptions } from "../../config/common-options.js";
import { configClass } from "../../config/config-class.js";
import type { LayerIndices } from "../../matching/layers.js";
import { type Patterns, patternValue } from "../../matching/patterns.js";
import { fastPissa, initializationNames } from "./initial/names.js";
import { loraUnbuilt, unbuiltInitializations } from "./unbuilt.js";

/** Far above the ranks in use: stops absurd files before anything is made. */
const LARGEST_RANK = 2 ** 16;

const rank = z.int().positive().max(LARGEST_RANK);

const tokens = z
  .array(z.int().min(0))
  .min(1)
  .refine((indices) => new Set(indices).size === indices.length);

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
  /** true (default: A Kaiming-uniform, B zero), false (both random: for tests), or by name: "gaussian" (A normal with deviation 1/r), "orthogonal", "pissa", "pissa_niter_<iterations>", "olora", "mica". PiSSA and OLoRA leave a residual in the base weights while the adapter is loaded. */
  initLoraWeights: option(
    "mixed",
    z.union([z.boolean(), z.enum(initializationNames), z.string().regex(fastPissa)]),
    true,
    {
      help: `true (A random, B zero), false (both random), ${initializationNames.join(", ")} or pissa_niter_4`,
      expected: `true, false, pissa_niter_ with a number, or one of ${initializationNames.join(", ")} (eva, loftq and the others are not supported)`,
    },
  ),
  /** Indices of the layers that are adapted, one or a list; only beside a list of targetModules. Default null: all. */
  layersToTransform: option("mixed", z.union([z.int().min(0), z.array(z.int().min(0))]).nullable(), null, {
    help: "Indices of the layers that are adapted, one or a list. Default: all",
    expected: "null, a whole number from 0, or a list of them",
  }),
  /** Names of the list of layers that layersToTransform counts in. Default null: the first number of a path counts. */
  layersPattern: option("pattern", z.union([z.array(z.string()), z.string()]).nullable(), null, {
    help: "Name of the list of layers that layers_to_transform counts in, where a path has several",
    expected: "null, a name or a regular expression, or a list of them",
  }),
  /** Train a bias beside B, zero at first; only with initLoraWeights true or false, and not with DoRA. Default false. */
  loraBias: option("switch", z.boolean(), false, { help: "Train a bias beside B" }),
  /** Rows of embedding tables that are trained beside the method: indices into the input embedding, or lists by the name of a table. Default null: none. */
  trainableTokenIndices: option("mixed", z.union([tokens, z.record(z.string(), tokens)]).nullable(), null, {
    help: "Rows of the input embedding that are trained besides, or lists of them by the name of a table",
    expected: "null, a list of different whole numbers from 0, or an object of table names to such lists",
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

/** Initialisations that PEFT knows and Graft does not. */
function refuse({ init_lora_weights: init }: Readonly<Record<string, unknown>>): string[] {
  const isKnown =
    typeof init !== "string" || fastPissa.test(init) || initializationNames.some((known) => known === init);
  if (isKnown) return [];
  const reason = unbuiltInitializations[init.toLowerCase()] ?? "PEFT 0.21 has no initialisation of that name either";
  return [`init_lora_weights = ${shown(init)} (${reason})`];
}

type Values = OptionValues<typeof loraOptions>;

/** Empty lists and texts stand for none, in PEFT too. */
const isSet = (value: LayerIndices | Patterns | null): boolean =>
  value !== null && (typeof value === "number" || value.length > 0);

/** PEFT's rules between options: what must not hold, and what then. */
const conflicts: readonly {
  readonly option: keyof Values;
  readonly holds: (values: Values) => boolean;
  readonly problem: string;
  readonly hint: string;
}[] = [
  {
    option: "layersToTransform",
    holds: ({ targetModules, layersToTransform, layersPattern }) =>
      typeof targetModules === "string" && (isSet(layersToTransform) || isSet(layersPattern)),
    problem: "layersToTransform and layersPattern stand beside targetModules that are one text",
    hint: "List the names in targetModules, or let the regular expression itself choose the layers.",
  },
  {
    option: "layersPattern",
    holds: ({ layersToTransform, layersPattern }) => isSet(layersPattern) && layersToTransform === null,
    problem: "layersPattern stands without layersToTransform",
    hint: "Say in layersToTransform which layers are meant.",
  },
  {
    option: "loraBias",
    holds: ({ loraBias, initLoraWeights }) => loraBias && typeof initLoraWeights !== "boolean",
    problem: "loraBias stands beside an initialisation by name",
    hint: "Set initLoraWeights to true, or loraBias to false.",
  },
  {
    option: "loraBias",
    holds: ({ loraBias, useDora }) => loraBias && useDora,
    problem: "loraBias stands beside useDora",
    hint: "Set one of them to false.",
  },
];

/** @throws GraftError `invalid-config` */
function check(values: Values, where: string): void {
  const conflict = conflicts.find(({ holds }) => holds(values));
  if (!conflict) return;
  throw new GraftError("invalid-config", `${where}: ${conflict.problem}`, conflict.hint, { option: conflict.option });
}

/**
 * How a model is adapted with LoRA (Hu et al. 2021): y = W x + scale * B A dropout(x).
 * Options, meanings and defaults are those of PEFT 0.21's LoraConfig.
 * @throws GraftError `invalid-config`
 */
export class LoraConfig extends configClass({
  peftType: "LORA",
  options: loraOptions,
  unbuilt: loraUnbuilt,
  refuse,
  check,
}) {
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
