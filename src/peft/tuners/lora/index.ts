import type { Linear } from "../../../nn/index.js";
import { linearTargets } from "../../matching/linear-targets.js";
import { selectTargets } from "../../matching/select.js";
import type { Host, Injection, Tuner } from "../../tuner.js";
import { withoutFanIn } from "../fan-in-fan-out.js";
import { LoraConfig } from "./config.js";
import { defaultTargetModules } from "./default-targets.js";
import { LoraLayer } from "./layer.js";
import { mixLora } from "./mixed.js";
import { writtenPatterns } from "./written-patterns.js";

const targets = linearTargets("LoRA goes around linear layers only", defaultTargetModules);

/** The base's biases that a config trains: PEFT's `bias`. */
function copyBiases(host: Host, { bias }: LoraConfig, layers: readonly LoraLayer[]): void {
  const wrapped = new Set(layers.flatMap(({ linear }) => (linear.bias ? [linear.bias] : [])));
  const saved = new Set(host.copied());
  const all = [...host.network.parameters()].filter(({ name }) => name.endsWith("bias"));
  const chosen = bias === "all" ? all.filter((one) => !saved.has(one)) : bias === "lora_only" ? [...wrapped] : [];
  host.copy(chosen, {
    isPersistent: true,
    key: (one) => (wrapped.has(one) ? one.name.replace(/\.bias$/, ".base_layer.bias") : one.name),
  });
}

function inject(host: Host, config: LoraConfig): Injection {
  const picked = selectTargets(host.modules(), config, targets, host.config.modelType);
  const layers = picked.map(({ module, names }) =>
    host.wrap(module, (base) => new LoraLayer(base, host, module as Linear, config.at(names), config)),
  );
  copyBiases(host, config, layers);
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
