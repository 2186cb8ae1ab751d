import * as z from "zod";
import { GraftError } from "../../../errors.js";
import { relu, type Tensor, tanh } from "../../../graph/index.js";
import type { Network } from "../../../models/index.js";
import { kaimingUniform, normal, type Trace, uniform } from "../../../nn/index.js";
import { option } from "../../../options/option-table.js";
import type { Host } from "../../tuner.js";
import { ownLinear } from "../own-linear.js";

const count = z.int().positive().nullable();
const followsFromModel = (what: string) => ({ help: what, expected: "null or a whole number from 1" });

/** The options of all of PEFT's methods that learn prompts. */
export const promptOptions = {
  /** How many virtual tokens there are. */
  numVirtualTokens: option("integer", count, null, {
    help: "How many virtual tokens stand before the text",
    expected: "a whole number from 1",
  }),
  /** Width of their vectors. Default null: the model's. */
  tokenDim: option("integer", count, null, followsFromModel("Width of the vectors. Default: the model's")),
  /** Parts of the model that read prompts. Default null: 1. */
  numTransformerSubmodules: option("integer", z.literal(1).nullable(), null, {
    help: "Parts of the model that read prompts",
    expected: "null or 1",
  }),
  /** Default null: the model's. */
  numAttentionHeads: option("integer", count, null, followsFromModel("Heads of the model. Default: the model's")),
  /** Default null: the model's. */
  numLayers: option("integer", count, null, followsFromModel("Layers of the model. Default: the model's")),
};

/** Width of the layers of the encoder that makes the vectors. */
export const encoderHiddenSize = option(
  "integer",
  count,
  null,
  followsFromModel("Width of the encoder's hidden layers. Default: the vectors'"),
);

interface PromptValues {
  readonly numVirtualTokens: number | null;
  readonly tokenDim: number | null;
  readonly numAttentionHeads: number | null;
  readonly numLayers: number | null;
}

/** Heads of vectors, and their width together. */
export interface Width {
  readonly heads: number;
  readonly width: number;
}

/** Of the stream between layers. */
export const streamWidth = ({ config }: Network): Width => ({
  heads: config.numAttentionHeads,
  width: config.hiddenSize,
});

/** What PEFT takes from the model's config. */
export function fittedPrompt(config: PromptValues, network: Network, { heads, width } = streamWidth(network)) {
  return {
    tokenDim: config.tokenDim ?? width,
    numTransformerSubmodules: 1,
    numLayers: config.numLayers ?? network.layers.length,
    numAttentionHeads: config.numAttentionHeads ?? heads,
  };
}

function mustFit(option: string, given: number | null, own: number, what: string): void {
  if (given === own) return;
  throw new GraftError("invalid-config", `${option} is ${given}, the model ${what} ${own}`, `Leave ${option} out.`, {
    option,
  });
}

/**
 * How many virtual tokens stand before a text.
 * @throws GraftError `invalid-config` for sizes that are not the model's, `unsupported` for models that read no text
 */
export function virtualTokensOf(
  { config, network }: Host,
  given: PromptValues,
  { width } = streamWidth(network),
): number {
  const { numVirtualTokens, tokenDim, numLayers } = given;
  if (numVirtualTokens === null) {
    throw new GraftError("invalid-config", "numVirtualTokens is not given", "Say how many vectors, e.g. 20.", {
      option: "numVirtualTokens",
    });
  }
  mustFit("tokenDim", tokenDim, width, "has vectors of size");
  mustFit("numLayers", numLayers, network.layers.length, "has layers:");
  if (!network.readsTokens) {
    throw new GraftError(
      "unsupported",
      `this method puts virtual tokens before those of a text, and ${config.modelType} reads none`,
      "Use a method for any model, such as LoRA; PreEmbed and PreLayer are prompts for images, too.",
    );
  }
  return numVirtualTokens;
}

/** PEFT leaves the base unwrapped for prompts, and so out of the names. */
export const promptFileKey = (key: string): string => (key === "prompt_embeddings" ? key : `base_model.${key}`);

/** A tensor that is written once in each graph that needs it. */
export function oncePerTrace(write: (trace: Trace) => Tensor): (trace: Trace) => Tensor {
  const written = new WeakMap<Trace, Tensor>();
  return (trace) => {
    const tensor = written.get(trace) ?? write(trace);
    written.set(trace, tensor);
    return tensor;
  };
}

const functions = { relu, tanh };

/**
 * An encoder that makes an adapter's `prompt_embeddings`, which its file holds in the encoder's place: vectors of its
 * own, and a stack of linear layers over them with a function between two.
 * @param name of the layers: `<name>.0`, `<name>.2`, ... (PyTorch's numbers; functions have one, too)
 * @param sizes features of the vectors, of every hidden layer and of the product
 * @returns float32 [virtual tokens, last of the sizes]
 */
export function promptEncoder(
  host: Host,
  name: string,
  virtualTokens: number,
  sizes: readonly number[],
  between: keyof typeof functions,
  isLastZero = false,
): (trace: Trace) => Tensor {
  const isSaved = false;
  const shape = [virtualTokens, sizes[0] as number];
  const embedding = host.parameter("embedding.weight", shape, { initializer: normal(1), isSaved });
  const layers = sizes.slice(1).map((outFeatures, index) => {
    const inFeatures = sizes[index] as number;
    const bound = 1 / Math.sqrt(inFeatures);
    const isZero = isLastZero && index === sizes.length - 2;
    return ownLinear(host, `${name}.${2 * index}`, inFeatures, outFeatures, {
      // PyTorch's own beginning of linear layers.
      weight: isZero ? undefined : kaimingUniform(Math.sqrt(5)),
      bias: isZero ? undefined : uniform(-bound, bound),
      isSaved,
    });
  });
  const encode = oncePerTrace((trace) =>
    layers.reduce(
      (x, layer, index) => layer(trace, index === 0 ? x : functions[between](x)),
      trace.parameter(embedding),
    ),
  );
  host.product("prompt_embeddings", [virtualTokens, sizes.at(-1) as number], encode);
  return encode;
}
