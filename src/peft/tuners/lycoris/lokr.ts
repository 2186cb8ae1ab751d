import * as z from "zod";
import { matMul, mul, reshape, type Tensor } from "../../../graph/index.js";
import {
  type Initializer,
  kaimingUniform,
  type MatrixLayer,
  type Module,
  type Parameter,
  type Trace,
  zeros,
} from "../../../nn/index.js";
import { option } from "../../../options/option-table.js";
import { configClass } from "../../config/config-class.js";
import { matrixTargets } from "../../matching/linear-targets.js";
import { selectTargets } from "../../matching/select.js";
import type { Host, Injection, Tuner } from "../../tuner.js";
import { defaultTargetModules } from "../lora/default-targets.js";
import { writtenPatterns } from "../lora/written-patterns.js";
import { factorization } from "./factorization.js";
import { injectionOf, LycorisLayer } from "./layer.js";
import { type LycorisPlace, lycorisOptions, lycorisUnbuilt, placeOf } from "./options.js";

const lokrOptions = {
  ...lycorisOptions,
  /** Whether the left factor, too, is a product where it is large against r. Default false. */
  decomposeBoth: option("switch", z.boolean(), false, { help: "Let the left factor be a product of two as well" }),
  /** What both dimensions of the left factor are to be near to; -1 (default): to the root of the weight's. */
  decomposeFactor: option("integer", z.union([z.literal(-1), z.int().positive()]), -1, {
    help: "Size that the left factor is to have; -1: near the root of the weight's",
    expected: "-1 or a whole number from 1",
  }),
  /** Whether rows that rankDropout leaves make up for the others. Default false. */
  rankDropoutScale: option("switch", z.boolean(), false, { help: "Scale up the rows that rank_dropout leaves" }),
  /** true (default: the left factor zero), "lycoris" (the right factor zero), false (both random: for tests). */
  initWeights: option("mixed", z.union([z.boolean(), z.literal("lycoris")]), true, {
    help: 'true (the left factor zero), "lycoris" (the right factor zero) or false (both random)',
    expected: 'true, false or "lycoris"',
  }),
};

/**
 * How a model is adapted with LoKr (Yeh et al. 2024): the update is the Kronecker product of a small matrix w1 and
 * another one, w2, scaled by alpha / r; what is large against r is a product of two itself. Options, meanings and defaults are those
 * of PEFT 0.21's LoKrConfig.
 * @throws GraftError `invalid-config`
 */
export class LoKrConfig extends configClass({ peftType: "LOKR", options: lokrOptions, unbuilt: lycorisUnbuilt }) {}

/** One of the two matrices: itself, or a product of two of rank r. */
type Factor = (trace: Trace) => Tensor;

const linearDefault = kaimingUniform(Math.sqrt(5));

class LoKrLayer extends LycorisLayer {
  protected readonly form: string;
  /** [out1, in1] */
  private readonly w1: Factor;
  /** [out2, in2] */
  private readonly w2: Factor;
  private readonly sizes: { readonly out: readonly [number, number]; readonly in: readonly [number, number] };

  constructor(base: Module, host: Host, matrix: MatrixLayer, place: LycorisPlace, config: LoKrConfig) {
    super(base, host, matrix, place, config.rankDropoutScale);
    const [outputs, inputs, ...kernel] = matrix.weight.shape as [number, number, ...number[]];
    const [out1, out2] = factorization(outputs, config.decomposeFactor);
    const [in1, in2] = factorization(inputs, config.decomposeFactor);
    const columns = kernel.reduce((product, size) => product * size, in2);
    const isWhole1 = !(config.decomposeBoth && place.r < Math.max(out1, in1) / 2);
    const isWhole2 = place.r >= Math.max(out2, in2) / 2;
    this.sizes = { out: [out1, out2], in: [in1, columns] };
    this.form = `lokr:${this.sizes.out}:${this.sizes.in}:${isWhole1}:${isWhole2}`;
    const { initWeights } = config;
    const start1 = initWeights === true ? zeros : linearDefault;
    const start2 = initWeights === "lycoris" ? zeros : linearDefault;
    const whole = (key: string, shape: readonly number[], initializer: Initializer): Factor => {
      const parameter = host.parameter(`${matrix.path}.${key}`, shape, { initializer });
      return (trace) => trace.parameter(parameter);
    };
    this.w1 = isWhole1
      ? whole("lokr_w1", [out1, in1], start1)
      : this.product(host, "lokr_w1", [out1, in1], start1, linearDefault);
    this.w2 = isWhole2
      ? whole("lokr_w2", [out2, in2, ...kernel], start2)
      : this.product(host, "lokr_w2", [out2, columns], linearDefault, start2);
  }

  /** Two factors of rank r, their own initialisers given. */
  private product(
    host: Host,
    key: string,
    [rows, columns]: readonly [number, number],
    startA: Initializer,
    startB: Initializer,
  ): Factor {
    const { path } = this.matrix;
    const make = (name: string, shape: readonly number[], initializer: Initializer): Parameter =>
      host.parameter(`${path}.${key}_${name}`, shape, {
        symbolicShape: (slot) =>
          shape.map((size, axis) => (axis === (name === "a" ? 1 : 0) ? `rank(${path})${slot}` : size)),
        initializer,
      });
    const a = make("a", [rows, this.place.r], startA);
    const b = make("b", [this.place.r, columns], startB);
    return (trace) => matMul(trace.parameter(a), trace.parameter(b));
  }

  /** kron(w1, w2): each element of w1 times all of w2. */
  protected update(trace: Trace): Tensor {
    const [out1, out2] = this.sizes.out;
    const [in1, in2] = this.sizes.in;
    const left = reshape(this.w1(trace), [out1, 1, in1, 1]);
    const right = reshape(this.w2(trace), [1, out2, 1, in2]);
    return reshape(mul(left, right), [out1 * out2, in1 * in2]);
  }
}

const targets = matrixTargets("LoKr goes around linear layers and ViT's patch projection only", defaultTargetModules);

function inject(host: Host, config: LoKrConfig): Injection {
  const picked = selectTargets(host.modules(), config, targets, host.config.modelType);
  const layers = picked.map(({ module, names }) =>
    host.wrap(module, (base) => new LoKrLayer(base, host, module as MatrixLayer, placeOf(config, names), config)),
  );
  return injectionOf(layers);
}

/** Kronecker products (Yeh et al. 2024). */
export const lokr: Tuner<LoKrConfig> = {
  type: "LOKR",
  name: "lokr",
  help: "Kronecker products of two small matrices (Yeh et al. 2024)",
  Config: LoKrConfig,
  targets,
  inject,
  writtenConfig: writtenPatterns,
};
