import { reshape, type Tensor, transpose } from "../../../graph/index.js";
import { Conv1D, Embedding, Linear, type Module, type Parameter, PatchProjection } from "../../../nn/index.js";

/** How PEFT names and lays out the factors of one kind of layer. */
interface Layout {
  /** Keys behind the module's path. */
  readonly a: string;
  readonly b: string;
  aShape(r: number): readonly number[];
  bShape(r: number): readonly number[];
  readonly magnitudeShape: readonly number[];
}

/** A layer's weight as the matrix [outFeatures, inFeatures] that LoRA adds B A to. */
export interface WeightMatrix {
  readonly kind: "linear" | "kernel" | "table";
  readonly path: string;
  readonly weight: Parameter;
  readonly bias: Parameter | null;
  readonly inFeatures: number;
  readonly outFeatures: number;
  /** Whether the weight is stored as [inFeatures, outFeatures]. */
  readonly isTransposed: boolean;
  readonly layout: Layout;
  /** The weight, or a tensor of its shape, as the matrix. */
  toMatrix(weight: Tensor): Tensor;
  /** A matrix in the weight's own shape. */
  toWeight(matrix: Tensor): Tensor;
}

const same = (tensor: Tensor): Tensor => tensor;
const turned = (tensor: Tensor): Tensor => transpose(tensor, [1, 0]);

function linear(module: Linear | Conv1D): WeightMatrix {
  const { path, weight, bias, inFeatures, outFeatures } = module;
  const isTransposed = module instanceof Conv1D;
  const turn = isTransposed ? turned : same;
  return {
    kind: "linear",
    path,
    weight,
    bias,
    inFeatures,
    outFeatures,
    isTransposed,
    toMatrix: turn,
    toWeight: turn,
    layout: {
      a: "lora_A.weight",
      b: "lora_B.weight",
      aShape: (r) => [r, inFeatures],
      bShape: (r) => [outFeatures, r],
      magnitudeShape: [outFeatures],
    },
  };
}

function kernel({ path, weight, bias, inFeatures, outFeatures, kernel: own }: PatchProjection): WeightMatrix {
  return {
    kind: "kernel",
    path,
    weight,
    bias,
    inFeatures,
    outFeatures,
    isTransposed: false,
    toMatrix: (tensor) => reshape(tensor, [outFeatures, inFeatures]),
    toWeight: (matrix) => reshape(matrix, weight.shape),
    layout: {
      a: "lora_A.weight",
      b: "lora_B.weight",
      aShape: (r) => [r, ...own],
      bShape: (r) => [outFeatures, r, 1, 1],
      magnitudeShape: [1, outFeatures, 1, 1],
    },
  };
}

/** An embedding is a linear layer of one-hot rows: its features in are the rows of the table. */
function table({ path, weight, numEmbeddings, embeddingDim }: Embedding): WeightMatrix {
  return {
    kind: "table",
    path,
    weight,
    bias: null,
    inFeatures: numEmbeddings,
    outFeatures: embeddingDim,
    isTransposed: true,
    toMatrix: turned,
    toWeight: turned,
    layout: {
      a: "lora_embedding_A",
      b: "lora_embedding_B",
      aShape: (r) => [r, numEmbeddings],
      bShape: (r) => [embeddingDim, r],
      magnitudeShape: [embeddingDim],
    },
  };
}

/** The matrix of a module that LoRA can go around; null for another one. */
export function weightMatrix(module: Module): WeightMatrix | null {
  if (module instanceof Linear || module instanceof Conv1D) return linear(module);
  if (module instanceof PatchProjection) return kernel(module);
  return module instanceof Embedding ? table(module) : null;
}
