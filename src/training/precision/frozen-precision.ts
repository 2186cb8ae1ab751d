import { platform } from "#platform";
import { GraftError } from "../../errors.js";
import type { PreparedInputs } from "../../models/index.js";
import type { MaskKey } from "../../runtime/index.js";
import type { TrainableModel } from "../model.js";
import { applyDecisions, judgeProducts, largestError } from "./int8-guard.js";
import { exactWeightType, int8Speedup, leastSpeedup } from "./int8-kernels.js";
import type { FrozenPrecisionReport } from "./precision-report.js";

/** Applies the decisions of an earlier run, in the form that is exact on this CPU: the integers are the same. */
export async function reusePrecision(model: TrainableModel, report: FrozenPrecisionReport): Promise<void> {
  if (report.used !== "int8") return;
  await applyDecisions(model, report.products, await exactWeightType(await model.runner.engine()));
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
  const shape = probedShape(model);
  const rows = rowsOf(batch);
  const weightType = await exactWeightType(engine);
  const speedup = await int8Speedup(engine, rows, shape, weightType);
  if (speedup < leastSpeedup) {
    const reason = `int8 products are hardly faster here (${speedup.toFixed(2)}x at ${rows} x ${shape.join(" x ")}); f32 is used`;
    return { used: "f32", reason, speedup, products: [] };
  }
  const products = await judgeProducts(model, batch, masks);
  if (products.length === 0) {
    return {
      used: "f32",
      reason: "this model's frozen matrices are too small to gain from int8; f32 is used",
      products,
    };
  }
  // What the probes left behind would count with the step's own memory.
  platform.collectGarbage();
  const kept = products.filter(({ keptFloat32 }) => keptFloat32).map(({ product }) => product);
  if (kept.length === products.length) {
    return {
      used: "f32",
      reason: "int8 is too inaccurate for every product of this model; f32 is used",
      speedup,
      products,
    };
  }
  await applyDecisions(model, products, weightType);
  const byPlace = products.filter(({ place }) => place !== undefined).length;
  const inaccurate = products.filter(({ keptFloat32, place }) => keptFloat32 && place === undefined);
  const first = byPlace === 0 ? "" : `; ${byPlace} of the first layer or outside the layers stay f32`;
  const names = inaccurate.map(({ product }) => product).join(", ");
  const rest =
    inaccurate.length === 0 ? "" : `; ${inaccurate.length} stay f32 (error above ${largestError * 100} %): ${names}`;
  const reason = `${products.length - kept.length} of ${products.length} frozen products in int8 (${speedup.toFixed(1)}x as fast)${first}${rest}`;
  return { used: "int8", reason, speedup, products };
}

/** Larger products say no more about int8's gain. */
const enough = 512;

/** [outputs, inputs] of the frozen matrix with most elements, embeddings aside; a part of it where it is large. */
function probedShape(model: TrainableModel): readonly [number, number] {
  const matrices = [...model.network.parameters()]
    .filter(({ name, trainable, shape }) => !trainable && shape.length === 2 && !name.includes("embeddings"))
    .sort((a, b) => b.elementCount - a.elementCount);
  const [largest] = matrices;
  if (largest) {
    const [outputs, inputs] = largest.shape as readonly [number, number];
    return [Math.min(outputs, 2 * enough), Math.min(inputs, 2 * enough)];
  }
  throw new GraftError(
    "unsupported",
    'frozenPrecision "int8" with a model in which no linear layer is frozen',
    'Int8 serves frozen weights only: adapt the model with getPeftModel, or use frozenPrecision "f32".',
  );
}

/** Rows that a linear layer sees: tokens of a text batch, as far as they change the ratio; as many for pictures. */
function rowsOf({ feeds }: PreparedInputs): number {
  return Math.min(feeds.input_ids?.data.length ?? enough, enough);
}
