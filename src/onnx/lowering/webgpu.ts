import { type Dim, productOf, type Tensor } from "../../graph/index.js";
import { reshapeTo, standardLowering } from "./standard.js";
import type { LoweringTable } from "./table.js";

/**
 * ONNX Runtime's WebGPU kernels. Products with a matrix take their transpositions with Gemm, all rows of a batch as one
 * matrix, so that no frozen weight is ever transposed; other operands are transposed first. LogSoftmax has no kernel
 * and is written out; so is LayerNormalization, whose kernel takes the variance as E[x²] - E[x]², which cancels where
 * the mean is large.
 */
export const webgpuLowering: LoweringTable = {
  ...standardLowering,
  matMul(node, e) {
    const [a, b] = node.inputs as [Tensor, Tensor];
    const { transposeA, transposeB, alpha } = node.attributes;
    const gemm = (left: string): string =>
      e.emit("Gemm", [left, e.nameOf(b)], {
        attributes: { transA: transposeA ? 1 : 0, transB: transposeB ? 1 : 0, alpha },
      });
    if (a.shape.length === 2 && b.shape.length === 2) return gemm(e.nameOf(a));
    if (b.shape.length !== 2 || !transposeB || transposeA) return standardLowering.matMul(node, e);
    const { dtype, shape } = node.outputs[0] as Tensor;
    const rows = productOf(shape.slice(0, -1));
    const [inner, columns] = [a.shape.at(-1) as Dim, shape.at(-1) as Dim];
    const flat = e.memoized(`rows:${e.nameOf(a)}`, () =>
      e.describe(reshapeTo(e.nameOf(a), a.shape, [rows, inner], e), { dtype, shape: [rows, inner] }),
    );
    const product = e.describe(gemm(flat), { dtype, shape: [rows, columns] });
    return reshapeTo(product, [rows, columns], shape, e);
  },
  logSoftmax(node, e) {
    const x = e.nameOf(node.inputs[0] as Tensor);
    const axes = e.constant("int64", [1], [node.attributes.axis]);
    const attributes = { keepdims: 1 };
    const shifted = e.emit("Sub", [x, e.emit("ReduceMax", [x, axes], { attributes })]);
    const sum = e.emit("ReduceSum", [e.emit("Exp", [shifted]), axes], { attributes });
    return e.emit("Sub", [shifted, e.emit("Log", [sum])]);
  },
  layerNorm(node, e) {
    const [x, weight, bias] = node.inputs.map((input) => e.nameOf(input)) as [string, string, string];
    const axes = e.constant("int64", [1], [-1]);
    const meanOf = (values: string): string => e.emit("ReduceMean", [values, axes], { attributes: { keepdims: 1 } });
    const mean = meanOf(x);
    const centered = e.emit("Sub", [x, mean]);
    const variance = meanOf(e.emit("Mul", [centered, centered]));
    const deviation = e.emit("Sqrt", [e.emit("Add", [variance, e.number(node.attributes.epsilon)])]);
    const inverse = e.emit("Div", [e.number(1), deviation]);
    const scaled = e.emit("Mul", [e.emit("Mul", [centered, inverse]), weight]);
    return [e.emit("Add", [scaled, bias]), mean, inverse];
  },
};
