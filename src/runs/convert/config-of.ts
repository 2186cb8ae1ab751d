import type { AdapterConfig } from "../../peft/config/config-class.js";
import type { LoraAdapter } from "./factors.js";

/** The value that most have, and the others by module. */
function usualAndOthers(values: ReadonlyMap<string, number>): readonly [usual: number, others: Record<string, number>] {
  const counts = new Map<number, number>();
  for (const value of values.values()) counts.set(value, (counts.get(value) ?? 0) + 1);
  const [usual = 1] = [...counts].sort(([, a], [, b]) => b - a)[0] ?? [];
  return [usual, Object.fromEntries([...values].filter(([, value]) => value !== usual))];
}

/** The config under which PEFT gives every module the rank and the scale that its factors have. */
export function configOf({ config, factors }: LoraAdapter): AdapterConfig {
  const rank = new Map(factors.map(({ module, a }) => [module, a.shape[0] as number]));
  const alpha = new Map(factors.map(({ module, a, scaling }) => [module, scaling * (a.shape[0] as number)]));
  const [r, rankPattern] = usualAndOthers(rank);
  const [loraAlpha, alphaPattern] = usualAndOthers(alpha);
  return config.with({ r, loraAlpha, rankPattern, alphaPattern, useRslora: false, inferenceMode: true });
}
