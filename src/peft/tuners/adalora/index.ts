import type { Network } from "../../../models/index.js";
import type { Parameter } from "../../../nn/index.js";
import type { OnWarning } from "../../config/config-class.js";
import { type AnyLinear, linearTargets } from "../../matching/linear-targets.js";
import { selectTargets } from "../../matching/select.js";
import type { Host, Injection, Tuner } from "../../tuner.js";
import { withFanIn } from "../fan-in-fan-out.js";
import { type TrainedBiases, trainBiases } from "../trained-biases.js";
import { AdaLoraConfig } from "./config.js";
import { defaultTargetModules } from "./default-targets.js";
import { AdaLoraLayer } from "./layer.js";
import { prunedTensors } from "./pruned.js";
import { RankAllocator } from "./rank-allocator.js";

const targets = linearTargets("AdaLoRA goes around linear layers only", defaultTargetModules);

const biases: { readonly [B in AdaLoraConfig["bias"]]: TrainedBiases } = {
  none: "none",
  all: "all",
  lora_only: "adapted",
};

/** The name of a module in `rank_pattern`. */
const patternKey = (path: string): string => `${path}.lora_E`;

/** Triplets of a module: those that a trained adapter has left, or all that it begins with. */
function rankOf({ rankPattern, initR }: AdaLoraConfig, names: readonly string[]): number {
  const name = names.find((one) => rankPattern?.[patternKey(one)] !== undefined);
  if (name === undefined) return initR;
  return rankPattern?.[patternKey(name)]?.filter(Boolean).length ?? initR;
}

function allocatorFor(host: Host, config: AdaLoraConfig, layers: readonly AdaLoraLayer[]): RankAllocator {
  const { tinit, tfinal, deltaT, totalStep, initR, targetR } = config;
  const schedule = { tinit, tfinal, deltaT, totalStep: totalStep ?? 0 };
  const triplets = { initial: initR * layers.length, target: targetR * layers.length };
  return new RankAllocator(host, layers, { ...schedule, ...triplets }, config);
}

/** PEFT's models without a task type never call what adds the regularisation to the loss. */
const isRegularised = ({ taskType }: AdaLoraConfig): boolean => taskType !== null;

function fitted(config: AdaLoraConfig, network: Network, onWarning: OnWarning): AdaLoraConfig {
  if (!isRegularised(config) && !config.inferenceMode && config.orthRegWeight > 0) {
    onWarning(
      "the orthogonal regularisation is left out, as PEFT leaves it out where there is no task type: give a taskType, or set orthRegWeight to 0",
    );
  }
  return withFanIn(config, network, onWarning);
}

function inject(host: Host, config: AdaLoraConfig): Injection {
  const picked = selectTargets(host.modules(), config, targets, host.config.modelType);
  // The mean over both matrices of all layers, as PEFT takes it.
  const regularisation = isRegularised(config) ? config.orthRegWeight / (2 * picked.length) : 0;
  const layers = picked.map(({ module, names }) =>
    host.wrap(
      module,
      (base) => new AdaLoraLayer(base, host, module as AnyLinear, rankOf(config, names), config, regularisation),
    ),
  );
  trainBiases(
    host,
    biases[config.bias],
    layers.map(({ linear }) => linear),
  );
  const injection: Injection = {
    targets: layers.map(({ path }) => path),
    merge: layers.flatMap((layer) => layer.mergeSteps()),
    setScale: (factor) => {
      for (const layer of layers) layer.setScale(factor);
    },
  };
  // Ranks that were settled in an earlier run stay as they are.
  if (config.rankPattern !== null) return injection;
  const allocator = allocatorFor(host, config, layers);
  return {
    ...injection,
    afterStep: allocator,
    saved: (): ReadonlyMap<string, Parameter> => prunedTensors(layers, allocator.pattern),
    learnt: () => ({ rankPattern: named(allocator.pattern, ({ path }) => path) }),
  };
}

function named(pattern: ReadonlyMap<AdaLoraLayer, boolean[]> | null, nameOf: (layer: AdaLoraLayer) => string) {
  return pattern && Object.fromEntries([...pattern].map(([layer, left]) => [patternKey(nameOf(layer)), left]));
}

/** rankPattern so that it means the same modules in the written spelling. */
function writtenConfig(config: AdaLoraConfig, { targets: adapted }: Injection, spell: (path: string) => string) {
  const { rankPattern } = config;
  if (rankPattern === null) return config;
  const written = adapted.flatMap((path) => {
    const left = rankPattern[patternKey(path)] ?? rankPattern[patternKey(spell(path))];
    return left ? [[patternKey(spell(path)), left]] : [];
  });
  return config.with({ rankPattern: Object.fromEntries(written) });
}

/** Low-rank updates whose ranks are allocated in training (Zhang et al. 2023). */
export const adaLora: Tuner<AdaLoraConfig> = {
  type: "ADALORA",
  name: "adalora",
  help: "Low-rank updates whose ranks are allocated in training (Zhang et al. 2023)",
  Config: AdaLoraConfig,
  targets,
  fitted,
  inject,
  writtenConfig,
};
