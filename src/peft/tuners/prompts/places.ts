import * as z from "zod";
import { GraftError } from "../../../errors.js";
import { concat, type Tensor } from "../../../graph/index.js";
import type { Network } from "../../../models/index.js";
import { normal, type Parameter, type Trace } from "../../../nn/index.js";
import { option } from "../../../options/option-table.js";
import type { Host, Injection } from "../../tuner.js";

const counted = (what: string) => ({ help: what, expected: "a whole number from 0" });

/** The options of methods that have a prefix and an infix. */
export const placeOptions = {
  /** How many virtual tokens stand before all others (images: between class token and patches). Default 8. */
  numPrefixTokens: option("integer", z.int().nonnegative(), 8, counted("Virtual tokens before all others")),
  /** How many stand after each row's last real token. Default 0. */
  numInfixTokens: option("integer", z.int().nonnegative(), 0, counted("Virtual tokens after the last real one")),
};

export interface PlaceCounts {
  readonly numPrefixTokens: number;
  readonly numInfixTokens: number;
}

/** Why no virtual token can be merged. */
export const notMergeable: Injection["merge"] = { refused: "its vectors are no part of any weight" };

/**
 * How many positions there are for an adapter, and after how many of the sequence's own.
 * @throws GraftError `invalid-config` where there is none, `unsupported` for an infix in images
 */
export function countsFor({ numPrefixTokens: prefix, numInfixTokens: infix }: PlaceCounts, network: Network) {
  if (prefix + infix === 0) {
    throw new GraftError(
      "invalid-config",
      "numPrefixTokens and numInfixTokens are both 0",
      "Give one of them, e.g. numPrefixTokens: 8.",
      { option: "numPrefixTokens" },
    );
  }
  if (infix > 0 && !network.readsTokens) {
    throw new GraftError(
      "unsupported",
      `numInfixTokens is ${infix}: the infix stands after the last real token of a text, and ${network.config.modelType} reads images`,
      "Leave numInfixTokens out: in images the prefix stands between class token and patches.",
      { option: "numInfixTokens" },
    );
  }
  // An image's class token stays the first: the head reads it there.
  return { prefix, infix, leading: network.readsTokens ? 0 : 1 };
}

/**
 * Trained vectors for the positions of a module.
 * @param path theirs are `<path>.prefix` [prefix, hiddenSize] and `<path>.infix` [infix, hiddenSize]
 * @returns all of them: float32 [prefix + infix, hiddenSize]
 */
export function virtualVectors(
  host: Host,
  path: string,
  { prefix, infix }: { readonly prefix: number; readonly infix: number },
): (trace: Trace) => Tensor {
  const { hiddenSize } = host.config;
  const make = (name: string, count: number): Parameter[] =>
    count === 0
      ? []
      : [host.parameter(path === "" ? name : `${path}.${name}`, [count, hiddenSize], { initializer: normal(0.02) })];
  const parameters = [...make("prefix", prefix), ...make("infix", infix)];
  return (trace) => {
    const tensors = parameters.map((parameter) => trace.parameter(parameter));
    return tensors.length === 1 ? (tensors[0] as Tensor) : concat(tensors, 0);
  };
}
