import { platform } from "#platform";
import { matMul, reduceSum } from "../graph/index.js";
import { defineProgram, Parameter, Trace } from "../nn/index.js";
import type { Engine, Program } from "../runtime/index.js";
import type { TensorData } from "../tensor-data.js";

/** Measured runs of each kind. */
const rounds = 9;

/**
 * The best time of one product in float32 divided by its best time in int8. The two take turns, so that other work on
 * the machine slows both.
 * @param rows of the left operand
 * @param matrix [outputs, inputs] of the frozen weight
 */
export async function int8Speedup(engine: Engine, rows: number, matrix: readonly [number, number]): Promise<number> {
  const kinds = ["f32", "int8"] as const;
  const programs = {
    f32: await product(engine, rows, matrix, "f32"),
    int8: await product(engine, rows, matrix, "int8"),
  };
  const best = { f32: Number.POSITIVE_INFINITY, int8: Number.POSITIVE_INFINITY };
  const x: TensorData = {
    dtype: "float32",
    shape: [rows, matrix[1]],
    data: new Float32Array(rows * matrix[1]).fill(0.5),
  };
  for (let round = 0; round < rounds; round++) {
    for (const kind of kinds) {
      const start = platform.now();
      await programs[kind].run({ x });
      best[kind] = Math.min(best[kind], platform.now() - start);
    }
  }
  for (const kind of kinds) await programs[kind].dispose();
  return best.f32 / best.int8;
}

/** The sum of x W': one number, so that copies of the result do not count. */
function product(
  engine: Engine,
  rows: number,
  [outputs, inputs]: readonly [number, number],
  precision: "f32" | "int8",
): Promise<Program> {
  const trace = new Trace("eval", true);
  const weight = new Parameter([outputs, inputs]);
  weight.name = "speed probe";
  weight.setData({ dtype: "float32", shape: weight.shape, data: new Float32Array(weight.elementCount).fill(0.01) });
  const y = matMul(trace.input("x", "float32", [rows, inputs]), trace.parameter(weight), { transposeB: true });
  return engine.compile(
    defineProgram({
      trace,
      outputs: { sum: reduceSum(y) },
      purpose: "training",
      backend: engine.backend,
      ...(precision === "int8" ? { frozenPrecision: { kind: precision, keepFloat32: new Set<string>() } } : {}),
    }),
  );
}
