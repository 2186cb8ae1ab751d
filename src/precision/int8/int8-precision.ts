import { platform } from "#platform";
import { type FrozenProducts, float32Products } from "../../compile/index.js";
import { GraftError } from "../../errors.js";
import type { PreparedInputs } from "../../models/index.js";
import type { MaskKey } from "../../runtime/index.js";
import type { FrozenPrecision, PreparedModel } from "../frozen-precision.js";
import type { FrozenPrecisionReport } from "../report.js";
import { judgeProducts, largestError, type ProductDecision } from "./guard.js";
import { exactWeightType, int8Speedup, leastSpeedup } from "./kernels.js";
import { int8Products } from "./products.js";

export interface Int8PrecisionOptions {
  /** Decisions of an earlier run, which are followed; without them the first batch decides. */
  readonly report?: FrozenPrecisionReport | undefined;
  /** Told once what the first batch decided. */
  readonly onReport?: ((report: FrozenPrecisionReport) => void | Promise<void>) | undefined;
  /** A model in which nothing is frozen gets float32 instead of a refusal. Default false. */
  readonly mayBeIdle?: boolean;
  /** Told about every half second how many frozen matrices are rounded to int8, where that takes a while. */
  readonly onQuantize?: FrozenProducts["onProgress"];
}

/**
 * Frozen weights in int8 where that is the faster way on this machine, product by product where it is accurate enough
 * on the first batch. `prepare` refuses (`unsupported`) a model in which nothing is frozen.
 */
export class Int8Precision implements FrozenPrecision {
  report: FrozenPrecisionReport | undefined;

  constructor(private readonly options: Int8PrecisionOptions = {}) {
    this.report = options.report;
  }

  async prepare(model: PreparedModel, batch: PreparedInputs, masks: MaskKey): Promise<void> {
    await model.runner.setFrozenProducts(float32Products);
    if (this.report !== undefined) return this.follow(model, this.report);
    this.report = await decide(model, batch, masks, this.options.mayBeIdle ?? false);
    await this.follow(model, this.report);
    await this.options.onReport?.(this.report);
  }

  private async follow({ runner }: PreparedModel, { used, products }: FrozenPrecisionReport): Promise<void> {
    if (used !== "int8") return;
    await runner.setFrozenProducts(
      int8Products({
        keepFloat32: new Set(products.filter(({ keptFloat32 }) => keptFloat32).map(({ product }) => product)),
        outliers: new Map(products.flatMap(({ product, outliers }) => (outliers ? [[product, outliers]] : []))),
        // Found anew: a report may come from another CPU, and the integers are the same in both forms.
        weightType: await exactWeightType(await runner.engine()),
        onProgress: this.options.onQuantize,
      }),
    );
  }
}

/** Measures the machine, then the products. @throws GraftError `unsupported` for a model in which nothing is frozen */
async function decide(
  model: PreparedModel,
  batch: PreparedInputs,
  masks: MaskKey,
  mayBeIdle: boolean,
): Promise<FrozenPrecisionReport> {
  const { runner } = model;
  const engine = await runner.engine();
  if (engine.backend !== "cpu") return float32(`the ${engine.backend} backend has no faster int8 products`);
  const shape = probedShape(model);
  if (shape === undefined) {
    if (mayBeIdle) return float32("no linear layer is frozen");
    throw nothingFrozen();
  }
  const rows = rowsOf(batch);
  const speedup = await int8Speedup(engine, rows, shape, await exactWeightType(engine));
  if (speedup < leastSpeedup) {
    const place = `${rows} x ${shape.join(" x ")}`;
    return float32(`int8 products are hardly faster here (${speedup.toFixed(2)}x at ${place})`, { speedup });
  }
  const products = await judgeProducts(runner, batch, masks);
  if (products.length === 0) return float32("this model's frozen matrices are too small to gain from int8");
  // What the probes left behind would count with the step's own memory.
  platform.collectGarbage();
  if (products.every(({ keptFloat32 }) => keptFloat32)) {
    return float32("int8 is too inaccurate for every product of this model", { speedup, products });
  }
  return { used: "int8", reason: reasonFor(products, speedup), speedup, products };
}

function float32(reason: string, measured: Partial<FrozenPrecisionReport> = {}): FrozenPrecisionReport {
  return { used: "f32", reason: `${reason}; f32 is used`, products: [], ...measured };
}

function reasonFor(products: readonly ProductDecision[], speedup: number): string {
  const kept = products.filter(({ keptFloat32 }) => keptFloat32);
  const byPlace = products.filter(({ place }) => place !== undefined);
  const inaccurate = kept.filter(({ place }) => place === undefined);
  const inInt8 = products.length - kept.length;
  const parts = [`${inInt8} of ${products.length} frozen products in int8 (${speedup.toFixed(1)}x as fast)`];
  if (byPlace.length > 0) parts.push(`${byPlace.length} of the first layer or outside the layers stay f32`);
  if (inaccurate.length > 0) {
    const names = inaccurate.map(({ product }) => product).join(", ");
    parts.push(`${inaccurate.length} stay f32 (error above ${largestError * 100} %): ${names}`);
  }
  return parts.join("; ");
}

/** Larger products say no more about int8's gain. */
const enough = 512;

/** [outputs, inputs] of the frozen matrix with most elements, embeddings aside; a part of it where it is large; undefined where none is frozen. */
function probedShape({ network }: PreparedModel): readonly [number, number] | undefined {
  const matrices = [...network.parameters()]
    .filter(({ name, trainable, shape }) => !trainable && shape.length === 2 && !name.includes("embeddings"))
    .sort((a, b) => b.elementCount - a.elementCount);
  const [largest] = matrices;
  if (largest === undefined) return undefined;
  const [outputs, inputs] = largest.shape as readonly [number, number];
  return [Math.min(outputs, 2 * enough), Math.min(inputs, 2 * enough)];
}

function nothingFrozen(): GraftError {
  return new GraftError(
    "unsupported",
    'frozenPrecision "int8" with a model in which no linear layer is frozen',
    'Int8 serves frozen weights only: adapt the model with getPeftModel, or use frozenPrecision "f32".',
  );
}

/** Rows that a linear layer sees: tokens of a text batch, as far as they change the ratio; as many for pictures. */
function rowsOf({ feeds }: PreparedInputs): number {
  return Math.min(feeds.input_ids?.data.length ?? enough, enough);
}
