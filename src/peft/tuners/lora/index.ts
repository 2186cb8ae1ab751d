import type { Linear } from "../../../nn/index.js";
import { linearTargets } from "../../matching/linear-targets.js";
import { selectTargets } from "../../matching/select.js";
import type { Host, Injection, Tuner } from "../../tuner.js";
import { withoutFanIn } from "../fan-in-fan-out.js";
import { type TrainedBiases, trainBiases } from "../trained-biases.js";
import { LoraConfig } from "./config.js";
import { defaultTargetModules } from "./default-targets.js";
import { LoraLayer } from "./layer.js";
import { mixLora } from "./mixed.js";
import { writtenPatterns } from "./written-patterns.js";

const targets = linearTargets("LoRA goes around linear layers only", defaultTargetModules);

const biases: { readonly [B in LoraConfig["bias"]]: TrainedBiases } = {
  none: "none",
  all: "all",
  lora_only: "adapted",
};

function inject(host: Host, config: LoraConfig): Injection {
  const picked = selectTargets(host.modules(), config, targets, host.config.modelType);
  const layers = picked.map(({ module, names }) =>
    host.wrap(module, (base) => new LoraLayer(base, host, module as Linear, config.at(names), config)),
  );
  trainBiases(
    host,
    biases[config.bias],
    layers.map(({ linear }) => linear),
  );
  return {
    targets: layers.map(({ path }) => path),
    merge: layers.map((layer) => layer.mergeStep()),
    setScale: (factor) => {
      for (const layer of layers) layer.setScale(factor);
    },
  };
}

/** Low-rank updates beside frozen weights (Hu et al. 2021). */
export const lora: Tuner<LoraConfig> = {
  type: "LORA",
  name: "lora",
  help: "Low-rank updates beside the frozen weights (Hu et al. 2021)",
  Config: LoraConfig,
  targets,
  fitted: withoutFanIn,
  inject,
  mix: mixLora,
  writtenConfig: writtenPatterns,
};
