import * as z from "zod";
import { GraftError } from "../../errors.js";
import { mul, reshape, type Tensor } from "../../graph/index.js";
import { type Module, normal, ones, type Parameter, type Trace } from "../../nn/index.js";
import { option } from "../../options/option-table.js";
import { patterns, targetOptions } from "../config/common-options.js";
import { configClass } from "../config/config-class.js";
import { type AnyLinear, asStored, linearTargets } from "../matching/linear-targets.js";
import { matcher, type Patterns } from "../matching/patterns.js";
import { selectTargets } from "../matching/select.js";
import type { Host, Injection, MergeStep, Tuner } from "../tuner.js";
import { TunerLayer } from "../tuner-layer.js";
import { withFanIn } from "./fan-in-fan-out.js";

const attentionAndOutput = ["q_proj", "v_proj", "down_proj"];

/** The modules that PEFT 0.21 adapts with IA3 by default, by `model_type`: targets, and which of them scale their input. */
const defaults: Readonly<
  Record<string, { readonly targets: readonly string[]; readonly feedforward: readonly string[] }>
> = {
  bert: { targets: ["key", "value", "output.dense"], feedforward: ["output.dense"] },
  roberta: { targets: ["key", "value", "output.dense"], feedforward: ["output.dense"] },
  "deberta-v2": { targets: ["key_proj", "value_proj", "output.dense"], feedforward: ["output.dense"] },
  deberta: { targets: ["in_proj", "output.dense"], feedforward: ["output.dense"] },
  gpt2: { targets: ["c_attn", "mlp.c_proj"], feedforward: ["mlp.c_proj"] },
  gpt_bigcode: { targets: ["c_attn", "mlp.c_proj"], feedforward: ["mlp.c_proj"] },
  gpt_neo: { targets: ["q_proj", "v_proj", "c_proj"], feedforward: ["c_proj"] },
  gptj: { targets: ["q_proj", "v_proj", "fc_out"], feedforward: ["fc_out"] },
  gpt_neox: { targets: ["query_key_value", "dense_4h_to_h"], feedforward: ["dense_4h_to_h"] },
  falcon: { targets: ["query_key_value", "dense_4h_to_h"], feedforward: ["dense_4h_to_h"] },
  bloom: { targets: ["query_key_value", "mlp.dense_4h_to_h"], feedforward: ["mlp.dense_4h_to_h"] },
  t5: { targets: ["k", "v", "wo"], feedforward: ["wo"] },
  mt5: { targets: ["k", "v", "wi_1"], feedforward: [] },
  bart: { targets: ["q_proj", "v_proj", "fc2"], feedforward: ["fc2"] },
  opt: { targets: ["q_proj", "k_proj", "fc2"], feedforward: ["fc2"] },
  phi: { targets: ["q_proj", "v_proj", "fc2"], feedforward: ["fc2"] },
  llama: { targets: ["k_proj", "v_proj", "down_proj"], feedforward: ["down_proj"] },
  mistral: { targets: ["k_proj", "v_proj", "down_proj"], feedforward: ["down_proj"] },
  mixtral: { targets: ["k_proj", "v_proj", "w2"], feedforward: ["w2"] },
  llama4: { targets: attentionAndOutput, feedforward: ["down_proj"] },
  gemma: { targets: attentionAndOutput, feedforward: ["down_proj"] },
  gemma2: { targets: attentionAndOutput, feedforward: ["down_proj"] },
  gemma3_text: { targets: attentionAndOutput, feedforward: ["down_proj"] },
  qwen2: { targets: attentionAndOutput, feedforward: ["down_proj"] },
  qwen3: { targets: attentionAndOutput, feedforward: ["down_proj"] },
};

const ia3Options = {
  ...targetOptions,
  /** Those of targetModules that scale their input, not their output: names, a regular expression, or null for the model type's usual ones. Default null. */
  feedforwardModules: option("pattern", patterns.nullable(), null, {
    help: "Those of target_modules whose input is scaled, not their output. Default: the usual ones of the model type",
    expected: "null, a list of module names, or a regular expression",
  }),
  /** Whether layers store their weights as [in, out]. Set to what the layers do. Default false. */
  fanInFanOut: option("switch", z.boolean(), false, { help: "The base stores weights as [in, out]" }),
  /** Whether the vectors begin at 1 (true, the default) or at random (for tests). */
  initIa3Weights: option("switch", z.boolean(), true, {
    help: "Begin with vectors of ones, which change nothing",
    key: "init_ia3_weights",
  }),
};

