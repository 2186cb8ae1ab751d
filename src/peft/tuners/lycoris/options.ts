import * as z from "zod";
import { option } from "../../../options/option-table.js";
import { targetOptions } from "../../config/common-options.js";
import type { UnbuiltFields } from "../../config/config-class.js";
import { patternValue } from "../../matching/patterns.js";

const rank = z
  .int()
  .positive()
  .max(2 ** 16);
const share = z.number().gte(0).lt(1);

/** The options that LoHa and LoKr share: PEFT 0.21's names, meanings and defaults. */
export const lycorisOptions = {
  /** Rank of the factors. Default 8. */
  r: option("integer", rank, 8, { help: "Rank of the factors", expected: "a whole number from 1 to 65536" }),
  ...targetOptions,
  /** The update's scale is alpha / r. Default 8. */
  alpha: option("number", z.number(), 8, { help: "The update is scaled by alpha / r" }),
  /** Share of the update's rows that are dropped in training, from 0 to below 1. Default 0. */
  rankDropout: option("number", share, 0, {
    help: "Share of the update's rows that are dropped in training",
    expected: "a number from 0 to below 1",
  }),
  /** Probability that a layer's update is left out of a training pass, from 0 to below 1. Default 0. */
  moduleDropout: option("number", share, 0, {
    help: "Probability that a layer's update is left out of a training pass",
    expected: "a number from 0 to below 1",
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
  /** alpha of modules, as rankPattern. Default {}. */
  alphaPattern: option(
    "record",
    z.record(z.string(), z.number()),
    {},
    {
      help: "alpha of layers, by the end of their path or a regular expression",
      expected: "an object of names or regular expressions to numbers",
    },
  ),
};

const isEmpty = (value: unknown): boolean => value === "" || (Array.isArray(value) && value.length === 0);

const notByLayers = "layers are chosen by targetModules and excludeModules here";

/** Fields of PEFT that change what an adapter computes and that Graft does not build. */
export const lycorisUnbuilt: UnbuiltFields = {
  layers_pattern: { unset: null, alsoUnset: isEmpty, reason: notByLayers },
  layers_to_transform: { unset: null, alsoUnset: isEmpty, reason: notByLayers },
  use_effective_conv2d: { unset: false, reason: "convolutions are adapted as the matrices that they are" },
};

/** What a layer's update is made with. */
export interface LycorisPlace {
  readonly r: number;
  readonly scaling: number;
  readonly rankDropout: number;
  readonly moduleDropout: number;
}

interface Placed extends Omit<LycorisPlace, "scaling"> {
  readonly alpha: number;
  readonly rankPattern: Readonly<Record<string, number>>;
  readonly alphaPattern: Readonly<Record<string, number>>;
}

/** Rank and scale at a module, by any of the names that it has. */
export function placeOf(config: Placed, names: readonly string[]): LycorisPlace {
  const { rankDropout, moduleDropout } = config;
  const r = patternValue(config.rankPattern, names) ?? config.r;
  const alpha = patternValue(config.alphaPattern, names) ?? config.alpha;
  return { r, scaling: alpha / r, rankDropout, moduleDropout };
}
