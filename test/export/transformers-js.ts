import { basename, dirname } from "node:path";
import { env, type PreTrainedModel, Tensor } from "@huggingface/transformers";
import type { TensorData } from "#graft/tensor-data";

/** One thread, and nothing but the exported file. */
const options = {
  dtype: "fp32",
  device: "cpu",
  local_files_only: true,
  session_options: { intraOpNumThreads: 1, interOpNumThreads: 1 },
} as const;

/** Lets transformers.js find exported folders by their names, and look nowhere else. */
export function local(folder: string): [name: string, given: typeof options] {
  env.allowRemoteModels = false;
  env.allowLocalModels = true;
  env.useFSCache = false;
  env.localModelPath = `${dirname(folder)}/`;
  return [basename(folder), options];
}

/** A golden tensor as transformers.js' own tokenizers and processors make it. */
function toTensor({ dtype, shape, data }: TensorData): Tensor {
  return dtype === "float32"
    ? new Tensor("float32", Float32Array.from(data, Number), [...shape])
    : new Tensor("int64", BigInt64Array.from(data, BigInt), [...shape]);
}

/** Runs a model of transformers.js on golden inputs. */
export async function runModel(
  model: PreTrainedModel,
  inputs: ReadonlyMap<string, TensorData>,
  output: string,
): Promise<TensorData> {
  const fed = [...inputs].filter(([name]) =>
    ["input_ids", "attention_mask", "token_type_ids", "pixel_values"].includes(name),
  );
  const outputs = await model(Object.fromEntries(fed.map(([name, tensor]) => [name, toTensor(tensor)])));
  const { dims, data } = outputs[output] as Tensor;
  return { dtype: "float32", shape: dims, data: Float32Array.from(data as Float32Array) };
}
