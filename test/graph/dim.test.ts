import { describe, expect, test } from "vitest";
import {
  add,
  addDims,
  type Dim,
  dimension,
  evaluateDim,
  evaluateShape,
  input,
  multiplyDims,
  productOf,
  reshape,
} from "#graft/graph/index";

describe("dimension arithmetic", () => {
  test.each<[Dim, Dim, Dim]>([
    [2, 3, 5],
    ["batch", 0, "batch"],
    ["batch", "batch", "2*batch"],
    ["sequence", "batch", "batch+sequence"],
    ["patches", 1, "patches+1"],
    ["batch+1", -1, "batch"],
    ["batch", "-1*batch", 0],
    ["3*batch+2", "sequence+5", "3*batch+sequence+7"],
  ])("%s + %s is %s", (a, b, sum) => {
    expect(addDims(a, b)).toBe(sum);
    expect(addDims(b, a)).toBe(sum);
  });

  test.each<[Dim, Dim, Dim]>([
    [2, 3, 6],
    ["batch", 1, "batch"],
    ["batch", 0, 0],
    ["sequence", "batch", "batch*sequence"],
    ["batch", "batch", "batch*batch"],
    ["2*batch", 3, "6*batch"],
    ["batch+1", "sequence", "batch*sequence+sequence"],
    ["batch+1", "batch+-1", "batch*batch+-1"],
  ])("%s * %s is %s", (a, b, product) => {
    expect(multiplyDims(a, b)).toBe(product);
    expect(multiplyDims(b, a)).toBe(product);
  });

  test("element counts of shapes that are the same are ===", () => {
    expect(productOf(["batch", 12, "sequence", 64])).toBe(productOf([64, "sequence", "batch", 12]));
    expect(productOf([])).toBe(1);
  });

  test("values under bindings", () => {
    expect(evaluateDim("3*batch*sequence+batch+-2", { batch: 5, sequence: 7 })).toBe(3 * 35 + 5 - 2);
    expect(evaluateShape(["batch", 4, "batch*sequence"], { batch: 2, sequence: 3 })).toEqual([2, 4, 6]);
    expect(() => evaluateDim("batch*sequence", { batch: 2 })).toThrow('dimension "sequence" has no value');
  });
});

describe("a named dimension in a graph", () => {
  const named = (...shape: Dim[]) => input("x", "float32", shape);

  test("is no 1: it broadcasts against 1 and itself only", () => {
    expect(add(named("batch", 3), named(1, 3)).shape).toEqual(["batch", 3]);
    expect(add(named("batch", 3), named("batch", 1)).shape).toEqual(["batch", 3]);
    expect(() => add(named("batch", 3), named(4, 3))).toThrow("dimensions batch and 4 do not broadcast");
    expect(() => add(named("batch", 3), named("rows", 3))).toThrow("dimensions batch and rows do not broadcast");
  });

  test("is counted: only shapes with the same elements are reshapes of each other", () => {
    expect(reshape(named("batch", "sequence", 8), ["batch*sequence", 8]).shape).toEqual(["batch*sequence", 8]);
    expect(() => reshape(named("batch", 8), [8])).toThrow("8*batch elements cannot fill 8");
    expect(() => reshape(named("batch", 8), ["rows", 8])).toThrow("8*batch elements cannot fill 8*rows");
  });

  test("a number stays a number", () => {
    expect(dimension(12)).toBe(12);
    expect(dimension("batch")).toMatchObject({ dtype: "float32", shape: [] });
  });
});
