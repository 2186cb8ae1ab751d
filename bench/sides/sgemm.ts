import { concat, input, matMul, slice } from "#graft/graph/index";
import { cpuLowering, encodeModel, lowerGraph, modelOf } from "#graft/onnx/index";
import { Engine } from "#graft/runtime/index";
import type { TensorData } from "#graft/tensor-data";
import type { ProductShape } from "../flops.js";
import { runAsSide } from "./common.js";

export interface SgemmOptions {
  readonly threads: number;
  readonly shapes: readonly ProductShape[];
}

/** Products in one run, so that a message to the worker and back weighs little. */
const REPEATS = 4;
const RUNS = 7;

function normal(shape: readonly number[]): TensorData {
  const data = new Float32Array(shape.reduce((product, size) => product * size, 1));
  for (let i = 0; i < data.length; i++) data[i] = Math.sin(12.9898 * (i % 65_537));
  return { dtype: "float32", shape, data };
}

/** The fastest seconds of one product x [m, k] w [n, k]', as Graft's programs ask ONNX Runtime for it. */
async function secondsOf(engine: Engine, { m, k, n }: ProductShape): Promise<number> {
  const x = input("x", "float32", [m, k]);
  const weights = Array.from({ length: REPEATS }, (_, index) => input(`w${index}`, "float32", [n, k]));
  // One row of each product leaves the engine: copying the whole would be timed too.
  const rows = weights.map((w) => slice(matMul(x, w, { transposeB: true }), 0, 0, 1));
  const graph = lowerGraph({
    name: "sgemm",
    outputs: { rows: concat(rows, 0) },
    table: cpuLowering,
    inputs: [x, ...weights],
    writeInitializer: (tensor, name) => {
      const { origin } = tensor;
      if (origin.kind !== "initializer" || origin.source.kind !== "memory") throw new Error(`${name} is no constant`);
      const { dtype, shape, data } = origin.source.data;
      return { name, dtype, dims: [...shape], rawData: new Uint8Array(data.buffer, data.byteOffset, data.byteLength) };
    },
  });
  const names = graph.input.map(({ name }) => name);
  await engine.setResident(Object.fromEntries(names.map((name) => [name, normal(name === "x" ? [m, k] : [n, k])])));
  const program = await engine.compile({
    model: encodeModel(modelOf(graph)),
    purpose: "training",
    inputs: graph.input,
    outputs: ["rows"],
    resident: names,
    masks: [],
  });
  let best = Number.POSITIVE_INFINITY;
  for (let run = 0; run < RUNS; run++) {
    const start = performance.now();
    await program.run({});
    best = Math.min(best, (performance.now() - start) / 1000 / REPEATS);
  }
  await program.dispose();
  return best;
}

/** ONNX Runtime's GFLOPS at each shape, and over a layer's products together. */
async function sgemm({ threads, shapes }: SgemmOptions): Promise<Record<string, number>> {
  const engine = await Engine.create({ threads });
  const rates: Record<string, number> = {};
  let work = 0;
  let seconds = 0;
  for (const shape of shapes) {
    const { m, k, n, times } = shape;
    const once = await secondsOf(engine, shape);
    rates[`${m}x${k}x${n}`] = (2e-9 * m * k * n) / once;
    work += 2e-9 * m * k * n * times;
    seconds += once * times;
  }
  await engine.dispose();
  return { ...rates, layer: work / seconds };
}

await runAsSide(sgemm);
