import { describe, expect, test } from "vitest";
import { GraftError } from "#graft/errors";
import * as graph from "#graft/graph/index";
import type { DType } from "#graft/tensor-data";

const tensor = (dtype: DType, ...shape: graph.Dim[]) => graph.input("x", dtype, shape);
const f32 = (...shape: graph.Dim[]) => tensor("float32", ...shape);

function errorOf(write: () => unknown): GraftError {
  try {
    write();
  } catch (error) {
    if (error instanceof GraftError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}

test("an error names the operator, the operands' types, the attributes and the module", () => {
  const error = errorOf(() =>
    graph.withScope("bert.encoder.layer.3", () =>
      graph.withScope("bert.encoder.layer.3.output.dense", () =>
        graph.matMul(f32("batch", 12, 768), f32(3072, 768), { transposeB: false }),
      ),
    ),
  );
  expect(error.code).toBe("shape-mismatch");
  expect(error.message).toBe(
    'matMul(float32[batch,12,768], float32[3072,768]) with {"transposeA":false,"transposeB":false,"alpha":1}: ' +
      "inner dimensions 768 and 3072 differ (in bert.encoder.layer.3.output.dense)",
  );
  expect(error.hint).not.toBe("");
});

test("the module path is the innermost one, and gone after the module and after an error", () => {
  graph.withScope("outer", () => {
    expect(errorOf(() => graph.withScope("inner", () => graph.add(f32(2), f32(3)))).message).toMatch(/\(in inner\)$/);
    expect(errorOf(() => graph.add(f32(2), f32(3))).message).toMatch(/\(in outer\)$/);
  });
  expect(errorOf(() => graph.add(f32(2), f32(3))).message).not.toContain("(in");
});

const refused: [string, () => unknown, string][] = [
  ["add of two dtypes", () => graph.add(f32(2), tensor("int32", 2)), "operands of dtypes float32 and int32"],
  ["exp of integers", () => graph.exp(tensor("int32", 2)), "dtype int32; it takes float32"],
  ["matMul of halves", () => graph.matMul(tensor("float16", 2, 2), tensor("float16", 2, 2)), "dtype float16"],
  ["matMul of a vector", () => graph.matMul(f32(2), f32(2, 3)), "operands need two axes or more"],
  ["matMul of batches that differ", () => graph.matMul(f32(2, 3, 4), f32(5, 4, 3)), "2 and 5 do not broadcast"],
  ["greater of conditions", () => graph.greater(tensor("bool", 2), tensor("bool", 2)), "dtype bool"],
  ["where without a condition", () => graph.where(f32(2), f32(2), f32(2)), "the condition is float32, not bool"],
  ["reduction over an axis beyond", () => graph.reduceSum(f32(2, 3), [2]), "axis 2 of a tensor of rank 2"],
  ["reduction over an axis before", () => graph.reduceSum(f32(2, 3), [-3]), "axis -1 of a tensor of rank 2"],
  ["reduction over an axis twice", () => graph.reduceSum(f32(2, 3), [0, -2]), "an axis is named twice"],
  ["mean over an axis twice", () => graph.reduceMean(f32(2, 3), [1, 1]), "an axis is named twice"],
  ["running sum of conditions", () => graph.cumSum(tensor("bool", 2), 0), "dtype bool"],
  ["mean of nothing", () => graph.reduceMean(f32(2, 0), [1]), "a mean over no elements"],
  ["softmax of a scalar", () => graph.softmax(f32(), 0), "axis 0 of a tensor of rank 0"],
  ["reshape to other elements", () => graph.reshape(f32(2, 3), [5]), "6 elements cannot fill 5"],
  ["transpose that forgets an axis", () => graph.transpose(f32(2, 3), [0]), "does not name every axis once"],
  ["transpose that repeats an axis", () => graph.transpose(f32(2, 3), [0, 0]), "does not name every axis once"],
  ["expand to less", () => graph.expand(f32(2, 3), [3]), "does not broadcast"],
  ["expand of a size to another", () => graph.expand(f32(2), [3]), "dimensions 2 and 3 do not broadcast"],
  ["concat of nothing", () => graph.concat([], 0), "no tensors"],
  ["concat of other widths", () => graph.concat([f32(2, 3), f32(2, 4)], 0), "the other axes differ"],
  ["slice beyond the end", () => graph.slice(f32(4), 0, 1, 5), "1..5 of 4"],
  ["slice backwards of a named size", () => graph.slice(f32("batch"), 0, 3, 1), "3..1 of batch"],
  ["slice that starts before the tensor", () => graph.slice(f32("batch"), 0, -1, 1), "-1..1 of batch"],
  ["slice beyond a named end", () => graph.slice(f32("batch"), 0, 0, "batch+1"), "0..batch+1 of batch"],
  ["negative padding", () => graph.pad(f32(4), 0, -1, 0), "-1 before and 0 after"],
  ["gather by floats", () => graph.gather(f32(4, 3), f32(2)), "indices are float32, not int32 or int64"],
  [
    "gatherGradient of other updates",
    () => graph.gatherGradient(tensor("int32", 2), f32(2, 4), 0, [5, 3]),
    "updates should be [2,3]",
  ],
  ["gatherElements of another rank", () => graph.gatherElements(f32(2, 3), tensor("int32", 2), 0), "another rank"],
  [
    "scatter of another rank",
    () => graph.scatterElementsAdd(f32(4), tensor("int32", 2, 2), f32(2, 2), 0),
    "indices of another rank",
  ],
  [
    "scatter of other updates",
    () => graph.scatterElementsAdd(f32(4), tensor("int32", 2), f32(3), 0),
    "indices and updates have other shapes",
  ],
  ["rmsNorm of another width", () => graph.rmsNorm(f32(2, 8), f32(4), 1e-5), "should be [8]"],
  ["layerNorm of another width", () => graph.layerNorm(f32(2, 8), f32(4), f32(4), 1e-5), "should be [8]"],
  ["dropout without a mask", () => graph.dropout(f32(2), f32(2), 0.5), "the mask is float32, not uint8"],
  ["dropout by another mask", () => graph.dropout(f32(2), tensor("uint8", 3), 0.5), "the mask has another shape"],
  ["dropout of everything", () => graph.dropout(f32(2), tensor("uint8", 2), 0), "keepProbability 0"],
];

describe("refused, and why", () => {
  test.each(refused)("%s", (_, write, reason) => {
    const error = errorOf(write);
    expect(error.code).toBe("shape-mismatch");
    expect(error.message).toContain(reason);
  });
});
