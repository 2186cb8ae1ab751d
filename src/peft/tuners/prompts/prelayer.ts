import { GraftError } from "../../../errors.js";
import { expand, scalar } from "../../../graph/index.js";
import { insertTokens, placesIn, type Trace, type VirtualPlaces } from "../../../nn/index.js";
import { configClass } from "../../config/config-class.js";
import type { Host, Injection, Tuner } from "../../tuner.js";
import { countsFor, notMergeable, placeOptions, virtualVectors } from "./places.js";

/**
 * How a model is adapted with trained activations of virtual tokens (the LoRA paper's PreLayer): at their positions the
 * input of every layer is replaced.
 * @throws GraftError `invalid-config`
 */
export class PreLayerConfig extends configClass({ peftType: "PRELAYER", options: placeOptions, isPefts: false }) {}

function inject(host: Host, config: PreLayerConfig): Injection {
  const { network } = host;
  const { hiddenSize } = host.config;
  const counts = countsFor(config, network);
  const count = counts.prefix + counts.infix;
  const signature = `prelayer:${counts.prefix}:${counts.infix}`;
  const placesOf = new WeakMap<Trace, VirtualPlaces>();
  host.at(network.embeddingSites, "embeddings", {
    signature,
    addedPositions: count,
    isAtBeginning: true,
    transform(trace, embedded) {
      const places = placesIn(embedded, counts);
      placesOf.set(trace, places);
      // What is embedded there is never read: the first layer's input is replaced too.
      return insertTokens(embedded, places, expand(scalar(0), [count, hiddenSize]));
    },
  });
  for (const { path, sites } of network.layers) {
    const vectors = virtualVectors(host, path, counts);
    host.at(sites, "layerInput", {
      signature,
      isAtBeginning: true,
      transform(trace, stream) {
        const places = placesOf.get(trace) as VirtualPlaces;
        requireLength(places, stream.hidden.shape[1]);
        return stream.with(places.replace(stream.hidden, vectors(trace)));
      },
    });
  }
  return { targets: network.layers.map(({ path }) => path), merge: notMergeable };
}

/** @throws GraftError `unsupported` where another adapter has put tokens in after this one's */
function requireLength({ total }: VirtualPlaces, length: unknown): void {
  if (length === total) return;
  throw new GraftError(
    "unsupported",
    "another adapter that acts adds tokens after PreLayer has placed its own",
    "Load the PreLayer adapter after the others that add tokens, or let one of them act at a time.",
  );
}

/** Trained activations of virtual tokens in every layer (the LoRA paper's PreLayer). PEFT has no such type. */
export const preLayer: Tuner<PreLayerConfig> = {
  type: "PRELAYER",
  name: "prelayer",
  help: "Trained inputs of every layer at virtual tokens before and after a text (PreLayer)",
  Config: PreLayerConfig,
  inject,
};
