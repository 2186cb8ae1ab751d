import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { evaluateMetrics } from "#graft/training/metrics/index";

interface Case {
  readonly classes: number;
  readonly logits: readonly number[];
  readonly labels: readonly number[];
  readonly accuracy: number;
  readonly f1_micro: number;
  readonly f1_macro: number;
}

const cases: readonly Case[] = JSON.parse(
  readFileSync(new URL("../golden/training/multi-label-metrics.json", import.meta.url), "utf8"),
);

describe("metrics of several labels a row equal scikit-learn's", () => {
  it.each(cases.map((one, index) => ({ index, one })))("case $index", ({ one }) => {
    const shape = [one.logits.length / one.classes, one.classes];
    const found = evaluateMetrics(["multi_label"], {
      predictions: { dtype: "float32", shape, data: Float32Array.from(one.logits) },
      labelIds: { dtype: "float32", shape, data: Float32Array.from(one.labels) },
      id2label: {},
    });
    expect(found.accuracy).toBeCloseTo(one.accuracy, 12);
    expect(found.f1_micro).toBeCloseTo(one.f1_micro, 12);
    expect(found.f1_macro).toBeCloseTo(one.f1_macro, 12);
  });
});
