import * as z from "zod";
import { add, matMul, mul, reshape, slice, type Tensor } from "../../graph/index.js";
import {
  type Initializer,
  kaimingUniform,
  type Mode,
  type Module,
  normal,
  ones,
  type Parameter,
  parameterRandom,
  type Trace,
  zeros,
} from "../../nn/index.js";
import { option } from "../../options/option-table.js";
import { targetOptions } from "../config/common-options.js";
import { configClass, type UnbuiltFields } from "../config/config-class.js";
import { type AnyLinear, asStored, linearTargets } from "../matching/linear-targets.js";
import { selectTargets } from "../matching/select.js";
import type { Host, Injection, MergeStep, Tuner } from "../tuner.js";
import { TunerLayer } from "../tuner-layer.js";
import { withFanIn } from "./fan-in-fan-out.js";
import { defaultTargetModules } from "./lora/default-targets.js";
import { type TrainedBiases, trainBiases } from "./trained-biases.js";

const veraOptions = {
  /** Rank of the shared projections. Default 256. */
  r: option(
    "integer",
    z
      .int()
      .positive()
      .max(2 ** 16),
    256,
    {
      help: "Rank of the shared projections",
      expected: "a whole number from 1 to 65536",
    },
  ),
  targetModules: targetOptions.targetModules,
  /** Decides the projections' elements: adapters of one key have the same. Default 0. */
  projectionPrngKey: option("integer", z.int(), 0, { help: "Key of the projections' random elements" }),
  /** Probability that an input of the update is dropped in training, from 0 to below 1. Default 0. */
  veraDropout: option("number", z.number().gte(0).lt(1), 0, {
    help: "Share of the update's input that is dropped in training",
    expected: "a number from 0 to below 1",
  }),
  /** What the vectors between the projections begin with. Default 0.1. */
  dInitial: option("number", z.number(), 0.1, { help: "What the vectors between the projections begin with" }),
  /** Whether layers store their weights as [in, out]. Set to what the layers do, with a remark. Default false. */
  fanInFanOut: option("switch", z.boolean(), false, { help: "The base stores weights as [in, out]" }),
  /** Which biases of the base are trained: "none" (default), "all", or those of the adapted layers ("vera_only"). */
  bias: option("choice", z.enum(["none", "all", "vera_only"]), "none", {
    help: "Biases that are trained: none, all, or those of the adapted layers",
  }),
  /** Begin with an update of zero (true, the default) or not (for tests). */
  initWeights: option("switch", z.boolean(), true, { help: "Begin with vectors that change nothing" }),
};

const isEmpty = (value: unknown): boolean => value === "" || (Array.isArray(value) && value.length === 0);

const notByLayers = "layers are chosen by targetModules here";

const unbuilt: UnbuiltFields = {
  layers_pattern: { unset: null, alsoUnset: isEmpty, reason: notByLayers },
  layers_to_transform: { unset: null, alsoUnset: isEmpty, reason: notByLayers },
  save_projection: {
    unset: true,
    reason: "without projections in the file a reader would have to draw PyTorch's own random numbers",
  },
};

/**
 * How a model is adapted with VeRA (Kopiczko et al. 2024): all layers share two frozen random projections, and learn
 * vectors behind each: y = W x + b + lambda_b * (B (lambda_d * (A x))). Options, meanings and defaults are those of
 * PEFT 0.21's VeraConfig; the projections are always saved.
 * @throws GraftError `invalid-config`
 */
export class VeraConfig extends configClass({ peftType: "VERA", options: veraOptions, unbuilt }) {}

/** The projections that all layers share, as large as the largest of them needs. */
interface Projections {
  readonly r: number;
  /** [r, the most inputs] */
  readonly a: Parameter;
  /** [the most outputs, r] */
  readonly b: Parameter;
}

/** The elements are the key's alone, so that adapters of one key share them. */
const drawnBy =
  (prngKey: number, name: string): Initializer =>
  (shape) =>
    kaimingUniform(0)(shape, parameterRandom(prngKey, name));

