import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import {
  accuracy,
  argMax,
  type F1Average,
  f1,
  matthewsCorrelation,
  metrics,
  pearson,
} from "#graft/training/metrics/index";

interface Rows {
  predictions: number[];
  references: number[];
}

const golden: {
  classification: (Rows & { accuracy: number; f1: Record<F1Average, number>; matthews_correlation: number })[];
  regression: (Rows & { pearson: number })[];
} = JSON.parse(readFileSync(new URL("../golden/training/metrics.json", import.meta.url), "utf8"));

describe("metrics equal scikit-learn's", () => {
  it.each(golden.classification.map((expected, index) => ({ index, expected })))(
    "classes, case $index",
    ({ expected }) => {
      expect(accuracy(expected).accuracy).toBeCloseTo(expected.accuracy, 12);
      expect(matthewsCorrelation(expected).matthews_correlation).toBeCloseTo(expected.matthews_correlation, 12);
      for (const [average, value] of Object.entries(expected.f1)) {
        expect(f1(expected, { average: average as F1Average }).f1).toBeCloseTo(value, 12);
      }
    },
  );

  it.each(golden.regression.map((expected, index) => ({ index, expected })))("values, case $index", ({ expected }) => {
    expect(pearson(expected).pearson).toBeCloseTo(expected.pearson, 12);
  });

  it("the registry names what each metric returns", () => {
    const rows = { predictions: Int32Array.of(0, 1, 1), references: Int32Array.of(0, 1, 0) };
    for (const [name, metric] of Object.entries(metrics)) expect(Object.keys(metric(rows))).toEqual([name]);
  });
});

describe("what metrics refuse", () => {
  it("lists of different length, no rows, binary f1 of three classes", () => {
    expect(() => accuracy({ predictions: [1], references: [1, 2] })).toThrow(/1 predictions but 2 references/);
    expect(() => pearson({ predictions: [], references: [] })).toThrow(/no rows/);
    expect(() => f1({ predictions: [0, 1, 2], references: [0, 1, 2] })).toThrow(/have 3 classes/);
  });
});

describe("argMax", () => {
  it("takes the first of equals, row by row", () => {
    const logits = { dtype: "float32" as const, shape: [3, 2], data: Float32Array.of(1, 2, 5, 5, -1, -2) };
    expect([...argMax(logits)]).toEqual([1, 0, 0]);
  });
});
