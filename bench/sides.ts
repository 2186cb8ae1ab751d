import { SkippedSide } from "./child.js";

export const sideTitles = {
  "graft-f32": "Graft f32",
  "graft-int8": "Graft int8",
  "pytorch-f32": "PyTorch + PEFT f32",
  "pytorch-bf16": "PyTorch + PEFT bf16 autocast",
} as const;

export type SideName = keyof typeof sideTitles;

/** The results of the sides that ran, and why the others did not. */
export interface Rounds<S extends string, R> {
  readonly results: Map<S, R[]>;
  readonly skipped: Map<S, string>;
}

/**
 * The sides of a benchmark that were asked for.
 * @throws Error for a side that it does not have
 */
export function chosenSides<S extends string>(all: readonly S[], asked: readonly string[] = all): readonly S[] {
  const unknown = asked.find((name) => !all.some((side) => side === name));
  if (unknown !== undefined) throw new Error(`--sides: "${unknown}" is none of ${all.join(", ")}`);
  return all.filter((side) => asked.includes(side));
}

/** Runs the sides in turn, several times over; a side that cannot run is left out from then on. */
export async function alternate<S extends string, R>(
  sides: readonly S[],
  rounds: number,
  run: (side: S, round: number) => Promise<R>,
): Promise<Rounds<S, R>> {
  const results = new Map<S, R[]>();
  const skipped = new Map<S, string>();
  for (let round = 0; round < rounds; round++) {
    for (const side of sides) {
      if (skipped.has(side)) continue;
      console.error(`round ${round + 1} of ${rounds}: ${side}`);
      try {
        const result = await run(side, round);
        results.set(side, [...(results.get(side) ?? []), result]);
      } catch (error) {
        if (!(error instanceof SkippedSide)) throw error;
        skipped.set(side, error.message);
      }
    }
  }
  return { results, skipped };
}

export function skippedLines(skipped: ReadonlyMap<string, string>): string {
  return [...skipped].map(([side, reason]) => `left out: ${side}: ${reason}`).join("\n");
}
