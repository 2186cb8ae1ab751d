import * as z from "zod";
import { GraftError } from "../../../errors.js";
import { option } from "../../../options/option-table.js";
import { targetOptions } from "../../config/common-options.js";
import { configClass, type UnbuiltFields } from "../../config/config-class.js";
import { loraUnbuilt } from "../lora/unbuilt.js";

const rank = z
  .int()
  .positive()
  .max(2 ** 16);
const count = z.int().nonnegative();
const average = z.number().gt(0).lt(1);

const adaLoraOptions = {
  /** Rank that layers have on average in the end. Default 8. */
  targetR: option("integer", rank, 8, { help: "Rank that layers have on average in the end" }),
  /** Rank that every layer begins with. Default 12. */
  initR: option("integer", rank, 12, { help: "Rank that every layer begins with" }),
  ...targetOptions,
  /** Updates before ranks begin to fall. Default 0. */
  tinit: option("integer", count, 0, { help: "Updates before ranks begin to fall" }),
  /** Updates after the ranks are settled. Default 0. */
  tfinal: option("integer", count, 0, { help: "Updates after the ranks are settled" }),
  /** Updates from one allocation of ranks to the next. Default 1. */
  deltaT: option("integer", z.int().positive(), 1, {
    help: "Updates from one allocation of ranks to the next",
    key: "deltaT",
  }),
  /** Smoothing of the importances, between 0 and 1. Default 0.85. */
  beta1: option("number", average, 0.85, { help: "Smoothing of importances", expected: "a number between 0 and 1" }),
  /** Smoothing of their uncertainties, between 0 and 1. Default 0.85. */
  beta2: option("number", average, 0.85, { help: "Smoothing of uncertainties", expected: "a number between 0 and 1" }),
  /** Weight of the orthogonal regularisation in the loss; as in PEFT it is left out where there is no taskType. Default 0.5. */
  orthRegWeight: option("number", z.number().nonnegative(), 0.5, {
    help: "Weight of the orthogonal regularisation in the loss",
    expected: "a number from 0",
  }),
  /** All updates of the training run. Required; default null. */
  totalStep: option("integer", z.int().positive().nullable(), null, {
    help: "All updates of the training run; required",
    expected: "a whole number from 1",
  }),
  /** Which triplets of a trained adapter are left, by `<module>.lora_E`; written when it is saved. Default null. */
  rankPattern: option("record", z.record(z.string(), z.array(z.boolean())).nullable(), null, {
    help: "Which triplets of a trained adapter are left",
    expected: "null or an object of names to lists of true and false",
  }),
  /** The update's scale is loraAlpha / (initR + 1e-5). Default 8. */
  loraAlpha: option("number", z.number(), 8, { help: "The update is scaled by lora_alpha / init_r" }),
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
  /** true (the default: A and B normal with deviation 0.02, E zero) or false (all at random: for tests). */
  initLoraWeights: option("switch", z.boolean(), true, { help: "Begin with values that change nothing" }),
};

const isEmpty = (value: unknown): boolean => value === "" || (Array.isArray(value) && value.length === 0);
const always = (): boolean => true;

const notByLayers = "AdaLoRA's layers are chosen by targetModules and excludeModules";

/** Fields that PEFT's AdaLoraConfig has of LoRA's: what it ignores may be anything, the rest is not built. */
const unbuilt: UnbuiltFields = {
  ...loraUnbuilt,
  alpha_pattern: { unset: {}, reason: "PEFT itself gives all layers of AdaLoRA one scale" },
  layers_pattern: { unset: null, alsoUnset: isEmpty, reason: notByLayers },
  layers_to_transform: { unset: null, alsoUnset: isEmpty, reason: notByLayers },
  lora_bias: { unset: false, reason: "AdaLoRA has no bias beside B" },
  // PEFT ignores it: initR is the rank.
  r: { unset: 8, alsoUnset: always, reason: "initR is the rank" },
  trainable_token_indices: { unset: null, reason: "token rows are trained beside LORA alone" },
  use_dora: { unset: false, reason: "PEFT has no DoRA with AdaLoRA" },
  use_rslora: { unset: false, reason: "the scale is loraAlpha / initR" },
};

interface Schedule {
  readonly tinit: number;
  readonly tfinal: number;
  readonly totalStep: number | null;
  readonly inferenceMode: boolean;
}

/** An adapter for prediction alone has its ranks. */
function checkSchedule({ tinit, tfinal, totalStep, inferenceMode }: Schedule, where: string): void {
  if (inferenceMode) return;
  if (totalStep === null) {
    throw new GraftError(
      "invalid-config",
      `${where}: totalStep is not given`,
      "AdaLoRA lowers ranks over the whole run: say how many updates it has.",
      { option: "totalStep" },
    );
  }
  if (tinit < totalStep - tfinal) return;
  throw new GraftError(
    "invalid-config",
    `${where}: of ${totalStep} updates (totalStep), tinit ${tinit} and tfinal ${tfinal} leave none in which ranks fall`,
    "Lower `tinit` or `tfinal`, or raise totalStep.",
    { option: "totalStep" },
  );
}

/**
 * How a model is adapted with AdaLoRA (Zhang et al. 2023): y = W x + b + scale * B (E * (A x)), whose triplets of least
 * importance are taken away in training. Options, meanings and defaults are those of PEFT 0.21's AdaLoraConfig.
 * @throws GraftError `invalid-config`
 */
export class AdaLoraConfig extends configClass({
  peftType: "ADALORA",
  options: adaLoraOptions,
  unbuilt,
  check: checkSchedule,
}) {}
