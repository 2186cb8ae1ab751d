import type { Node, Tensor } from "../graph/index.js";
import type { Int8Weights } from "../onnx/index.js";
import type { QuantizedData, QuantizedForm } from "../runtime/definition.js";

/** Narrower products are not worth rounding. */
const smallestSide = 64;

/**
 * The frozen linear layers of one graph, to be multiplied in int8: finds them, declares their int8 weights and says
 * from which float32 elements the engine is to make those.
 */
export class FrozenWeights implements Int8Weights {
  private readonly matrices = new Map<Tensor, QuantizedData & { readonly forms: QuantizedForm[] }>();
  private readonly declared = new Set<string>();

  get quantized(): QuantizedData[] {
    return [...this.matrices.values()];
  }

  /** The graph inputs that hold the int8 weights. */
  get inputNames(): string[] {
    return [...this.declared].flatMap((path) => [`${path}/values`, `${path}/scales`]);
  }

  /** @param keepFloat32 products (as named in the guard's report) that stay float32 */
  constructor(private readonly keepFloat32: ReadonlySet<string>) {}

  readonly of: Int8Weights["of"] = (node, e) => {
    const weight = frozenMatrix(node);
    if (!weight) return null;
    const { tensor, name, source, rows, columns } = weight;
    const { transposeB: transposed, alpha } = node.attributes;
    const product = `${name} (${transposed ? "forward" : "backward"})`;
    if (this.keepFloat32.has(product)) return null;
    const path = `int8/${product}/${alpha}`;
    const [inner, outer] = transposed ? [columns, rows] : [rows, columns];
    if (!this.declared.has(path)) {
      this.declared.add(path);
      const matrix = this.matrices.get(tensor) ?? { source, rows, columns, forms: [] };
      this.matrices.set(tensor, matrix);
      matrix.forms.push({ path, transposed, factor: alpha });
      e.inputs.push({ name: `${path}/values`, dtype: "int8", shape: [inner, outer] });
      e.inputs.push({ name: `${path}/scales`, dtype: "float32", shape: [outer] });
    }
    return { product, values: `${path}/values`, scales: `${path}/scales` };
  };
}

/** The right operand, if it is a frozen float32 matrix of some size. */
function frozenMatrix(node: Node<"matMul">) {
  const [left, right] = node.inputs as [Tensor, Tensor];
  const { origin, shape } = right;
  const [rows, columns] = shape;
  if (origin.kind !== "initializer" || node.attributes.transposeA || left.shape.length < 2) return null;
  if (shape.length !== 2 || typeof rows !== "number" || typeof columns !== "number") return null;
  if (Math.min(rows, columns) < smallestSide) return null;
  return { tensor: right, name: origin.name, source: origin.source, rows, columns };
}
