import * as z from "zod";
import { matMul, mul, type Tensor } from "../../../graph/index.js";
import { kaimingUniform, type MatrixLayer, type Module, type Parameter, type Trace, zeros } from "../../../nn/index.js";
import { option } from "../../../options/option-table.js";
import { configClass } from "../../config/config-class.js";
import { matrixTargets } from "../../matching/linear-targets.js";
import { selectTargets } from "../../matching/select.js";
import type { Host, Injection, Tuner } from "../../tuner.js";
import { defaultTargetModules } from "../lora/default-targets.js";
import { writtenPatterns } from "../lora/written-patterns.js";
import { injectionOf, LycorisLayer } from "./layer.js";
import { type LycorisPlace, lycorisOptions, lycorisUnbuilt, placeOf } from "./options.js";

const lohaOptions = {
  ...lycorisOptions,
  /** Begin with an update of zero (true, the default) or at random (for tests). */
  initWeights: option("switch", z.boolean(), true, { help: "Begin with factors that change nothing" }),
};

/**
 * How a model is adapted with LoHa (Hyeon-Woo et al. 2022): the update is the elementwise product of two low-rank
 * matrices, (w1_a w1_b) * (w2_a w2_b), scaled by alpha / r. Options, meanings and defaults are those of PEFT 0.21's
 * LoHaConfig.
 * @throws GraftError `invalid-config`
 */
export class LoHaConfig extends configClass({ peftType: "LOHA", options: lohaOptions, unbuilt: lycorisUnbuilt }) {}

const linearDefault = kaimingUniform(Math.sqrt(5));

class LoHaLayer extends LycorisLayer {
  protected readonly form = "loha";
  /** w1_a, w1_b, w2_a, w2_b: [outFeatures, r], [r, inFeatures], twice. */
  private readonly factors: readonly [Parameter, Parameter, Parameter, Parameter];

  constructor(base: Module, host: Host, matrix: MatrixLayer, place: LycorisPlace, startsAtZero: boolean) {
    super(base, host, matrix, place, true);
    const { inFeatures, outFeatures, path } = matrix;
    const rank = (slot: string): string => `rank(${path})${slot}`;
    const left = (key: string): Parameter =>
      host.parameter(`${path}.${key}`, [outFeatures, place.r], {
        symbolicShape: (slot) => [outFeatures, rank(slot)],
        initializer: linearDefault,
      });
    const right = (key: string, initializer = linearDefault): Parameter =>
      host.parameter(`${path}.${key}`, [place.r, inFeatures], {
        symbolicShape: (slot) => [rank(slot), inFeatures],
        initializer,
      });
    this.factors = [
      left("hada_w1_a"),
      right("hada_w1_b"),
      left("hada_w2_a"),
      right("hada_w2_b", startsAtZero ? zeros : linearDefault),
    ];
  }

  protected update(trace: Trace): Tensor {
    const [a1, b1, a2, b2] = this.factors.map((factor) => trace.parameter(factor)) as [Tensor, Tensor, Tensor, Tensor];
    return mul(matMul(a1, b1), matMul(a2, b2));
  }
}

const targets = matrixTargets("LoHa goes around linear layers and ViT's patch projection only", defaultTargetModules);

function inject(host: Host, config: LoHaConfig): Injection {
  const picked = selectTargets(host.modules(), config, targets, host.config.modelType);
  const layers = picked.map(({ module, names }) =>
    host.wrap(
      module,
      (base) => new LoHaLayer(base, host, module as MatrixLayer, placeOf(config, names), config.initWeights),
    ),
  );
  return injectionOf(layers);
}

/** Elementwise products of two low-rank updates (Hyeon-Woo et al. 2022). */
export const loha: Tuner<LoHaConfig> = {
  type: "LOHA",
  name: "loha",
  help: "Elementwise products of two low-rank updates (Hyeon-Woo et al. 2022)",
  Config: LoHaConfig,
  targets,
  inject,
  writtenConfig: writtenPatterns,
};
