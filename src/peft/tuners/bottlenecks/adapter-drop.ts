import * as z from "zod";
import { GraftError } from "../../../errors.js";
import { cast, maximum, type Tensor } from "../../../graph/index.js";
import type { Trace } from "../../../nn/index.js";
import { option } from "../../../options/option-table.js";
import { configClass } from "../../config/config-class.js";
import type { Host, Injection, Tuner } from "../../tuner.js";
import { bottleneckOptions, notMergeable, pfeifferBottlenecks, type Switch } from "./bottleneck.js";

const adapterDropOptions = {
  ...bottleneckOptions("relu"),
  /**
   * How many of the first layers have no bottleneck: a number, or "random" (default): every layer has one, and each pass
   * in training leaves those of the first n layers out, with n drawn from 0 to all layers but the last.
   */
  skipLayers: option("mixed", z.union([z.int().nonnegative(), z.literal("random")]), "random" as number | "random", {
    help: "First layers without a bottleneck: a number, or random, drawn anew for each pass in training",
    expected: 'a whole number from 0, or "random"',
  }),
};

/**
 * How a model is adapted with Pfeiffer's bottlenecks that the first layers go without (AdapterDrop, Rücklé et al. 2021).
 * @throws GraftError `invalid-config`
 */
export class AdapterDropConfig extends configClass({
  peftType: "ADAPTERDROP",
  options: adapterDropOptions,
  isPefts: false,
}) {}

/**
 * For each layer whether its bottleneck acts, float32 [1], drawn anew for each pass in training: those of the first n
 * layers do not, each n from 0 to layers - 1 being as likely. Layer by layer a coin is thrown that lets this bottleneck
 * and all behind it act; it does so surely in the last layer.
 */
function drawn(layers: number): Switch {
  const drawnFor = new WeakMap<Trace, Tensor[]>();
  return (trace, layer) => {
    if (trace.mode === "eval") return null;
    const acting = drawnFor.get(trace) ?? [];
    drawnFor.set(trace, acting);
    for (let next = acting.length; next <= layer; next++) {
      const begins = cast(trace.randomMask([1], 1 / (layers - next)), "float32");
      const before = acting.at(-1);
      acting.push(before ? maximum(before, begins) : begins);
    }
    return acting[layer] as Tensor;
  };
}

function inject(host: Host, config: AdapterDropConfig): Injection {
  const { layers } = host.network;
  const { skipLayers } = config;
  if (skipLayers === "random") {
    return { targets: pfeifferBottlenecks(host, config, layers, drawn(layers.length)), merge: notMergeable };
  }
  if (skipLayers >= layers.length) {
    throw new GraftError(
      "invalid-config",
      `skipLayers is ${skipLayers}, and the model has ${layers.length} layers: no bottleneck would be left`,
      `Leave out at most ${layers.length - 1}.`,
      { option: "skipLayers" },
    );
  }
  return { targets: pfeifferBottlenecks(host, config, layers.slice(skipLayers)), merge: notMergeable };
}

/** Pfeiffer's bottlenecks without those of the first layers (Rücklé et al. 2021; the paper's AdapterD). PEFT has no such type. */
export const adapterDrop: Tuner<AdapterDropConfig> = {
  type: "ADAPTERDROP",
  name: "adapter-drop",
  help: "Pfeiffer's bottlenecks that the first layers go without (AdapterDrop, Rücklé et al. 2021)",
  Config: AdapterDropConfig,
  inject,
};
