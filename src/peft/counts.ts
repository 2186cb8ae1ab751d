import type { Parameter } from "../nn/index.js";
import type { AdaptedNetwork } from "./adapted-network.js";

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
  const adapters = [...network.adapters.keys()].flatMap((name) => network.adapterParameters(name));
  const originals = new Set(network.originals());
  const everything = new Set([...network.network.parameters(), ...adapters, ...originals]);
  const counted = [...everything].filter((parameter) => !(countSharedOnce && originals.has(parameter)));
  return { trainable: total(counted.filter(({ trainable }) => trainable)), all: total(counted) };
}

/** PEFT's line: "trainable params: 667,493 || all params: 86,543,818 || trainable%: 0.7713". */
export function trainableLine({ trainable, all }: ParameterCounts): string {
  const percentage = ((100 * trainable) / all).toFixed(4);
  const [trained, every] = [trainable, all].map((count) => count.toLocaleString("en-US"));
  return `trainable params: ${trained} || all params: ${every} || trainable%: ${percentage}`;
}
