import { Matrix } from "ml-matrix";
import { GraftError } from "../errors.js";
import { type Products, productsOf, transposed } from "../linear-algebra/products.js";
import { readParameter, readSource } from "../models/index.js";
import { type AdapterFolder, LoraConfig, type PeftModel } from "../peft/index.js";
import { readTensor, type SafetensorsFile } from "../safetensors/read.js";
import { type TensorData, toFloat32 } from "../tensor-data.js";
import type { LowRankUpdate } from "./update.js";

type Floats = TensorData<"float32">;

/** An update, and its weight where the base is at hand. */
export interface AdapterUpdate extends LowRankUpdate {
  /** [features out, features in], without the update. Read when asked for. */
  readonly weight?: () => Promise<{ readonly elements: Floats; readonly products: Products }>;
}

/** Elements as a matrix of as many rows as the tensor has, kernels being flat. */
function asMatrix({ data, shape }: TensorData, rows = shape[0] as number): Matrix {
  const columns = data.length / rows;
  const flat = toFloat32({ data, shape, dtype: "float32" } as Floats);
  return new Matrix(
    Array.from({ length: rows }, (_, row) => Array.from(flat.subarray(row * columns, (row + 1) * columns))),
  );
}

const refuseOthers = (what: string): GraftError =>
  new GraftError(
    "unsupported",
    `${what} adds no update of low rank B A to weights`,
    "Analyse a LoRA adapter (PEFT's peft_type LORA).",
  );

/**
 * The updates of the acting adapters of a model, with its weights.
 * @throws GraftError `unsupported` for a method without factors
 */
export async function updatesOfModel(peft: PeftModel, origin: string): Promise<AdapterUpdate[]> {
  const pairs = peft.factorPairs();
  if (pairs.length === 0) throw refuseOthers(origin);
  return Promise.all(
    pairs.map(async ({ a, b, scaling, path, weight, isTransposed }) => ({
      layer: path,
      a: asMatrix(await readParameter(a)),
      b: asMatrix(await readParameter(b)),
      scaling,
      weight: async () => {
        const own = await readSource(weight);
        const [rows] = own.shape as [number];
        const flat: Floats = { ...own, shape: [rows, own.data.length / rows] };
        const elements = isTransposed ? transposed(flat) : flat;
        return { elements, products: productsOf(elements) };
      },
    })),
  );
}

const factorNames = [
  { a: ".lora_A.weight", b: ".lora_B.weight" },
  { a: ".lora_embedding_A", b: ".lora_embedding_B" },
] as const;

async function matrixOf(file: SafetensorsFile, name: string): Promise<Matrix> {
  const entry = file.entries.get(name);
  if (entry) {
    const tensor = await readTensor(entry);
    return asMatrix({ dtype: "float32", shape: tensor.shape, data: toFloat32(tensor) });
  }
  throw new GraftError("missing-tensor", `${file.files[0]} lacks ${name}`, "Fetch the adapter again.");
}

/**
 * The updates of an adapter as they lie in its file, without a base model.
 * @throws GraftError `unsupported` for another method than LoRA, `missing-tensor`, and what reading throws
 */
export async function updatesOfFolder(folder: AdapterFolder): Promise<AdapterUpdate[]> {
  const config = folder.config(() => {});
  if (!(config instanceof LoraConfig)) throw refuseOthers(folder.origin);
  const file = await folder.tensors();
  const found = [...file.entries.keys()].flatMap((name) => {
    const names = factorNames.find(({ a }) => name.endsWith(a));
    return names ? [{ prefix: name.slice(0, -names.a.length), ...names }] : [];
  });
  if (found.length === 0) throw refuseOthers(folder.origin);
  // Block 10 behind block 9, and not behind block 1.
  found.sort((one, other) => one.prefix.localeCompare(other.prefix, "en", { numeric: true }));
  return Promise.all(
    found.map(async ({ prefix, a, b }) => {
      const layer = prefix.replace(/^base_model\.model\./, "");
      return {
        layer,
        a: await matrixOf(file, `${prefix}${a}`),
        b: await matrixOf(file, `${prefix}${b}`),
        scaling: config.at([layer]).scaling,
      };
    }),
  );
}
