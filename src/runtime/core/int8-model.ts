import { platform } from "#platform";
import { GraftError } from "../../errors.js";
import { encodeInitializer } from "../../onnx/index.js";
import { bytesOf, type TensorData } from "../../tensor-data.js";
import type { ProgramDefinition, QuantizedData } from "../definition.js";
import type { QuantizeProgress } from "../protocol.js";
import { quantizedTensors } from "./quantized-weights.js";

/** Progress is told so often at most, and not at all of what is done sooner. */
const reportIntervalMs = 500;

/**
 * The definition with its int8 weights made and added to the model as initialisers: ONNX Runtime packs those once for
 * its kernels and frees the originals; of weights that are fed as inputs it packs a copy for each product of each step.
 * @throws GraftError `unsupported` where the model would be larger than ONNX Runtime takes
 */
export async function withInt8Weights(
  definition: ProgramDefinition,
  report: (progress: QuantizeProgress) => void,
): Promise<ProgramDefinition> {
  const { quantizedData: wanted = [] } = definition;
  if (wanted.length === 0) return definition;
  const model = new GrowingModel(definition.model, wanted);
  const began = platform.now();
  let told = began;
  for (const [index, data] of wanted.entries()) {
    for (const [name, tensor] of Object.entries(await quantizedTensors(data))) model.add(name, tensor);
    const now = platform.now();
    const isLast = index === wanted.length - 1 && told > began;
    if (now - told < reportIntervalMs && !isLast) continue;
    told = now;
    report({ done: index + 1, total: wanted.length, seconds: (now - began) / 1000 });
  }
  return { ...definition, model: model.bytes };
}

/** Protobuf's limit. */
const largestModel = 2 ** 31 - 1;

/** Around an initialiser: its name, shape and lengths. */
const frameBytes = 512;

/** A model whose int8 weights are added one after the other, so that no second copy of them is ever held. */
class GrowingModel {
  private readonly buffer: Uint8Array;
  private used: number;

  constructor(model: Uint8Array, wanted: readonly QuantizedData[]) {
    const sizes = wanted.map(({ rows, columns, forms }) =>
      forms.reduce(
        (sum, { path }) => sum + rows * columns + 4 * Math.max(rows, columns) + 2 * (frameBytes + 3 * path.length),
        0,
      ),
    );
    const size = sizes.reduce((sum, bytes) => sum + bytes, model.byteLength);
    if (size > largestModel) {
      throw new GraftError(
        "unsupported",
        `the int8 weights of this model take ${(size / 2 ** 30).toFixed(1)} GiB; ONNX Runtime takes models up to 2 GiB`,
        'Use frozenPrecision "f32".',
      );
    }
    this.buffer = new Uint8Array(size);
    this.buffer.set(model);
    this.used = model.byteLength;
  }

  add(name: string, tensor: TensorData): void {
    const bytes = encodeInitializer({ name, dtype: tensor.dtype, dims: [...tensor.shape], rawData: bytesOf(tensor) });
    this.buffer.set(bytes, this.used);
    this.used += bytes.byteLength;
  }

  get bytes(): Uint8Array {
    return this.buffer.subarray(0, this.used);
  }
}
