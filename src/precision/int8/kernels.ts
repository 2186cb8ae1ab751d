import { platform } from "#platform";
import { defineProgram, type FrozenProducts } from "../../compile/index.js";
import { matMul, reduceSum } from "../../graph/index.js";
import { Parameter, Trace } from "../../nn/index.js";
import type { WeightType } from "../../onnx/index.js";
import type { EngineScope, Program } from "../../runtime/index.js";
import { int8Products } from "./products.js";

/**
 * The weights that this CPU multiplies exactly. x86 without VNNI adds neighbouring products of uint8 and int8 in 16 bits
 * and cuts off what does not fit; its products of uint8 and uint8 are exact, and a little slower.
 */
export async function exactWeightType(engine: EngineScope): Promise<WeightType> {
  const [rows, side] = [8, 64];
  // All operands are the largest that there are, so every pair overflows where one can.
  const program = await product(engine, filled("x", [rows, side]), filled("weight", [side, side]), int8Products());
  const { sum } = await program.run({});
  await program.dispose();
  const exact = rows * side * side * value ** 2;
  return Math.abs(Number(sum?.data[0]) - exact) < 0.01 * exact ? "int8" : "uint8";
}

/** What int8 must gain to be worth its rounding. */
export const leastSpeedup = 1.1;

/** Measured runs of each kind; as many again, up to a limit, while int8 does not come out as the faster one. */
const [rounds, mostRounds] = [9, 36];

/**
 * The best time of one product in float32 divided by its best time in int8. The two take turns, so that other work on
 * the machine slows both, and a machine that seems to gain nothing is asked again.
 * @param rows of the left operand
 * @param shape [outputs, inputs] of the frozen weight
 */
export async function int8Speedup(
  engine: EngineScope,
  rows: number,
  shape: readonly [number, number],
  weightType: WeightType,
): Promise<number> {
  const [outputs, inputs] = shape;
  const [x, weight] = [filled("x", [rows, inputs]), filled("weight", [outputs, inputs])];
  const exact = await product(engine, x, weight);
  const rounded = await product(engine, x, weight, int8Products({ weightType }));
  const time = async (program: Program): Promise<number> => {
    // The other session's threads go on spinning for a moment after their run, and would share the cores with this one.
    await program.run({});
    const start = platform.now();
    await program.run({});
    return platform.now() - start;
  };
  const best = { exact: Number.POSITIVE_INFINITY, rounded: Number.POSITIVE_INFINITY };
  for (let round = 0; round < rounds || (round < mostRounds && best.exact < leastSpeedup * best.rounded); round++) {
    best.exact = Math.min(best.exact, await time(exact));
    best.rounded = Math.min(best.rounded, await time(rounded));
  }
  await exact.dispose();
  await rounded.dispose();
  return best.exact / best.rounded;
}

const value = 0.01;

function filled(name: string, shape: readonly [number, number]): Parameter {
  const parameter = new Parameter(shape);
  parameter.name = `int8 probe: ${name}`;
  parameter.setData({ dtype: "float32", shape, data: new Float32Array(parameter.elementCount).fill(value) });
  return parameter;
}

/** The sum of x W': one number, so that copies of operands and result do not count. */
function product(engine: EngineScope, x: Parameter, weight: Parameter, frozen?: FrozenProducts): Promise<Program> {
  const trace = new Trace("eval", true);
  const y = matMul(trace.parameter(x), trace.parameter(weight), { transposeB: true });
  return engine.compile(
    defineProgram({
      trace,
      outputs: { sum: reduceSum(y) },
      purpose: "prediction",
      backend: engine.backend,
      ...(frozen && { frozen }),
    }),
  );
}
