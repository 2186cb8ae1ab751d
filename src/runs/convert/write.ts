import { platform } from "#platform";
import { GraftError } from "../../errors.js";
import { outputPath, writeJson } from "../../hub/index.js";
import { writeSafetensors } from "../../safetensors/write.js";
import type { TensorData } from "../../tensor-data.js";
import { configOf } from "./config-of.js";
import type { LoraAdapter } from "./factors.js";
import { graphInputs, onnxAdapter } from "./onnx-adapter.js";

/** What an adapter can be converted to. */
export const targetFormats = ["peft", "mlx", "loralib", "onnx_adapter"] as const;

export type TargetFormat = (typeof targetFormats)[number];

const inexact = (format: string, what: string): GraftError =>
  new GraftError("unsupported", `${format} has no place for ${what}`, "Convert it to peft, which has.");

/** The one value that all modules have. @throws GraftError `unsupported` */
function common(values: readonly number[], format: string, what: string): number {
  const [first = 0] = values;
  if (values.every((value) => value === first)) return first;
  throw inexact(format, `${what} that differ from module to module (${[...new Set(values)].join(", ")})`);
}

function transposed({ shape, data }: TensorData<"float32">): TensorData<"float32"> {
  const [rows, columns] = shape as [number, number];
  const turned = data.map((_, at) => data[(at % rows) * columns + Math.floor(at / rows)] as number);
  return { dtype: "float32", shape: [columns, rows], data: turned };
}

async function writePeft(adapter: LoraAdapter, folder: string): Promise<undefined> {
  const tensors = new Map<string, TensorData>(adapter.others);
  for (const { module, a, b } of adapter.factors) {
    tensors.set(`base_model.model.${module}.lora_A.weight`, a);
    tensors.set(`base_model.model.${module}.lora_B.weight`, b);
  }
  await writeSafetensors(outputPath(folder, "adapter_model.safetensors"), tensors, { format: "pt" });
  const json = JSON.stringify(configOf(adapter).toJson(), null, 2);
  await platform.writeFileAtomic(outputPath(folder, "adapter_config.json"), json);
}

async function writeMlx({ config, factors, others }: LoraAdapter, folder: string): Promise<undefined> {
  if (others.size > 0) throw inexact("MLX", `tensors beside A and B (${[...others.keys()][0]})`);
  const rank = common(
    factors.map(({ a }) => a.shape[0] as number),
    "MLX",
    "ranks",
  );
  const scale = common(
    factors.map(({ scaling }) => scaling),
    "MLX",
    "scales",
  );
  const tensors = new Map<string, TensorData>();
  for (const { module, a, b } of factors) {
    tensors.set(`${module}.lora_a`, transposed(a));
    tensors.set(`${module}.lora_b`, transposed(b));
  }
  const layers = new Set(factors.map(({ module }) => /\.(\d+)\./.exec(module)?.[1]));
  const keys = [...new Set(factors.map(({ module }) => module.replace(/^.*?\.\d+\./, "")))].sort();
  await writeSafetensors(outputPath(folder, "adapters.safetensors"), tensors, { format: "mlx" });
  await writeJson(outputPath(folder, "adapter_config.json"), {
    fine_tune_type: "lora",
    lora_parameters: { dropout: config.fields.loraDropout ?? 0, keys, rank, scale },
    model: config.baseModelNameOrPath,
    num_layers: layers.size,
  });
}

/** loralib's names, in safetensors: `lora_state_dict` writes pickles, which Graft does not. */
async function writeLoralib({ factors, others }: LoraAdapter, folder: string): Promise<number> {
  common(
    factors.map(({ a }) => a.shape[0] as number),
    "loralib",
    "ranks",
  );
  const scaling = common(
    factors.map((one) => one.scaling),
    "loralib",
    "scales",
  );
  const tensors = new Map<string, TensorData>();
  for (const { module, a, b } of factors) {
    tensors.set(`${module}.lora_A`, a);
    tensors.set(`${module}.lora_B`, b);
  }
  for (const [key, tensor] of others) tensors.set(key.replace(/^base_model\.model\./, ""), tensor);
  await writeSafetensors(platform.join(folder, "lora.safetensors"), tensors, { format: "pt" });
  return scaling * (factors[0]?.a.shape[0] ?? 1);
}

async function writeOnnx(adapter: LoraAdapter, folder: string): Promise<undefined> {
  await platform.writeFileAtomic(platform.join(folder, "adapter.onnx_adapter"), onnxAdapter(graphInputs(adapter)));
}

const writers: { readonly [F in TargetFormat]: (adapter: LoraAdapter, folder: string) => Promise<number | undefined> } =
  {
    peft: writePeft,
    mlx: writeMlx,
    loralib: writeLoralib,
    onnx_adapter: writeOnnx,
  };

/**
 * Writes an adapter's folder in a format, whole or not at all.
 * @returns what the format does not hold and its reader must be told, for people; undefined where it holds everything
 * @throws GraftError `unsupported` for what the format has no place for, `file-access`, `disk-full`
 */
export async function writeConverted(
  adapter: LoraAdapter,
  format: TargetFormat,
  output: string,
): Promise<string | undefined> {
  let alpha: number | undefined;
  await platform.writeFolderAtomic(output, async (folder) => {
    alpha = await writers[format](adapter, folder);
  });
  return alpha === undefined ? undefined : `loralib's files do not hold lora_alpha: it is ${alpha}`;
}
