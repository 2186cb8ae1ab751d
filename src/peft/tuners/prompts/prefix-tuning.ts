import * as z from "zod";
import { type Dim, reshape, slice, type Tensor, transpose } from "../../../graph/index.js";
import type { Network } from "../../../models/index.js";
import { type KeysValues, normal, prependKeysValues, type Trace, zeros } from "../../../nn/index.js";
import { option } from "../../../options/option-table.js";
import { configClass } from "../../config/config-class.js";
import type { Host, Injection, Tuner } from "../../tuner.js";
import { notMergeable } from "./places.js";
import {
  encoderHiddenSize,
  fittedPrompt,
  promptEncoder,
  promptFileKey,
  promptOptions,
  virtualTokensOf,
  type Width,
} from "./prompt.js";

const prefixTuningOptions = {
  ...promptOptions,
  /** Whether an encoder makes the keys and values: smaller vectors, a linear layer, tanh, a linear layer. Default false. */
  prefixProjection: option("switch", z.boolean(), false, { help: "Train an encoder that makes the keys and values" }),
  /** Width of the encoder's hidden layer. Default null: the model's. */
  encoderHiddenSize,
  /** "zero": keys and values begin at 0. Default null: at random. */
  initWeights: option("choice", z.literal("zero").nullable(), null, {
    help: "Begin at zero",
    expected: 'null or "zero"',
  }),
};

/**
 * How a model is adapted with prefix tuning (Li and Liang 2021): learnt keys and values stand before those of each layer.
 * Options, meanings and defaults are those of PEFT 0.21's PrefixTuningConfig.
 * @throws GraftError `invalid-config`
 */
export class PrefixTuningConfig extends configClass({ peftType: "PREFIX_TUNING", options: prefixTuningOptions }) {}

/** Of a layer's keys, of which several queries may share one, as PEFT reads it from the model's config. */
function keysWidth({ config }: Network): Width {
  const { num_key_value_heads: shared, head_dim: size } = config.raw;
  const heads = typeof shared === "number" ? shared : config.numAttentionHeads;
  const each = typeof size === "number" ? size : config.hiddenSize / config.numAttentionHeads;
  return { heads, width: heads * each };
}

/** [virtual tokens, layers * 2 * width]: for each layer its keys, then its values. */
function prefixOf(host: Host, config: PrefixTuningConfig, count: number) {
  const ofKeys = keysWidth(host.network).width;
  const width = host.network.layers.length * 2 * ofKeys;
  const isZero = config.initWeights === "zero";
  // What an encoder made is all that is left of it for prediction.
  if (config.prefixProjection && host.acting.isTrainable) {
    const sizes = [ofKeys, config.encoderHiddenSize ?? ofKeys, width];
    return promptEncoder(host, "transform", count, sizes, "tanh", isZero);
  }
  const initializer = isZero ? zeros : normal(1);
  const prefix = host.parameter("prompt_embeddings", [count, width], { initializer });
  return (trace: Trace) => trace.parameter(prefix);
}

/** One block of the prefix as heads: [virtual tokens, width] of it as [heads, virtual tokens, size]. */
function headsOf(prefix: Tensor, block: number, { keys }: KeysValues): Tensor {
  const [, heads, , size] = keys.shape as [Dim, number, Dim, number];
  const [count] = prefix.shape as [Dim, Dim];
  const width = heads * size;
  return transpose(reshape(slice(prefix, 1, block * width, (block + 1) * width), [count, heads, size]), [1, 0, 2]);
}

function inject(host: Host, config: PrefixTuningConfig): Injection {
  const count = virtualTokensOf(host, config, keysWidth(host.network));
  const prefixIn = prefixOf(host, config, count);
  const { layers } = host.network;
  for (const { index, sites } of layers) {
    host.at(sites, "keysValues", {
      signature: `prefix:${count}:${config.prefixProjection && host.acting.isTrainable}`,
      addedPositions: count,
      transform(trace, own) {
        const prefix = prefixIn(trace);
        return prependKeysValues(own, headsOf(prefix, 2 * index, own), headsOf(prefix, 2 * index + 1, own));
      },
    });
  }
  return { targets: [], merge: notMergeable };
}

/** Learnt keys and values before those of each layer (Li and Liang 2021). */
export const prefixTuning: Tuner<PrefixTuningConfig> = {
  type: "PREFIX_TUNING",
  name: "prefix-tuning",
  help: "Learnt keys and values before those of each layer (Li and Liang 2021)",
  Config: PrefixTuningConfig,
  fitted: (config, network) => {
    const fitting = fittedPrompt(config, network, keysWidth(network));
    return config.with({ ...fitting, encoderHiddenSize: config.encoderHiddenSize ?? fitting.tokenDim });
  },
  inject,
  fileKey: promptFileKey,
};
