import type { Parameter } from "../nn/index.js";
import type { AdaptedNetwork } from "./host/adapted-network.js";

export interface CountOptions {
  /**
   * Count a saved module's weights once. PEFT counts both the trained copy and the frozen original; false (PEFT's
   * numbers) by default.
   */
  readonly countSharedOnce?: boolean;
}

export interface ParameterCounts {
  readonly trainable: number;
  readonly all: number;
}

const total = (parameters: readonly Parameter[]): number =>
  parameters.reduce((sum, parameter) => sum + parameter.elementCount, 0);

/** Elements of the base, of every adapter, and of both the originals and the copies of saved modules. */
export function countParameters(
  network: AdaptedNetwork,
  { countSharedOnce = false }: CountOptions = {},
): ParameterCounts {
  const adapters = [...network.adapters.values()];
  const saved = adapters.flatMap(({ copies }) => copies.filter(({ isCounted }) => isCounted));
  // A copy that is not counted apart is the base's own parameter, trained.
  const trainedBase = adapters.flatMap(({ copies }) => copies.filter(({ isCounted }) => !isCounted));
  const isTrained = new Map(trainedBase.map(({ original, copy }) => [original, copy.trainable]));
  const originals = new Set(saved.map(({ original }) => original));
  const base = [...network.network.parameters()].filter((one) => !(countSharedOnce && originals.has(one)));
  const own = adapters.flatMap((adapter) => adapter.counted());
  const everything = [...base, ...own, ...saved.map(({ copy }) => copy)];
  const trained = everything.filter((one) => isTrained.get(one) ?? one.trainable);
  return { trainable: total(trained), all: total(everything) };
}

/** PEFT's line: "trainable params: 667,493 || all params: 86,543,818 || trainable%: 0.7713". */
export function trainableLine({ trainable, all }: ParameterCounts): string {
  const percentage = ((100 * trainable) / all).toFixed(4);
  const [trained, every] = [trainable, all].map((count) => count.toLocaleString("en-US"));
  return `trainable params: ${trained} || all params: ${every} || trainable%: ${percentage}`;
}
