import { platform } from "#platform";
import { GraftError } from "../errors.js";
import { matMul, reduceSum } from "../graph/index.js";
import { readJsonObject, writeJson } from "../hub/json-file.js";
import type { PreparedInputs } from "../models/index.js";
import { defineProgram, Parameter, Trace } from "../nn/index.js";
import type { Engine, MaskKey } from "../runtime/index.js";
import { type TensorData, tensorData } from "../tensor-data.js";
import type { TrainableModel } from "./model.js";

/** Products with a larger relative error stay float32. Ordinary layers are near 1 %, outlier features give 6 % and more. */
export const largestError = 0.05;

/** Rows of the first batch that the guard looks at. */
const probedRows = 2;

/** What was asked for, what is used, and why. */
export interface FrozenPrecisionReport {
  readonly used: "f32" | "int8";
  /** One sentence for people. */
  readonly reason: string;
  /** Time of one product in float32 divided by its time in int8; undefined where it was not measured. */
  readonly speedup?: number;
  /** The guard's measurement of every product on the first batch: relative L2 error, and whether it stays float32. */
  readonly products: readonly { readonly product: string; readonly error: number; readonly keptFloat32: boolean }[];
}

/** A run's report, beside its checkpoints: a resumed run takes the same decisions. */
export const precisionFile = "frozen_precision.json";

/** The report that a run left in its folder; undefined where there is none. */
export async function readPrecisionReport(folder: string): Promise<FrozenPrecisionReport | undefined> {
  const path = platform.join(folder, precisionFile);
  if (!(await platform.exists(path))) return undefined;
  return (await readJsonObject(path, "the precision report")) as unknown as FrozenPrecisionReport;
}

export async function writePrecisionReport(folder: string, report: FrozenPrecisionReport): Promise<void> {
  await platform.makeDirectory(folder);
  await writeJson(platform.join(folder, precisionFile), report as unknown as Record<string, unknown>);
}

/** Applies the decisions of an earlier run. */
export async function reusePrecision(model: TrainableModel, report: FrozenPrecisionReport): Promise<void> {
  if (report.used === "f32") return;
  const kept = report.products.filter(({ keptFloat32 }) => keptFloat32).map(({ product }) => product);
  await model.runner.setFrozenPrecision({ kind: "int8", keepFloat32: new Set(kept) });
}

/**
 * Lets a model's training programs multiply by frozen weights in int8, where that is the faster way on this machine,
 * product by product where it is accurate enough on the first batch.
 * @throws GraftError `unsupported` for a model in which nothing is frozen
 */
export async function useInt8(
  model: TrainableModel,
  batch: PreparedInputs,
  masks: MaskKey,
): Promise<FrozenPrecisionReport> {
  const engine = await model.runner.engine();
  if (engine.backend !== "cpu") {
    return {
      used: "f32",
      reason: `the ${engine.backend} backend has no faster int8 products; f32 is used`,
      products: [],
    };
  }
  const shape = largestFrozenMatrix(model);
  const rows = rowsOf(batch);
  const speedup = await int8Speedup(engine, rows, shape);
  if (speedup <= 1) {
    const reason = `int8 products are not faster here (${speedup.toFixed(2)}x at ${rows} x ${shape.join(" x ")}); f32 is used`;
    return { used: "f32", reason, speedup, products: [] };
  }
  const errors = await model.runner.probeFrozenProducts(firstRows(batch), masks);
  const products = [...errors].map(([product, error]) => ({ product, error, keptFloat32: !(error <= largestError) }));
  const kept = products.filter(({ keptFloat32 }) => keptFloat32).map(({ product }) => product);
  if (kept.length === products.length) {
    return {
      used: "f32",
      reason: "int8 is too inaccurate for every product of this model; f32 is used",
      speedup,
      products,
    };
  }
  await model.runner.setFrozenPrecision({ kind: "int8", keepFloat32: new Set(kept) });
  const rest =
    kept.length === 0 ? "" : `; ${kept.length} stay f32 (error above ${largestError * 100} %): ${kept.join(", ")}`;
  const reason = `${products.length - kept.length} of ${products.length} frozen products in int8 (${speedup.toFixed(1)}x as fast)${rest}`;
  return { used: "int8", reason, speedup, products };
}

/** [outputs, inputs] of the frozen matrix with most elements, embeddings aside. */
function largestFrozenMatrix(model: TrainableModel): readonly [number, number] {
  const matrices = [...model.network.parameters()]
    .filter(({ name, trainable, shape }) => !trainable && shape.length === 2 && !name.includes("embeddings"))
    .sort((a, b) => b.elementCount - a.elementCount);
  const [largest] = matrices;
  if (largest) return largest.shape as readonly [number, number];
  throw new GraftError(
    "unsupported",
    'frozenPrecision "int8" with a model in which no linear layer is frozen',
    'Int8 serves frozen weights only: adapt the model with getPeftModel, or use frozenPrecision "f32".',
  );
}

/** A few rows say as much as a whole batch, and the probe needs both kinds of weights beside its activations. */
function firstRows({ feeds, rules }: PreparedInputs): PreparedInputs {
  const rows = Object.entries(feeds).map(([name, { dtype, shape, data }]): [string, TensorData] => {
    const [batch = 1, ...rest] = shape;
    const kept = Math.min(batch, probedRows);
    return [name, tensorData(dtype, [kept, ...rest], data.slice(0, (data.length / batch) * kept))];
  });
  return { feeds: Object.fromEntries(rows), rules };
}

/** Rows that a linear layer sees: tokens of a text batch; for pictures a fixed number that is large enough to measure. */
function rowsOf({ feeds }: PreparedInputs): number {
  const ids = feeds.input_ids;
  return ids ? ids.data.length : 1024;
}

/** Best times of one product in both precisions. */
async function int8Speedup(
  engine: Engine,
  rows: number,
  [outputs, inputs]: readonly [number, number],
): Promise<number> {
  const times = { f32: 0, int8: 0 };
  for (const kind of ["f32", "int8"] as const) {
    const trace = new Trace("eval", true);
    const weight = new Parameter([outputs, inputs]);
    weight.name = "speed probe";
    weight.setData({ dtype: "float32", shape: weight.shape, data: new Float32Array(weight.elementCount).fill(0.01) });
    const product = matMul(trace.input("x", "float32", [rows, inputs]), trace.parameter(weight), { transposeB: true });
    const program = await engine.compile(
      defineProgram({
        trace,
        outputs: { sum: reduceSum(product) },
        purpose: "training",
        backend: engine.backend,
        ...(kind === "int8" ? { frozenPrecision: { kind, keepFloat32: new Set<string>() } } : {}),
      }),
    );
    const x = { dtype: "float32" as const, shape: [rows, inputs], data: new Float32Array(rows * inputs).fill(0.5) };
    let best = Number.POSITIVE_INFINITY;
    for (let run = 0; run < 7; run++) {
      const start = platform.now();
      await program.run({ x });
      best = Math.min(best, platform.now() - start);
    }
    times[kind] = best;
    await program.dispose();
  }
  return times.f32 / times.int8;
}
