import type { Tensor } from "../../graph/index.js";
import { standardLowering } from "./standard.js";
import type { LoweringTable } from "./table.js";

const microsoft = "com.microsoft";

/** ONNX Runtime's CPU kernels: products take their transpositions and factor with them, GELU is one pass. */
export const cpuLowering: LoweringTable = {
  ...standardLowering,
  matMul(node, e) {
    const input = node.inputs.map((operand: Tensor) => e.nameOf(operand));
    const { transposeA, transposeB, alpha } = node.attributes;
    if (!transposeA && !transposeB && alpha === 1) return e.emit("MatMul", input);
    return e.emit("FusedMatMul", input, {
      domain: microsoft,
      attributes: { transA: transposeA ? 1 : 0, transB: transposeB ? 1 : 0, alpha },
    });
  },
  rmsNorm: (node, e) =>
    e.emitAll(
      "SimplifiedLayerNormalization",
      node.inputs.map((input) => e.nameOf(input)),
      { attributes: { axis: -1, epsilon: node.attributes.epsilon, stash_type: 1 }, outputs: 2 },
    ),
  gelu: (node, e) => e.emit("Gelu", [e.nameOf(node.inputs[0] as Tensor)], { domain: microsoft }),
  dropout(node, e) {
    const [x, mask] = node.inputs.map((input) => e.nameOf(input)) as [string, string];
    // One pass from uint8 to the scaled float mask.
    const scaled = e.memoized(`mask:${mask}:${node.attributes.keepProbability}`, () =>
      e.emit("DequantizeLinear", [mask, e.number(1 / node.attributes.keepProbability)]),
    );
    return e.emit("Mul", [x, scaled]);
  },
};
