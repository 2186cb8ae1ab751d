import { add, type Dim, gather, matMul, reshape, type Tensor } from "../../graph/index.js";
import { readParameter } from "../../models/index.js";
import { type LinearLike, type Module, type Parameter, type Trace, Wrapper } from "../../nn/index.js";
import { elementCount, type TensorData } from "../../tensor-data.js";
import type { Acting } from "../tuner.js";

type Float32Tensor = TensorData<"float32">;

/** The graph input that says which adapter each row takes: int32 [batch], 0 for the base, else its place from 1. */
export const ROW_INPUT = "adapter_index";

/** Which adapter each row takes, as a tensor of a graph. */
export const rowsOf = (trace: Trace): Tensor => trace.input(ROW_INPUT, "int32", ["batch"]);

/** The slice of a bank [adapters, ...] that each row takes: [batch, ...]. */
export const takenRows = (trace: Trace, bank: Parameter): Tensor => gather(trace.parameter(bank), rowsOf(trace));

/**
 * Each row times its own matrix.
 * @param x [batch, ..., inFeatures]
 * @param matrices [batch, outFeatures, inFeatures]
 * @returns [batch, ..., outFeatures]
 */
export function rowwiseProduct(x: Tensor, matrices: Tensor): Tensor {
  const [batch, features] = [x.shape[0] as Dim, x.shape.at(-1) as Dim];
  const outFeatures = matrices.shape[1] as Dim;
  if (x.shape.length === 3) return matMul(x, matrices, { transposeB: true });
  const rows = matMul(reshape(x, [batch, 1, features]), matrices, { transposeB: true });
  return reshape(rows, [batch, outFeatures]);
}

/** Tensors of some shapes, each padded with zeros to one shape, one behind the other: [tensors, ...shape]. */
export async function bankOf(
  parameters: readonly (Parameter | null)[],
  shape: readonly number[],
): Promise<Float32Tensor> {
  const size = elementCount(shape);
  const data = new Float32Array(parameters.length * size);
  const columns = shape.at(-1) ?? 1;
  for (const [position, parameter] of parameters.entries()) {
    if (parameter === null) continue;
    const own = await readParameter(parameter);
    const width = own.shape.at(-1) ?? 1;
    for (let row = 0; row * width < own.data.length; row++) {
      data.set(own.data.subarray(row * width, (row + 1) * width), position * size + row * columns);
    }
  }
  return { dtype: "float32", shape: [parameters.length, ...shape], data };
}

/** A saved Linear of which every row takes its own adapter's copy. */
export class RowwiseLinear extends Wrapper<Module & LinearLike> implements LinearLike {
  constructor(
    base: Module,
    private readonly acting: Acting,
    /** [adapters, outFeatures, inFeatures] */
    private readonly weights: Parameter,
    /** [adapters, outFeatures] */
    private readonly biases: Parameter | null,
  ) {
    super(base as Module & LinearLike);
  }

  get isActing(): boolean {
    return this.acting.isActing;
  }

  signature(): string {
    return "rowwise";
  }

  forward(trace: Trace, x: Tensor): Tensor {
    if (!this.isActing) return this.base.forward(trace, x);
    return this.scoped(() => {
      const product = rowwiseProduct(x, takenRows(trace, this.weights));
      if (!this.biases) return product;
      const bias = takenRows(trace, this.biases);
      const [batch, features] = bias.shape as [Dim, Dim];
      return add(product, product.shape.length === 3 ? reshape(bias, [batch, 1, features]) : bias);
    });
  }
}