function projections(host: Host, { r, projectionPrngKey }: VeraConfig, layers: readonly AnyLinear[]): Projections {
  const inputs = Math.max(...layers.map(({ inFeatures }) => inFeatures));
  const outputs = Math.max(...layers.map(({ outFeatures }) => outFeatures));
  const shared = { trainable: false, isCounted: false };
  const a = host.parameter("vera_A", [r, inputs], { ...shared, initializer: drawnBy(projectionPrngKey, "vera_A") });
  const b = host.parameter("vera_B", [outputs, r], { ...shared, initializer: drawnBy(projectionPrngKey, "vera_B") });
  return { r, a, b };
}

/** The first of a tensor's slices along an axis; the tensor itself where that is all. */
const firstOf = (x: Tensor, axis: number, count: number): Tensor =>
  x.shape[axis] === count ? x : slice(x, axis, 0, count);

class VeraLayer extends TunerLayer {
  /** [outFeatures] */
  private readonly lambdaB: Parameter;
  /** [r] */
  private readonly lambdaD: Parameter;

  constructor(
    base: Module,
    host: Host,
    readonly linear: AnyLinear,
    private readonly shared: Projections,
    private readonly config: VeraConfig,
  ) {
    super(base, host.acting);
    const { initWeights, dInitial } = config;
    const filled: Initializer = (shape, random) => ones(shape, random).fill(dInitial);
    this.lambdaB = host.parameter(`${linear.path}.vera_lambda_b`, [linear.outFeatures], {
      initializer: initWeights ? zeros : ones,
    });
    this.lambdaD = host.parameter(`${linear.path}.vera_lambda_d`, [shared.r], {
      initializer: initWeights ? filled : normal(1),
    });
  }

  signature(mode: Mode): string {
    return mode === "train" ? `vera:${this.config.veraDropout}` : "vera";
  }

  protected adapted(trace: Trace, x: Tensor): Tensor {
    const result = this.base.forward(trace, x);
    return this.scoped(() => {
      const down = matMul(trace.dropout(x, this.config.veraDropout), this.a(trace), { transposeB: true });
      const up = matMul(mul(down, trace.parameter(this.lambdaD)), this.b(trace), { transposeB: true });
      return add(result, mul(up, trace.parameter(this.lambdaB)));
    });
  }

  /** W + (lambda_b * B) (lambda_d * A). */
  mergeStep(): MergeStep {
    return {
      parameter: this.linear.weight,
      write: (trace, weight) => {
        const left = mul(this.b(trace), reshape(trace.parameter(this.lambdaB), [this.linear.outFeatures, 1]));
        const right = mul(this.a(trace), reshape(trace.parameter(this.lambdaD), [this.shared.r, 1]));
        return add(weight, asStored(this.linear, matMul(left, right)));
      },
    };
  }

  private a(trace: Trace): Tensor {
    return firstOf(trace.parameter(this.shared.a), 1, this.linear.inFeatures);
  }

  private b(trace: Trace): Tensor {
    return firstOf(trace.parameter(this.shared.b), 0, this.linear.outFeatures);
  }
}

const targets = linearTargets("VeRA goes around linear layers only", {
  ...defaultTargetModules,
  phi: ["q_proj", "v_proj"],
});

const biases: { readonly [B in VeraConfig["bias"]]: TrainedBiases } = {
  none: "none",
  all: "all",
  vera_only: "adapted",
};

function inject(host: Host, config: VeraConfig): Injection {
  const picked = selectTargets(host.modules(), config, targets, host.config.modelType);
  const linears = picked.map(({ module }) => module as AnyLinear);
  const shared = projections(host, config, linears);
  const layers = linears.map((linear) =>
    host.wrap(linear, (base) => new VeraLayer(base, host, linear, shared, config)),
  );
  trainBiases(host, biases[config.bias], linears);
  return { targets: layers.map(({ path }) => path), merge: layers.map((layer) => layer.mergeStep()) };
}

/** Learnt vectors around shared random projections (Kopiczko et al. 2024). */
export const vera: Tuner<VeraConfig> = {
  type: "VERA",
  name: "vera",
  help: "Learnt vectors around random projections that all layers share (Kopiczko et al. 2024)",
  Config: VeraConfig,
  targets,
  fitted: withFanIn,
  inject,
  // The projections belong to no module of the model.
  fileKey: (key) => (key.startsWith("vera_") ? `base_model.${key}` : `base_model.model.${key}`),
};
