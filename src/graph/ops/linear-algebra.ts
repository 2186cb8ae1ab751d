import { productOf } from "../dim.js";
import { matMul, reshape } from "../functions.js";
import { type OpTable, TypeRuleError } from "../op.js";
import type { Tensor, TensorType } from "../tensor.js";
import { broadcastShapes, commonDType, floats, reduceTo } from "./rules.js";

/** [.., n] as [all, n]. */
function flattenRows(x: Tensor): Tensor {
  if (x.shape.length === 2) return x;
  return reshape(x, [productOf(x.shape.slice(0, -1)), x.shape.at(-1) ?? 1]);
}

export const linearAlgebraOps: OpTable<"matMul"> = {
  matMul: {
    inferTypes(inputs, { transposeA, transposeB }) {
      const dtype = commonDType(inputs, floats);
      const [a, b] = inputs as [TensorType, TensorType];
      if (a.shape.length < 2 || b.shape.length < 2) throw new TypeRuleError("operands need two axes or more");
      const [rows, inner] = transposeA ? [a.shape.at(-1), a.shape.at(-2)] : [a.shape.at(-2), a.shape.at(-1)];
      const [innerB, columns] = transposeB ? [b.shape.at(-1), b.shape.at(-2)] : [b.shape.at(-2), b.shape.at(-1)];
      if (inner !== innerB) throw new TypeRuleError(`inner dimensions ${inner} and ${innerB} differ`);
      const batch = broadcastShapes(a.shape.slice(0, -2), b.shape.slice(0, -2));
      return [{ dtype, shape: [...batch, rows ?? 1, columns ?? 1] }];
    },
    gradient({ inputs, outputGradients, attributes, needed }) {
      const [a, b] = inputs as [Tensor, Tensor];
      const dy = outputGradients[0] as Tensor;
      const { transposeA, transposeB, alpha } = attributes;
      const gradientOfA = () =>
        transposeA
          ? matMul(b, dy, { transposeA: transposeB, transposeB: true, alpha })
          : matMul(dy, b, { transposeB: !transposeB, alpha });
      const gradientOfB = () => {
        // One product over all rows at once, instead of a product per batch entry and a sum.
        const shared = b.shape.length === 2 && !transposeA;
        const [x, g] = shared ? [flattenRows(a), flattenRows(dy)] : [a, dy];
        return transposeB
          ? matMul(g, x, { transposeA: true, transposeB: transposeA, alpha })
          : matMul(x, g, { transposeA: !transposeA, alpha });
      };
      return [needed[0] ? reduceTo(gradientOfA(), a.shape) : null, needed[1] ? reduceTo(gradientOfB(), b.shape) : null];
    },
  },
};
