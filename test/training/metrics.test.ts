import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import {
  accuracy,
  argMax,
  entityScores,
  evaluateMetrics,
  type F1Average,
  f1,
  matthewsCorrelation,
  metricNames,
  metrics,
  pearson,
  seqeval,
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
    const logits = Float32Array.of(2, 1, 0, 1, 0, 1);
    const evaluation = {
      predictions: { dtype: "float32" as const, shape: [3, 2], data: logits },
      labelIds: { dtype: "int32" as const, shape: [3], data: Int32Array.of(0, 1, 0) },
      id2label: { 0: "O", 1: "B-PER" },
    };
    const values = { ...evaluation, predictions: { dtype: "float32" as const, shape: [3, 1], data: logits.slice(3) } };
    const labelIds = { dtype: "float32" as const, shape: [3, 2], data: Float32Array.of(1, 0, 0, 1, 0, 0) };
    const tokens = {
      ...evaluation,
      predictions: { dtype: "float32" as const, shape: [3], data: logits.slice(3) },
      loss: 1,
    };
    const given = { classes: evaluation, values, tags: evaluation, labelSets: { ...evaluation, labelIds }, tokens };
    for (const name of metricNames) {
      expect(Object.keys(evaluateMetrics([name], given[metrics[name].kind]))).toEqual(metrics[name].gives);
    }
  });
});

interface TagCase {
  gold: string[][];
  predicted: string[][];
  precision: number;
  recall: number;
  f1: number;
  accuracy: number | null;
  types: Record<string, { precision: number; recall: number; f1: number; number: number }>;
}

const tagged: { cases: TagCase[] } = JSON.parse(
  readFileSync(new URL("../golden/training/seqeval.json", import.meta.url), "utf8"),
);

describe("entities are counted as seqeval's default mode counts them", () => {
  it.each(tagged.cases.map((expected, index) => ({ index, expected })))("case $index", ({ expected }) => {
    const { gold: references, predicted: predictions, accuracy, types } = expected;
    if (accuracy === null) {
      expect(() => seqeval({ predictions, references })).toThrow(/no words/);
      return;
    }
    const found = seqeval({ predictions, references });
    for (const name of ["precision", "recall", "f1", "accuracy"] as const) {
      expect(found[name], name).toBeCloseTo(expected[name]!, 12);
    }
    const scores = entityScores({ predictions, references });
    expect(Object.keys(scores)).toEqual(Object.keys(types));
    for (const [type, { precision, recall, f1, number }] of Object.entries(types)) {
      expect(scores[type]!.number).toBe(number);
      expect(scores[type]!.precision).toBeCloseTo(precision, 12);
      expect(scores[type]!.recall).toBeCloseTo(recall, 12);
      expect(scores[type]!.f1).toBeCloseTo(f1, 12);
    }
  });

  it("tokens that do not count are left out", () => {
    const id2label = { 0: "O", 1: "B-PER", 2: "I-PER" };
    const classes = [1, 2, 0, 0, 1, 0, 1, 1];
    const evaluation = {
      predictions: {
        dtype: "float32" as const,
        shape: [2, 4, 3],
        data: Float32Array.from(classes.flatMap((one) => [0, 1, 2].map((id) => (id === one ? 1 : 0)))),
      },
      labelIds: { dtype: "int32" as const, shape: [2, 4], data: Int32Array.of(-100, 1, 2, 0, 1, 0, -100, -100) },
      id2label,
    };
    // Counted: I-PER O O against B-PER I-PER O, and B-PER O against B-PER O.
    expect(evaluateMetrics(["accuracy"], evaluation)).toEqual({ accuracy: 3 / 5 });
    expect(evaluateMetrics(["seqeval"], evaluation)).toEqual({ precision: 0.5, recall: 0.5, f1: 0.5, accuracy: 3 / 5 });
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
