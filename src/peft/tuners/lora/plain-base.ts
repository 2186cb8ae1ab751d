import { readParameter } from "../../../models/index.js";
import type { Parameter } from "../../../nn/index.js";
import type { TensorData } from "../../../tensor-data.js";
import type { Elements, Unadjusted } from "../../tuner.js";
import type { LoraConfig } from "./config.js";
import type { LowRank } from "./low-rank.js";

type Float32Tensor = TensorData<"float32">;

/** Whether the weight is a residual while the adapter is loaded. */
export const leavesResidual = ({ initial }: LowRank): boolean => initial.residual !== undefined;

const zerosFor = ({ shape, elementCount }: Parameter): Float32Tensor => ({
  dtype: "float32",
  shape,
  data: new Float32Array(elementCount),
});

const negated = ({ data, ...rest }: Float32Tensor): Float32Tensor => ({ ...rest, data: data.map((value) => -value) });

/** Two factors of one shape, side by side along the axis of their rank. */
function joined(first: Float32Tensor, second: Float32Tensor, axis: 0 | 1): Float32Tensor {
  const shape = first.shape.map((size, position) => (position === axis ? 2 * size : size));
  const data = new Float32Array(2 * first.data.length);
  const run = axis === 0 ? first.data.length : first.data.length / (first.shape[0] as number);
  for (let at = 0; at < first.data.length; at += run) {
    data.set(first.data.subarray(at, at + run), 2 * at);
    data.set(second.data.subarray(at, at + run), 2 * at + run);
  }
  return { dtype: "float32", shape, data };
}

/**
 * [A; A0] and [B, -B0], whose product adds to the weight what B A adds to the residual W - s B0 A0; zeros where the weight
 * was left as it is.
 */
async function doubled(update: LowRank, before: Elements | undefined): Promise<Elements> {
  const { a, b, initial } = update;
  const first = async (parameter: Parameter, made: (() => Promise<Float32Tensor>) | undefined) =>
    leavesResidual(update) ? (before?.get(parameter) ?? (await made?.()) ?? zerosFor(parameter)) : zerosFor(parameter);
  const a0 = await first(a, initial.a.madeBy);
  const b0 = await first(b, initial.b.madeBy);
  return new Map([
    [a, joined(await readParameter(a), a0, 0)],
    [b, joined(await readParameter(b), negated(b0), 1)],
  ]);
}

const scaledValues = (values: Readonly<Record<string, number>>, factor: number): Record<string, number> =>
  Object.fromEntries(Object.entries(values).map(([key, value]) => [key, factor * value]));

/** What a LoRA that left residuals is on the base itself: one of twice the rank and the same scale. */
export async function onPlainBase(
  config: LoraConfig,
  updates: readonly LowRank[],
  before: Elements | undefined,
): Promise<Unadjusted> {
  const elements = new Map<Parameter, Float32Tensor>();
  for (const update of updates) for (const [one, data] of await doubled(update, before)) elements.set(one, data);
  const alpha = config.useRslora ? Math.SQRT2 : 2;
  const options = {
    initLoraWeights: true,
    r: 2 * config.r,
    loraAlpha: alpha * config.loraAlpha,
    rankPattern: scaledValues(config.rankPattern, 2),
    alphaPattern: scaledValues(config.alphaPattern, alpha),
  };
  return { options, elements };
}
