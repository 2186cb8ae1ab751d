import { platform } from "#platform";
import { matMul, reduceSum } from "../graph/index.js";
import { defineProgram, Parameter, Trace } from "../nn/index.js";
import type { Engine, Program } from "../runtime/index.js";

/** Measured runs of each kind; as many again, up to a limit, while int8 does not come out as the faster one. */
const [rounds, mostRounds] = [9, 36];

/**
 * The best time of one product in float32 divided by its best time in int8. The two take turns, so that other work on
 * the machine slows both, and a machine that seems to gain nothing is asked again.
 * @param rows of the left operand
 * @param shape [outputs, inputs] of the frozen weight
 */
export async function int8Speedup(engine: Engine, rows: number, shape: readonly [number, number]): Promise<number> {
  const [outputs, inputs] = shape;
  const [x, weight] = [filled("x", [rows, inputs]), filled("weight", [outputs, inputs])];
  const [f32, int8] = [await product(engine, x, weight, "f32"), await product(engine, x, weight, "int8")];
  const time = async (program: Program): Promise<number> => {
    const start = platform.now();
    await program.run({});
    return platform.now() - start;
  };
  const best = { f32: Number.POSITIVE_INFINITY, int8: Number.POSITIVE_INFINITY };
  for (let round = 0; round < rounds || (round < mostRounds && best.f32 <= best.int8); round++) {
    best.f32 = Math.min(best.f32, await time(f32));
    best.int8 = Math.min(best.int8, await time(int8));
  }
  await f32.dispose();
  await int8.dispose();
  return best.f32 / best.int8;
}

function filled(name: string, shape: readonly [number, number]): Parameter {
  const parameter = new Parameter(shape);
  parameter.name = `speed probe: ${name}`;
  parameter.setData({ dtype: "float32", shape, data: new Float32Array(parameter.elementCount).fill(0.01) });
  return parameter;
}

/** The sum of x W': one number, so that copies of operands and result do not count. */
function product(engine: Engine, x: Parameter, weight: Parameter, precision: "f32" | "int8"): Promise<Program> {
  const trace = new Trace("eval", true);
  const y = matMul(trace.parameter(x), trace.parameter(weight), { transposeB: true });
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
