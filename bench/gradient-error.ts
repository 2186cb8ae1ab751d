// How far int8's gradients are from float32's, tensor by tensor, on batches of a folder that reference/train_curve.py
// --export wrote, with the guard's decisions on the run's first batch and after a few float32 steps.
import {
  createTrainingSession,
  type FrozenPrecisionReport,
  Int8Precision,
  type PeftModel,
  type TensorData,
} from "graft-peft";
import { type Curve, curveBatch, curveModel, readCurve } from "./curve-data.js";
import { mean } from "./statistics.js";

/** Steps before the comparison: with B still zero, A has no gradient. */
const WARM_UP = 10;
/** The batches compared; the guard saw the first one. */
const COMPARED = [0, 11, 12, 13, 14];

type Gradients = Readonly<Record<string, TensorData>>;

/** What a run that begins with the first batch decides. */
async function decisions(model: PeftModel, folder: string): Promise<FrozenPrecisionReport> {
  const frozenPrecision = new Int8Precision();
  const session = createTrainingSession(model, { optimizer: "adamw", frozenPrecision });
  await session.forwardBackward(await curveBatch(folder, 0));
  await session.dispose();
  if (!frozenPrecision.report) throw new Error("the session decided nothing of its precision");
  return frozenPrecision.report;
}

async function warmUp(model: PeftModel, folder: string, { learningRate, maxGradNorm }: Curve): Promise<void> {
  const session = createTrainingSession(model, { optimizer: "adamw" });
  for (let step = 1; step <= WARM_UP; step++) {
    await session.forwardBackward(await curveBatch(folder, step));
    await session.optimizerStep({ learningRate, maxGradNorm });
  }
  await session.dispose();
}

async function gradients(model: PeftModel, folder: string, report?: FrozenPrecisionReport): Promise<Gradients[]> {
  const frozen = report ? { frozenPrecision: new Int8Precision({ report }) } : {};
  const session = createTrainingSession(model, { optimizer: "adamw", ...frozen });
  const results: Gradients[] = [];
  for (const step of COMPARED) {
    await session.forwardBackward(await curveBatch(folder, step));
    results.push(await session.gradients());
    await session.zeroGrad();
  }
  await session.dispose();
  return results;
}

function compare({ data: exact }: TensorData, { data: rounded }: TensorData) {
  let [difference, dot, exactSquare, roundedSquare] = [0, 0, 0, 0];
  for (let i = 0; i < exact.length; i++) {
    const [a, b] = [Number(exact[i]), Number(rounded[i])];
    difference += (a - b) ** 2;
    dot += a * b;
    exactSquare += a * a;
    roundedSquare += b * b;
  }
  return { error: Math.sqrt(difference / exactSquare), cosine: dot / Math.sqrt(exactSquare * roundedSquare) };
}

/** `base_model.model.bert.encoder.layer.3.attention.self.query.lora_A.weight` as row `3` and column `query A`. */
function placeOf(name: string): { row: string; column: string } {
  const match = /\.(\d+)\.(?:.*\.)?(\w+)\.lora_([AB])/.exec(name);
  if (match) return { row: match[1] as string, column: `${match[2]} ${match[3]}` };
  const [module = "", tensor = ""] = name.split(".").slice(-2);
  return { row: module, column: tensor };
}

/** Of one trained tensor, over the batches compared. */
interface TensorError {
  readonly name: string;
  /** Mean relative L2 error. */
  readonly error: number;
  /** Of each batch. */
  readonly cosines: readonly number[];
}

export interface GradientErrorReport {
  readonly job: string;
  readonly precision: FrozenPrecisionReport;
  readonly tensors: readonly TensorError[];
}

/** @param folder batches and adapter, written by `train_curve.py --export` */
export async function gradientError(folder: string): Promise<GradientErrorReport> {
  const curve = await readCurve(folder);
  const model = await curveModel(folder, curve);
  const precision = await decisions(model, folder);
  await warmUp(model, folder, curve);
  const exact = await gradients(model, folder);
  const rounded = await gradients(model, folder, precision);
  await model.dispose();
  const tensors = Object.keys(exact[0] as Gradients).map((name): TensorError => {
    const each = exact.map((batch, at) =>
      compare(batch[name] as TensorData, (rounded[at] as Gradients)[name] as TensorData),
    );
    return { name, error: mean(each.map(({ error }) => error)), cosines: each.map(({ cosine }) => cosine) };
  });
  return { job: curve.job, precision, tensors };
}

export function gradientErrorText({ job, precision, tensors }: GradientErrorReport): string {
  const rows = new Map<string, Map<string, string>>();
  for (const { name, error, cosines } of tensors) {
    const { row, column } = placeOf(name);
    const text = `${(100 * error).toFixed(1)} % (${Math.min(...cosines).toFixed(4)})`;
    rows.set(row, (rows.get(row) ?? new Map<string, string>()).set(column, text));
  }
  const table = [...rows].reverse().map(([row, cells]) => {
    const shown = [...cells].sort().map(([column, text]) => `${column}: ${text}`);
    return `| ${row} | ${shown.join(" | ")} |`;
  });
  const worst = COMPARED.map((batch, at) => {
    const cosine = (tensor: TensorError) => tensor.cosines[at] ?? 1;
    const least = tensors.reduce((a, b) => (cosine(b) < cosine(a) ? b : a));
    return `batch ${batch}: smallest cosine ${cosine(least).toFixed(4)} (${least.name})`;
  });
  const title = "relative L2 error, mean of the batches (smallest cosine of any batch)";
  return [`${job}: ${precision.reason}`, "", title, ...table, ...worst].join("\n");
}
