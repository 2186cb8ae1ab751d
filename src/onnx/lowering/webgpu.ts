import type { Tensor } from "../../graph/index.js";
import { standardLowering } from "./standard.js";
import type { LoweringTable } from "./table.js";

/**
 * ONNX Runtime's WebGPU kernels. Products of two matrices take their transpositions with Gemm, others are transposed
 * first; LogSoftmax has no kernel and is written out.
 */
export const webgpuLowering: LoweringTable = {
  ...standardLowering,
  matMul(node, e) {
    const [a, b] = node.inputs as [Tensor, Tensor];
    if (a.shape.length !== 2 || b.shape.length !== 2) return standardLowering.matMul(node, e);
    const { transposeA, transposeB, alpha } = node.attributes;
    return e.emit("Gemm", [e.nameOf(a), e.nameOf(b)], {
      attributes: { transA: transposeA ? 1 : 0, transB: transposeB ? 1 : 0, alpha },
    });
  },
  logSoftmax(node, e) {
    const x = e.nameOf(node.inputs[0] as Tensor);
    const axes = e.constant("int64", [1], [node.attributes.axis]);
    const attributes = { keepdims: 1 };
    const shifted = e.emit("Sub", [x, e.emit("ReduceMax", [x, axes], { attributes })]);
    const sum = e.emit("ReduceSum", [e.emit("Exp", [shifted]), axes], { attributes });
    return e.emit("Sub", [shifted, e.emit("Log", [sum])]);
  },
};
