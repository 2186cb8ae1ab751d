import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { resolvedWarmup, type ScheduleName, schedules } from "#graft/training/schedules/index";

interface Case {
  name: ScheduleName;
  warmup: number;
  warmupSteps: number;
  trainingSteps: number;
  learningRates: number[];
}

const golden: { learningRate: number; cases: Case[] } = JSON.parse(
  readFileSync(new URL("../golden/training/schedules.json", import.meta.url), "utf8"),
);

describe("learning rates are transformers' own", () => {
  it.each(golden.cases)("$name, warm-up $warmup of $trainingSteps", (expected) => {
    const { name, warmup, warmupSteps, trainingSteps, learningRates } = expected;
    expect(resolvedWarmup(warmup, trainingSteps)).toBe(warmupSteps);
    learningRates.forEach((rate, step) => {
      const factor = schedules[name](step, { warmupSteps, trainingSteps });
      // The same formula in the same precision; cosines may differ in the last bit.
      expect(Math.abs(golden.learningRate * factor - rate)).toBeLessThan(1e-15);
    });
  });

  it("every schedule has a golden", () => {
    expect(new Set(golden.cases.map(({ name }) => name))).toEqual(new Set(Object.keys(schedules)));
  });
});
