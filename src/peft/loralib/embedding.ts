import { GraftError } from "../../errors.js";
import { add, type Dim, gather, matMul, mul, type Tensor, transpose } from "../../graph/index.js";
import { normal, type Parameter, type Trace, zeros } from "../../nn/index.js";
import type { TensorData } from "../../tensor-data.js";
import { elementCount } from "../../tensor-data.js";
import { checkSizes, LoRALayer, type LoRALayerOptions, type Prepared, tensorOf } from "./lora-layer.js";
import { scaledProduct, transposed } from "./matrices.js";

export interface EmbeddingOptions extends LoRALayerOptions {
  /** A row that starts at zero and gets no gradient; below 0 it counts from the end. Default null: none. */
  readonly paddingIdx?: number | null;
}

type Ids = TensorData<"int32">;

/** `lora.Embedding`: rows of W + loraAlpha / r * (B A)^T. A begins at zero and B normal, the other way round than in `Linear`. */
export class Embedding extends LoRALayer<Ids> {
  /** [numEmbeddings, embeddingDim]; frozen where r > 0. */
  readonly weight: Parameter;
  /** [r, numEmbeddings] or none. */
  readonly loraA: Parameter | null = null;
  /** [embeddingDim, r] or none. */
  readonly loraB: Parameter | null = null;
  /** From 0; null for none. */
  readonly paddingIdx: number | null;
  protected readonly input: readonly Dim[] = ["rows"];

  /**
   * @param numEmbeddings, embeddingDim whole numbers from 1
   * @throws GraftError `invalid-config` for sizes and options out of range, `unsupported` for unknown options
   */
  constructor(
    readonly numEmbeddings: number,
    readonly embeddingDim: number,
    { paddingIdx = null, ...options }: EmbeddingOptions = {},
  ) {
    checkSizes(`a table of ${numEmbeddings} embeddings of size ${embeddingDim}`, [numEmbeddings, embeddingDim]);
    super(options, 0, ["paddingIdx"]);
    const { r } = this;
    this.paddingIdx = paddingRow(paddingIdx, numEmbeddings);
    const weight = this.made("weight", [numEmbeddings, embeddingDim], (shape, random) => {
      const data = normal(1)(shape, random);
      const row = this.paddingIdx;
      return row === null ? data : data.fill(0, row * embeddingDim, (row + 1) * embeddingDim);
    });
    this.weight = this.parameter("weight", weight);
    if (r === 0) return;
    this.loraA = this.parameter("lora_A", this.made("lora_A", [r, numEmbeddings], zeros));
    this.loraB = this.parameter("lora_B", this.made("lora_B", [embeddingDim, r], normal(1)));
    this.weight.trainable = false;
  }

  protected get frozen(): Parameter {
    return this.weight;
  }

  protected get hasUpdate(): boolean {
    return this.r > 0;
  }

  protected override get inputDType(): "int32" {
    return "int32";
  }

  protected override get passesGradient(): boolean {
    return false;
  }

  protected update(): Float32Array {
    const [a, b] = [tensorOf(this.loraA as Parameter), tensorOf(this.loraB as Parameter)];
    return transposed(scaledProduct(b.data, a.data, this.r, this.scaling), this.embeddingDim, this.numEmbeddings);
  }

  /** @throws GraftError `invalid-argument` for ids that have no row */
  protected prepare({ data, shape }: Ids): Prepared {
    const wrong = data.find((id) => id < 0 || id >= this.numEmbeddings);
    if (wrong !== undefined) {
      throw new GraftError(
        "invalid-argument",
        `there is no row ${wrong} in a table of ${this.numEmbeddings} rows`,
        `Ids go from 0 to ${this.numEmbeddings - 1}.`,
      );
    }
    const rows = elementCount(shape);
    return {
      x: { dtype: "int32", shape: [rows], data },
      flat: [rows, this.embeddingDim],
      shape: [...shape, this.embeddingDim],
    };
  }

  protected write(_trace: Trace, ids: Tensor, hasUpdate: boolean, read: (name: string) => Tensor): Tensor {
    const result = gather(read("weight"), ids, 0, this.paddingIdx);
    if (!hasUpdate) return result;
    const down = gather(transpose(read("lora_A"), [1, 0]), ids, 0, this.paddingIdx);
    return add(result, mul(matMul(down, read("lora_B"), { transposeB: true }), this.scaling));
  }
}

/** @throws GraftError `invalid-config` for a row that there is not */
function paddingRow(index: number | null, rows: number): number | null {
  if (index === null) return null;
  if (Number.isSafeInteger(index) && index >= -rows && index < rows) return index < 0 ? index + rows : index;
  throw new GraftError("invalid-config", `paddingIdx is ${index}`, `Name one of the ${rows} rows.`, {
    option: "paddingIdx",
  });
}
