import { GraftError } from "../errors.js";
import { readParameter } from "../models/index.js";
import type { Parameter } from "../nn/index.js";
import {
  type Combination,
  type CombinationType,
  type CombinedFactors,
  combinationTypes,
  type WeightedFactors,
} from "./combination.js";
import type { AdapterConfig, OnWarning } from "./config/config-class.js";
import type { Adapter } from "./host/adapter.js";

/** Options of `addWeightedAdapter`. */
export interface WeightedAdapterOptions {
  /**
   * "svd" (default): the best adapter of its rank, whose error is told. "cat": exactly the sum, of all ranks together.
   * "linear": A and B for themselves, which brings in products of one adapter's A with another's B. "ties", "dare_ties",
   * "dare_linear" and "magnitude_prune" prune A and B first; with "_svd" behind, the updates B A, and take the best of the rank.
   */
  readonly combinationType?: CombinationType;
  /** Rank of "svd" and its kin; default: the largest of the adapters'. */
  readonly svdRank?: number;
  /** Quantile (0 to 1) beyond which "svd" and its kin cut elements off; default: none is cut. */
  readonly svdClamp?: number;
  /** Share (0 to 1) of the elements that pruning keeps; needed by the ways that prune. */
  readonly density?: number;
  /** Whose sign counts in TIES: that of the sum (default), or that of most. */
  readonly majoritySignMethod?: "total" | "frequency";
  /** Of what DARE drops. Default 0. */
  readonly seed?: number;
  /** Told what the combination lacks. Default console.warn. */
  readonly onWarning?: OnWarning;
}

const refused = (message: string, hint: string): GraftError => new GraftError("invalid-argument", message, hint);

const isShare = (value: number): boolean => value >= 0 && value <= 1;

/** @throws GraftError `invalid-argument` naming what does not fit together */
function checked(
  adapters: readonly Adapter[],
  weights: readonly number[],
  options: WeightedAdapterOptions,
): Combination {
  const { svdRank, svdClamp, density, majoritySignMethod = "total", seed = 0 } = options;
  if (adapters.length === 0) throw refused("there are no adapters to combine", "Name one at least.");
  if (weights.length !== adapters.length || !weights.every(Number.isFinite)) {
    throw refused(
      `the weights [${weights}] for ${adapters.length} adapters`,
      "Give one finite number for each adapter.",
    );
  }
  const asked = options.combinationType ?? "svd";
  if (!combinationTypes.includes(asked)) {
    throw refused(
      `there is no combinationType ${JSON.stringify(asked)}`,
      `It is one of ${combinationTypes.join(", ")}.`,
    );
  }
  // As in PEFT: of one adapter nothing needs to be approximated.
  const type = adapters.length === 1 ? "linear" : asked;
  if (
    /ties|dare|prune/.test(type) &&
    (density === undefined || !isShare(density) || (/dare/.test(type) && density === 0))
  ) {
    throw refused(
      `${type} with the density ${density}`,
      "Give the share of elements that is kept, above 0 and at most 1.",
    );
  }
  if (svdClamp !== undefined && !isShare(svdClamp))
    throw refused(`svdClamp ${svdClamp}`, "It is a quantile from 0 to 1.");
  if (svdRank !== undefined && !(Number.isSafeInteger(svdRank) && svdRank > 0)) {
    throw refused(`svdRank ${svdRank}`, "It is a whole number from 1.");
  }
  const ranks = adapters.map(({ injection }) =>
    Math.max(...(injection.factorPairs ?? []).map(({ b }) => b.shape[1] ?? 0)),
  );
  if (!type.endsWith("svd") && type !== "cat" && new Set(ranks).size > 1) {
    throw refused(
      `adapters of the ranks ${ranks.join(", ")} for ${type}`,
      'All need one rank; "cat" and "svd" take any.',
    );
  }
  const rank = type === "cat" ? ranks.reduce((sum, one) => sum + one, 0) : Math.max(...ranks);
  return {
    type,
    rank: type.endsWith("svd") ? (svdRank ?? rank) : rank,
    density: density ?? null,
    majoritySignMethod,
    svdClamp: svdClamp ?? null,
    seed,
  };
}

/** What a plain LoRA has not: options under which more than B A is added to a weight. */
const beyondFactors = ["useDora", "loraBias", "trainableTokenIndices", "targetParameters"];

/** @throws GraftError `unsupported` naming the adapter and what of it cannot be combined */
function requireFactors({ name, tuner, config, injection, copies }: Adapter): void {
  const beyond = beyondFactors.filter((field) => config.fields[field] && config.fields[field] !== null);
  const what = !tuner.combine || !injection.factorPairs ? tuner.type : beyond.join(", ");
  if (what === "" && copies.every(({ isKept }) => isKept)) return;
  throw new GraftError(
    "unsupported",
    `the adapter ${name} (${what || "with trained biases"}) cannot be combined with others`,
    "LoRA adapters are combined whose updates are products B A alone.",
  );
}

