import type { Node, Tensor } from "../graph/index.js";
import type { Int8Weights, OutlierFeature } from "../onnx/index.js";
import type { QuantizedData, QuantizedForm } from "../runtime/definition.js";

/** Large features of the left operands, by product. */
export type OutliersByProduct = ReadonlyMap<string, readonly OutlierFeature[]>;

/** Narrower products are not worth rounding. */
const smallestSide = 64;

/**
 * The frozen linear layers of one graph, to be multiplied in int8: finds them, names their int8 weights and says from
 * which float32 elements the engine is to make those.
 */
export class FrozenWeights implements Int8Weights {
  private readonly matrices = new Map<Tensor, QuantizedData & { readonly forms: QuantizedForm[] }>();
  private readonly declared = new Set<string>();

  get quantized(): QuantizedData[] {
    return [...this.matrices.values()];
  }

  /** @param keepFloat32 products (as named in the guard's report) that stay float32 */
  constructor(
    private readonly keepFloat32: ReadonlySet<string>,
    private readonly outliers: OutliersByProduct = new Map(),
  ) {}

  readonly of: Int8Weights["of"] = (node) => {
    const weight = frozenMatrix(node);
    if (!weight) return null;
    const { tensor, name, source, rows, columns } = weight;
    const { transposeB: transposed, alpha } = node.attributes;
    const product = `${name} (${transposed ? "forward" : "backward"})`;
    if (this.keepFloat32.has(product)) return null;
    const outliers = this.outliers.get(product) ?? [];
    const path = ["int8", product, alpha, ...outliers.map(({ feature, factor }) => `${feature}x${factor}`)].join("/");
    if (!this.declared.has(path)) {
      this.declared.add(path);
      const matrix = this.matrices.get(tensor) ?? { source, rows, columns, forms: [] };
      this.matrices.set(tensor, matrix);
      matrix.forms.push({ path, transposed, factor: alpha, outliers });
    }
    return { product, values: `${path}/values`, scales: `${path}/scales`, outliers };
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
