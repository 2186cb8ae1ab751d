import { describe, expect, test } from "vitest";
import { finiteDifferences } from "#graft/autodiff/index";
import { ops } from "#graft/graph/index";
import { standardLowering } from "#graft/onnx/index";
import { CounterRng } from "#graft/random";
import { fromFloat32, type TensorData, toFloat32 } from "#graft/tensor-data";
import type { GoldenName } from "../graph/builders.js";
import { goldenGraph } from "../graph/golden-graph.js";
import { type GoldenCase, goldenCases, goldenTensor } from "../graph/goldens.js";
import { lowered, withSession } from "../graph/session.js";

/** More elements would only take longer. */
const mostElements = 48;

/** Functions of positive numbers. */
const positiveOnly = new Set<string>(["log", "sqrt", "pow"] satisfies GoldenName[]);

/** Operators whose gradient is not their slope, by definition. */
const withoutSlope = new Set<string>(["stopGradient"] satisfies GoldenName[]);

const differentiable = Object.entries(ops)
  .filter(([op, definition]) => definition.gradient !== null && !withoutSlope.has(op))
  .map(([op]) => op);

const elements = (golden: GoldenCase): number =>
  golden.differentiated.reduce((sum, name) => sum + goldenTensor(golden, name).data.length, 0);

const smallCases = goldenCases.filter(
  ({ op, ...golden }) =>
    golden.differentiated.length > 0 &&
    elements({ op, ...golden }) <= mostElements &&
    op !== "conv" &&
    !withoutSlope.has(op),
);

/**
 * Points where every operator is smooth: all magnitudes of a case differ by 1/16 at least and are 1/4 at least, so that
 * two steps of 1/64 meet no kink of abs, relu, maximum or reduceMax. They are exact in float16 too.
 */
function smoothPoint(golden: GoldenCase): Record<string, TensorData> {
  const rng = new CounterRng([elements(golden), golden.op.length, golden.case.length]);
  const levels = [...rng.permutation(elements(golden))];
  const point: Record<string, TensorData> = {};
  for (const name of golden.differentiated) {
    const { dtype, shape, data } = goldenTensor(golden, name) as TensorData<"float32" | "float16">;
    const values = Float32Array.from(data, () => {
      const sign = positiveOnly.has(golden.op) || rng.uniform() < 0.5 ? 1 : -1;
      return sign * (1 / 4 + (levels.pop() as number) / 16);
    });
    point[name] = { dtype, shape, data: fromFloat32(dtype, values) };
  }
  return point;
}

test("every differentiable operator has a case that is small enough to be checked", () => {
  const checked = new Set(smallCases.map((golden) => golden.op));
  expect(differentiable.filter((op) => !checked.has(op))).toEqual([]);
});

describe("gradient rules agree with finite differences", () => {
  test.each(smallCases.map((golden) => [`${golden.op} ${golden.case}`, golden] as const))("%s", async (_, golden) => {
    const { outputs, inputs, feeds } = goldenGraph(golden, "static");
    const at = { ...feeds, ...smoothPoint(golden) };
    const outputGradients = Object.fromEntries(
      golden.outputs.map((name) => [name, goldenTensor(golden, `gradO${name.slice(1)}`)]),
    );
    await withSession(lowered(outputs, standardLowering, inputs), async (evaluate) => {
      const written = await evaluate(at);
      const numeric = await finiteDifferences({ evaluate, inputs: at, wrt: golden.differentiated, outputGradients });
      for (const name of golden.differentiated) {
        const gradient = toFloat32(written[`grad.${name}`] as TensorData);
        const scale = Math.max(1, ...gradient.map(Math.abs));
        for (const [i, slope] of (numeric.get(name) as Float32Array).entries()) {
          // float32 outputs divided by the step: three digits are left.
          expect(
            Math.abs(slope - (gradient[i] as number)) / scale,
            `${name}[${i}]: ${slope}, ${gradient[i]}`,
          ).toBeLessThan(1e-3);
        }
      }
    });
  });
});

test("finite differences are those of the function", async () => {
  const x: TensorData<"float32"> = { dtype: "float32", shape: [3], data: Float32Array.of(0.5, -1.25, 2) };
  const numeric = await finiteDifferences({
    // sum of (1, 2, 3) * (x0^3, x0 x1, x2): its gradient is (3 x0^2 + 2 x1, 2 x0, 3).
    evaluate: async ({ x: { data } }) => {
      const [a, b, c] = data as Float32Array;
      return { y: { dtype: "float32", shape: [3], data: Float32Array.of(a ** 3, a * b, c) } };
    },
    inputs: { x },
    wrt: ["x"],
    outputGradients: { y: { dtype: "float32", shape: [3], data: Float32Array.of(1, 2, 3) } },
  });
  const expected = [3 * 0.25 - 2.5, 1, 3];
  for (const [i, slope] of (numeric.get("x") as Float32Array).entries()) {
    expect(slope).toBeCloseTo(expected[i] as number, 4);
  }
});
