import * as z from "zod";
import { GraftError } from "../../errors.js";
import type { Parameter } from "../../nn/index.js";
import { option } from "../../options/option-table.js";
import { configClass } from "../config/config-class.js";
import type { Host, Injection, Tuner } from "../tuner.js";

/**
 * How a model is fine-tuned whole ("FT" of Hu et al. 2021): all of its weights are trained, the head's included.
 * @throws GraftError `invalid-config`
 */
export class FullConfig extends configClass({ peftType: "FT", options: {}, isPefts: false }) {}

const topOptions = {
  /** How many of the last layers are trained. Default 2. */
  numLayers: option("integer", z.int().positive(), 2, {
    help: "How many of the last layers are trained",
    expected: "a whole number from 1 to the model's number of layers",
  }),
};

/**
 * How the last layers of a model are fine-tuned ("FT-Top2" of Hu et al. 2021), and the modules that are saved whole: the
 * head, which `taskType` or `modulesToSave` names.
 * @throws GraftError `invalid-config`
 */
export class FullTopConfig extends configClass({ peftType: "FT_TOP2", options: topOptions, isPefts: false }) {}

/** Trains copies of parameters in their places; those of saved modules are copied already. */
function trainInPlace(host: Host, parameters: Iterable<Parameter>, targets: readonly string[]): Injection {
  const saved = new Set(host.copied());
  const chosen = [...parameters].filter((parameter) => !saved.has(parameter));
  const copies = host.copy(chosen, { isKept: true });
  return {
    targets,
    merge: chosen.map((parameter, index) => ({ parameter, write: (trace) => trace.parameter(copies[index]!) })),
  };
}

/** All weights (Hu et al. 2021, section 5.1). */
export const full: Tuner<FullConfig> = {
  type: "FT",
  name: "ft",
  help: "All weights of the model (full fine-tuning)",
  Config: FullConfig,
  isWholeModel: true,
  inject: (host) => {
    const paths = [...host.network.modules()].map(({ path }) => path).filter((path) => path !== "");
    return trainInPlace(host, host.network.parameters(), paths);
  },
};

function lastLayers(host: Host, { numLayers }: FullTopConfig): Host["network"]["layers"] {
  const { layers } = host.network;
  if (numLayers <= layers.length) return layers.slice(-numLayers);
  throw new GraftError(
    "invalid-config",
    `numLayers is ${numLayers}, the model has ${layers.length} layers`,
    `Choose from 1 to ${layers.length}, or fine-tune the whole model (FT).`,
    { option: "numLayers" },
  );
}

/** The last layers (Hu et al. 2021, section 5.1). */
export const fullTop: Tuner<FullTopConfig> = {
  type: "FT_TOP2",
  name: "ft-top2",
  help: "All weights of the last layers (FT-Top2 of Hu et al. 2021)",
  Config: FullTopConfig,
  isWholeModel: true,
  inject: (host, config) => {
    const layers = lastLayers(host, config);
    const parameters = layers.flatMap((layer) => [...layer.parameters()]);
    return trainInPlace(
      host,
      parameters,
      layers.map(({ path }) => path),
    );
  },
};
