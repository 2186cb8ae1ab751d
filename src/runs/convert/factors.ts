import { GraftError } from "../../errors.js";
import type { AdapterConfig } from "../../peft/config/config-class.js";
import type { AdapterFolder } from "../../peft/index.js";
import { requireTuner } from "../../peft/tuners/registry.js";
import { readTensor } from "../../safetensors/read.js";
import { type TensorData, toFloat32 } from "../../tensor-data.js";

type Float32Tensor = TensorData<"float32">;

/** The update of one module: scaling * B A. */
export interface Factors {
  /** The module's path, as the file spells it. */
  readonly module: string;
  /** [r, features in] */
  readonly a: Float32Tensor;
  /** [features out, r] */
  readonly b: Float32Tensor;
  readonly scaling: number;
}

/** A LoRA adapter as its files have it, apart from any model. */
export interface LoraAdapter {
  readonly config: AdapterConfig;
  readonly factors: readonly Factors[];
  /** What is saved besides the factors, by PEFT's key. */
  readonly others: ReadonlyMap<string, TensorData>;
}

const KEY = /^(?:base_model\.model\.)?(.+)\.lora_([AB])(?:\.weight)?$/;

/** The options that give each module its rank and scale. */
interface Ranked extends AdapterConfig {
  at(names: readonly string[]): { readonly r: number; readonly scaling: number };
}

const isRanked = (config: AdapterConfig): config is Ranked => "at" in config;

function refused(where: string, what: string): GraftError {
  return new GraftError(
    "unsupported",
    `${where} holds ${what}, which is not converted`,
    "LoRA adapters are converted whose updates are products B A of linear layers.",
  );
}

/**
 * Reads a LoRA adapter of any format that is read.
 * @throws GraftError `unsupported` for other methods, and as opening it throws
 */
export async function readLora(adapter: AdapterFolder, onWarning: (message: string) => void): Promise<LoraAdapter> {
  const config = adapter.config(onWarning);
  if (config.peftType !== "LORA" || !isRanked(config))
    throw refused(adapter.origin, `an adapter of ${config.peftType}`);
  if (config.fields.useDora === true) throw refused(adapter.origin, "magnitudes of DoRA");
  const pairs = new Map<string, { a?: Float32Tensor; b?: Float32Tensor }>();
  const others = new Map<string, TensorData>();
  for (const [name, entry] of (await adapter.tensors()).entries) {
    const tensor = await readTensor(entry);
    const [, module, letter] = KEY.exec(name) ?? [];
    if (module === undefined) {
      if (/\.lora_/.test(name)) throw refused(adapter.origin, `the tensor ${name}`);
      others.set(name.startsWith("base_model.model.") ? name : `base_model.model.${name}`, tensor);
      continue;
    }
    if (tensor.shape.length !== 2) throw refused(adapter.origin, `the tensor ${name} of shape [${tensor.shape}]`);
    const matrix = { dtype: "float32", shape: tensor.shape, data: toFloat32(tensor) } as const;
    pairs.set(module, { ...pairs.get(module), [letter === "A" ? "a" : "b"]: matrix });
  }
  const factors = [...pairs].map(([module, { a, b }]) => {
    if (!a || !b || a.shape[0] !== b.shape[1]) throw refused(adapter.origin, `no pair of factors for ${module}`);
    return { module, a, b, scaling: config.at([module]).scaling };
  });
  return { config, factors, others };
}

/** What a smaller rank costs a module. */
export interface RankLoss {
  readonly module: string;
  readonly from: number;
  readonly to: number;
  /** Share of the update's norm that is lost. */
  readonly loss: number;
}

/** To what rank: one for all, or the smallest that keeps a share of each update's norm. */
export type Reduction = { readonly rank: number } | { readonly keep: number };

async function reduced(factors: Factors, rank: number): Promise<{ factors: Factors; loss: number }> {
  const { combine } = requireTuner("LORA", "the adapter");
  if (!combine) throw new Error("LoRA's updates can be combined");
  const way = { type: "svd", rank, density: null, majoritySignMethod: "total", svdClamp: null, seed: 0 } as const;
  const { a, b, whole, lost } = combine([{ ...factors, weight: 1 }], way, factors.module);
  const [rows, columns] = [factors.b.shape[0] as number, factors.a.shape[1] as number];
  return {
    factors: {
      module: factors.module,
      a: { dtype: "float32", shape: [rank, columns], data: a },
      b: { dtype: "float32", shape: [rows, rank], data: b },
      scaling: 1,
    },
    loss: whole > 0 ? Math.sqrt(lost / whole) : 0,
  };
}

/** The best approximation of every update by one of a smaller rank (SVD); ranks that are small enough stay. */
export async function reduceRanks(
  adapter: LoraAdapter,
  reduction: Reduction,
): Promise<{ readonly adapter: LoraAdapter; readonly losses: readonly RankLoss[] }> {
  const made: Factors[] = [];
  const losses: RankLoss[] = [];
  for (const factors of adapter.factors) {
    const { module, a } = factors;
    const from = a.shape[0] as number;
    let to = "rank" in reduction ? Math.min(reduction.rank, from) : 1;
    let found = to === from ? { factors, loss: 0 } : await reduced(factors, to);
    while ("keep" in reduction && to < from && found.loss > Math.sqrt(1 - reduction.keep ** 2)) {
      to++;
      found = to === from ? { factors, loss: 0 } : await reduced(factors, to);
    }
    made.push(found.factors);
    losses.push({ module, from, to, loss: found.loss });
  }
  return { adapter: { ...adapter, factors: made }, losses };
}
