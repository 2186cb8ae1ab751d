import { Conv1D, Linear, type Module } from "../../../nn/index.js";
import { patternValue } from "../../matching/patterns.js";
import { selectTargets, type TargetKind } from "../../matching/select.js";
import type { Host, Injection, Tuner } from "../../tuner.js";
import { withFanIn } from "../fan-in-fan-out.js";
import { type TrainedBiases, trainBiases } from "../trained-biases.js";
import { combineFactors } from "./combine/index.js";
import { LoraConfig } from "./config.js";
import { defaultTargetModules } from "./default-targets.js";
import { LoraEmbedding, LoraLayer } from "./layer.js";
import { LowRank } from "./low-rank.js";
import { mixLora } from "./mixed.js";
import { leavesResidual, onPlainBase } from "./plain-base.js";
import { trainTokens } from "./trainable-tokens.js";
import { type WeightMatrix, weightMatrix } from "./weight-matrix.js";
import { writtenPatterns } from "./written-patterns.js";

const targets: TargetKind = {
  accepts: (module) => weightMatrix(module) !== null,
  isLinear: (module) => module instanceof Linear || module instanceof Conv1D,
  rule: "LoRA goes around linear layers, embeddings and the convolution of patches only",
  defaults: defaultTargetModules,
};

const biases: { readonly [B in LoraConfig["bias"]]: TrainedBiases } = {
  none: "none",
  all: "all",
  lora_only: "adapted",
};

/** Goes around one module. */
function adapt(host: Host, module: Module, names: readonly string[], config: LoraConfig): LowRank {
  const matrix = weightMatrix(module) as WeightMatrix;
  const lowRank = new LowRank(host, matrix, config.at(names), config);
  const Layer = matrix.kind === "table" ? LoraEmbedding : LoraLayer;
  host.wrap(module, (base) => new Layer(base, host.acting, lowRank));
  return lowRank;
}

/** PEFT's remark about keys of a pattern that no adapted module fits. */
function unmatched(option: "rankPattern" | "alphaPattern", config: LoraConfig, names: readonly string[]): string[] {
  const keys = Object.keys(config[option]).filter((key) => patternValue({ [key]: true }, names) === undefined);
  return keys.length === 0 ? [] : [`${option}: no adapted module fits ${keys.sort().join(", ")}`];
}

function inject(host: Host, config: LoraConfig): Injection {
  const picked = selectTargets(host.modules(), config, targets, host.config.modelType);
  const updates = picked.map(({ module, names }) => adapt(host, module, names, config));
  const matrices = updates.map(({ matrix }) => matrix);
  const tokens = trainTokens(
    host,
    config,
    matrices.map(({ weight }) => weight),
  );
  trainBiases(host, biases[config.bias], matrices);
  const written = tokens.length > 0 ? [] : matrices.filter(({ path }) => /(^|\.)(embed_tokens|lm_head)$/.test(path));
  const refused = updates.map(({ refusal }) => refusal).find((reason) => reason !== null);
  const allNames = picked.flatMap(({ names }) => names);
  return {
    targets: matrices.map(({ path }) => path),
    merge: refused
      ? { refused }
      : [...updates.flatMap((update) => update.mergeSteps()), ...tokens.map((one) => one.mergeStep())],
    alongside: new Map(written.map(({ path, weight }) => [`${path}.base_layer.weight`, weight])),
    factorPairs: updates.map(({ a, b, at: { scaling }, matrix: { kind, path, weight, isTransposed } }) => ({
      a,
      b,
      scaling,
      path,
      weight,
      isTransposed,
      isEmbedding: kind === "table",
    })),
    ...(updates.some(leavesResidual) && { unadjusted: (before) => onPlainBase(config, updates, before) }),
    setScale: (factor) => {
      for (const update of updates) update.setScale(factor);
    },
    remarks: [...unmatched("rankPattern", config, allNames), ...unmatched("alphaPattern", config, allNames)],
  };
}

/** Low-rank updates beside frozen weights (Hu et al. 2021). */
export const lora: Tuner<LoraConfig> = {
  type: "LORA",
  name: "lora",
  help: "Low-rank updates beside the frozen weights (Hu et al. 2021)",
  Config: LoraConfig,
  targets,
  fitted: withFanIn,
  inject,
  mix: mixLora,
  combine: combineFactors,
  writtenConfig: writtenPatterns,
};
