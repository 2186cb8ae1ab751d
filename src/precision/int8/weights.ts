import { type Node, storedForm, type Tensor, type TensorSource } from "../../graph/index.js";
import type { FrozenProduct, Int8Weights, OutlierFeature, QuantizedWeight, WeightType } from "../../onnx/index.js";
import type { QuantizedData, QuantizedForm } from "../../runtime/index.js";
import type { DType } from "../../tensor-data.js";

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
    private readonly keepFloat32: ReadonlySet<string> = new Set(),
    private readonly outliers: OutliersByProduct = new Map(),
    private readonly dtype: WeightType = "int8",
  ) {}

  productOf(node: Node<"matMul">): FrozenProduct | null {
    const weight = frozenMatrix(node);
    if (!weight) return null;
    const product = `${weight.name} (${node.attributes.transposeB ? "forward" : "backward"})`;
    return this.keepFloat32.has(product) ? null : { product, outliers: this.outliers.get(product) ?? [] };
  }

  weightOf(node: Node<"matMul">, { product, outliers }: FrozenProduct): QuantizedWeight {
    const { tensor, source, storage, rows, columns } = frozenMatrix(node) as FrozenMatrix;
    const { transposeB: transposed, alpha } = node.attributes;
    const path = `int8/${product}/${alpha}`;
    if (!this.declared.has(path)) {
      this.declared.add(path);
      const matrix = this.matrices.get(tensor) ?? { source, storage, rows, columns, dtype: this.dtype, forms: [] };
      this.matrices.set(tensor, matrix);
      matrix.forms.push({ path, transposed, factor: alpha, outliers });
    }
    return { values: `${path}/values`, scales: `${path}/scales`, dtype: this.dtype };
  }
}

interface FrozenMatrix {
  readonly tensor: Tensor;
  readonly name: string;
  readonly source: TensorSource;
  readonly storage: DType;
  readonly rows: number;
  readonly columns: number;
}

/** The right operand, if it is a frozen matrix of floats and of some size. */
function frozenMatrix(node: Node<"matMul">): FrozenMatrix | null {
  const [left, right] = node.inputs as [Tensor, Tensor];
  const tensor = storedForm(right);
  const { origin, shape, dtype: storage } = tensor;
  const [rows, columns] = shape;
  if (origin.kind !== "initializer" || node.attributes.transposeA || left.shape.length < 2) return null;
  if (shape.length !== 2 || typeof rows !== "number" || typeof columns !== "number") return null;
  if (Math.min(rows, columns) < smallestSide) return null;
  return { tensor, storage, name: origin.name, source: origin.source, rows, columns };
}
