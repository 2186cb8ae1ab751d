import type { Network } from "../../../models/index.js";
import { insertTokens, placesIn } from "../../../nn/index.js";
import { configClass } from "../../config/config-class.js";
import type { Host, Injection, Tuner } from "../../tuner.js";
import { countsFor, notMergeable, placeOptions, virtualVectors } from "./places.js";

/**
 * How a model is adapted with trained embeddings of virtual tokens (the LoRA paper's PreEmbed, after Li and Liang 2021):
 * a prefix before all tokens and an infix after each row's last real one. In images: shallow visual prompts (Jia et al.
 * 2022).
 * @throws GraftError `invalid-config`
 */
export class PreEmbedConfig extends configClass({ peftType: "PREEMBED", options: placeOptions, isPefts: false }) {}

/** The path of the module at whose site vectors enter the first layer. */
function embeddingPath(network: Network): string {
  const { embeddingSites } = network;
  const owner = [...network.modules()].find((module) => "sites" in module && module.sites === embeddingSites);
  return owner?.path ?? "";
}

function inject(host: Host, config: PreEmbedConfig): Injection {
  const { network } = host;
  const counts = countsFor(config, network);
  const vectors = virtualVectors(host, embeddingPath(network), counts);
  host.at(network.embeddingSites, "embeddings", {
    signature: `preembed:${counts.prefix}:${counts.infix}`,
    addedPositions: counts.prefix + counts.infix,
    isAtBeginning: true,
    transform: (trace, embedded) => insertTokens(embedded, placesIn(embedded, counts), vectors(trace)),
  });
  return { targets: [], merge: notMergeable };
}

/** Trained embeddings of virtual tokens (the LoRA paper's PreEmbed). PEFT has no such type. */
export const preEmbed: Tuner<PreEmbedConfig> = {
  type: "PREEMBED",
  name: "preembed",
  help: "Trained embeddings of virtual tokens before and after a text (PreEmbed)",
  Config: PreEmbedConfig,
  inject,
};