/** The modules to be adapted, as all configs together ask for them; PEFT's rule. */
function targetsOf(adapters: readonly Adapter[]): unknown {
  const all = adapters.map(({ config }) => config.fields.targetModules as string | readonly string[] | null);
  if (all.every((one) => one === null)) return null;
  if (all.every((one) => typeof one === "string")) {
    return new Set(all).size === 1 ? all[0] : all.map((one) => `(${one})`).join("|");
  }
  if (all.every((one) => Array.isArray(one))) return [...new Set(all.flat())].sort();
  throw refused(
    `targetModules of one adapter is a text, of another a list`,
    "Combine adapters whose configs name their modules in the same way.",
  );
}

/** Several adapters as one: its config, and its factors by the path of the module. */
export interface WeightedAdapter {
  readonly config: AdapterConfig;
  readonly factors: ReadonlyMap<string, CombinedFactors>;
  readonly saved: Adapter | undefined;
  readonly remark: string | undefined;
}

function remarkOf({ type, rank }: Combination, factors: ReadonlyMap<string, CombinedFactors>): string | undefined {
  const whole = [...factors.values()].reduce((sum, one) => sum + one.whole, 0);
  const lost = [...factors.values()].reduce((sum, one) => sum + one.lost, 0);
  const share = whole > 0 ? Math.sqrt(lost / whole) : 0;
  if (type.endsWith("svd")) {
    return `${type}: rank ${rank} lacks ${(100 * share).toPrecision(3)} % of the combination's norm`;
  }
  if (type === "cat") return undefined;
  return `${type} combines A and B for themselves: products of one adapter's A with another's B come in, so that the result is rough ("cat" and "svd" bring in none)`;
}

/**
 * Combines adapters, layer by layer; nothing is changed.
 * @throws GraftError `invalid-argument`, `unsupported` for methods and options that cannot be combined
 */
export async function combineAdapters(
  adapters: readonly Adapter[],
  weights: readonly number[],
  options: WeightedAdapterOptions,
): Promise<WeightedAdapter> {
  for (const adapter of adapters) requireFactors(adapter);
  const combination = checked(adapters, weights, options);
  const saving = adapters.filter(({ copies }) => copies.length > 0);
  if (saving.length > 1) {
    throw new GraftError(
      "unsupported",
      `the adapters ${saving.map(({ name }) => name).join(", ")} have modules of their own (modulesToSave), which cannot be combined`,
      "Combine adapters of which one at most has a head of its own.",
    );
  }
  const byPath = new Map<string, WeightedFactors[]>();
  for (const [index, { injection }] of adapters.entries()) {
    for (const [at, { a, b, scaling }] of (injection.factorPairs ?? []).entries()) {
      const path = injection.targets[at] as string;
      const own = { a: await readParameter(a), b: await readParameter(b), scaling, weight: weights[index] as number };
      byPath.set(path, [...(byPath.get(path) ?? []), own]);
    }
  }
  const [first] = adapters as [Adapter, ...Adapter[]];
  const combine = first.tuner.combine as NonNullable<typeof first.tuner.combine>;
  const factors = new Map<string, CombinedFactors>();
  for (const [path, own] of byPath) factors.set(path, combine(own, combination, path));
  const { rank } = combination;
  const config = first.config.with({
    r: rank,
    loraAlpha: rank,
    // The combination's scale is 1, whatever its parts' is.
    useRslora: false,
    initLoraWeights: true,
    targetModules: targetsOf(adapters),
    rankPattern: {},
    alphaPattern: {},
    modulesToSave: saving[0]?.config.modulesToSave ?? null,
    inferenceMode: true,
  });
  return { config, factors, saved: saving[0], remark: remarkOf(combination, factors) };
}

/** A parameter's elements, with zeros behind where the combination has fewer: a layer that one adapter alone has, under "cat". */
export function fill(parameter: Parameter, elements: Float32Array, axis: 0 | 1): void {
  const { shape } = parameter;
  const data = new Float32Array(parameter.elementCount);
  if (axis === 0 || elements.length === data.length) data.set(elements);
  else {
    const rows = shape[0] as number;
    const [from, to] = [elements.length / rows, data.length / rows];
    for (let row = 0; row < rows; row++) data.set(elements.subarray(row * from, (row + 1) * from), row * to);
  }
  parameter.setData({ dtype: "float32", shape, data });
}