/**
 * How a model is adapted with (IA)^3 (Liu et al. 2022): learnt vectors scale outputs of attention's keys and values, and
 * inputs of the feed-forward's last layer. Options, meanings and defaults are those of PEFT 0.21's IA3Config.
 * @throws GraftError `invalid-config`
 */
export class IA3Config extends configClass({ peftType: "IA3", options: ia3Options }) {}

/** y = l * (W x + b), or y = W (l * x) + b. */
class Ia3Layer extends TunerLayer {
  private readonly vector: Parameter;

  constructor(
    base: Module,
    host: Host,
    private readonly linear: AnyLinear,
    private readonly isFeedforward: boolean,
    startsAtOne: boolean,
  ) {
    super(base, host.acting);
    const shape = isFeedforward ? [1, linear.inFeatures] : [linear.outFeatures, 1];
    this.vector = host.parameter(`${linear.path}.ia3_l`, shape, { initializer: startsAtOne ? ones : normal(1) });
  }

  signature(): string {
    return this.isFeedforward ? "input" : "output";
  }

  protected adapted(trace: Trace, x: Tensor): Tensor {
    if (this.isFeedforward)
      return this.base.forward(
        trace,
        this.scoped(() => mul(x, this.flat(trace))),
      );
    const result = this.base.forward(trace, x);
    return this.scoped(() => mul(result, this.flat(trace)));
  }

  mergeSteps(): MergeStep[] {
    const { weight, bias } = this.linear;
    const scaled: MergeStep = {
      parameter: weight,
      write: (trace, w) => mul(w, asStored(this.linear, trace.parameter(this.vector))),
    };
    if (this.isFeedforward || !bias) return [scaled];
    return [scaled, { parameter: bias, write: (trace, b) => mul(b, this.flat(trace)) }];
  }

  private flat(trace: Trace): Tensor {
    return reshape(trace.parameter(this.vector), [this.vector.elementCount]);
  }
}

const targets = linearTargets(
  "IA3 goes around linear layers only",
  Object.fromEntries(Object.entries(defaults).map(([type, one]) => [type, one.targets])),
);

/** @throws GraftError `invalid-config` where neither the config nor the model type says which */
function feedforwardOf({ feedforwardModules }: IA3Config, modelType: string): Patterns {
  const modules = feedforwardModules ?? defaults[modelType]?.feedforward;
  if (modules !== undefined) return modules;
  throw new GraftError(
    "invalid-config",
    `feedforwardModules is not given, and models of type ${modelType} have no default`,
    "Name those of targetModules whose input is scaled, or [] for none.",
    { option: "feedforwardModules" },
  );
}

/** PEFT's rule: a list names path ends, wherever they begin; a text matches as a regex. */
function feedforwardMatcher(modules: Patterns): (path: string) => boolean {
  return typeof modules === "string" ? matcher(modules) : (path) => modules.some((end) => path.endsWith(end));
}

function inject(host: Host, config: IA3Config): Injection {
  const { modelType } = host.config;
  const isFeedforward = feedforwardMatcher(feedforwardOf(config, modelType));
  const layers = selectTargets(host.modules(), config, targets, modelType).map(({ module, names }) =>
    host.wrap(
      module,
      (base) => new Ia3Layer(base, host, module as AnyLinear, names.some(isFeedforward), config.initIa3Weights),
    ),
  );
  return {
    targets: layers.map(({ path }) => path),
    merge: layers.flatMap((layer) => layer.mergeSteps()),
  };
}

/** feedforwardModules so that they mean the same modules in the written spelling. */
function writtenConfig(
  config: IA3Config,
  { targets: adapted }: Injection,
  spell: (path: string) => string,
  modelType: string,
): IA3Config {
  const given = feedforwardOf(config, modelType);
  const isMeant = feedforwardMatcher(given);
  const meant = adapted.filter((path) => isMeant(path) || isMeant(spell(path)));
  const isSame = adapted.every((path) => isMeant(spell(path)) === meant.includes(path));
  const listed = typeof given === "string" ? given : [...given];
  return config.with({ feedforwardModules: isSame ? listed : meant.map(spell) });
}

/** Learnt vectors on keys, values and feed-forward inputs (Liu et al. 2022). */
export const ia3: Tuner<IA3Config> = {
  type: "IA3",
  name: "ia3",
  help: "Vectors that scale keys, values and feed-forward inputs (Liu et al. 2022)",
  Config: IA3Config,
  targets,
  fitted: withFanIn,
  inject,
  writtenConfig,
};
