import { GraftError } from "../../../errors.js";
import { isJsonObject, type JsonObject, shown } from "../../../json.js";
import type { SafetensorsEntry } from "../../../safetensors/header.js";
import type { SafetensorsFile } from "../../../safetensors/read.js";
import type { TranslatedAdapter } from "./format.js";
import { transposedEntry } from "./transposed.js";

const unread = (where: string, what: string): GraftError =>
  new GraftError(
    "unsupported",
    `${where} is an MLX adapter with ${what}, which Graft does not read`,
    "LoRA and DoRA of linear layers (fine_tune_type lora or dora) are read.",
  );

/** A number of the config. @throws GraftError `invalid-config` */
function number(parameters: JsonObject, key: string, where: string): number {
  const value = parameters[key];
  if (typeof value === "number" && Number.isFinite(value)) return value;
  throw new GraftError(
    "invalid-config",
    `${where}: lora_parameters.${key} is ${shown(value)}, not a number`,
    "Take the adapter_config.json that mlx-lm wrote.",
  );
}

/** How names of mlx-lm end, how PEFT's do, and whether rows and columns change places. */
const endings = [
  [".lora_a", ".lora_A.weight", true],
  [".lora_b", ".lora_B.weight", true],
  [".m", ".lora_magnitude_vector", false],
] as const;

function translated(entry: SafetensorsEntry, where: string): SafetensorsEntry {
  const found = endings.find(([ending]) => entry.name.endsWith(ending));
  if (!found || entry.shape.length !== (found[2] ? 2 : 1)) {
    throw unread(where, `the tensor ${entry.name} of shape [${entry.shape}]`);
  }
  const [own, peft, isTransposed] = found;
  const name = `base_model.model.${entry.name.slice(0, -own.length)}${peft}`;
  return isTransposed ? transposedEntry(entry, name) : { ...entry, name };
}

/** target_modules, and the layers where these are not in all: as short as they can be, else whole names. */
function targetsOf(modules: readonly string[]): JsonObject {
  const split = modules.map((name) => /^(.*?\.layers)\.(\d+)\.(.+)$/.exec(name));
  const within = [...new Set(split.map((match) => match?.[3] ?? ""))].sort();
  const layers = [...new Set(split.map((match) => Number(match?.[2])))].sort((a, b) => a - b);
  const isUniform = !split.includes(null) && modules.length === within.length * layers.length;
  if (!isUniform) return { target_modules: [...modules].sort() };
  return { target_modules: within, layers_to_transform: layers, layers_pattern: "layers" };
}

/**
 * An adapter that mlx-lm wrote (adapters.safetensors) as PEFT's: A and B are [in, r] and [r, out] there, and the update is
 * scale x A B, without a division by the rank.
 * @throws GraftError `unsupported` for whole models and layers that are not linear, `invalid-config`
 */
export function fromMlx(raw: JsonObject, file: SafetensorsFile, where: string): TranslatedAdapter {
  const { fine_tune_type: type = "lora", lora_parameters: given, model } = raw;
  if (type !== "lora" && type !== "dora") throw unread(where, `fine_tune_type ${shown(type)}`);
  const parameters = isJsonObject(given) ? given : {};
  const rank = number(parameters, "rank", where);
  const scale = number(parameters, "scale", where);
  const entries = [...file.entries.values()].map((entry) => translated(entry, where));
  const odd = [...file.unreadable].map(([name, dtype]) => `${name} of ${dtype}`);
  if (odd.length > 0) throw unread(where, odd.join(", "));
  const modules = entries.flatMap(({ name }) => /^base_model\.model\.(.+)\.lora_A\.weight$/.exec(name)?.[1] ?? []);
  const config = {
    peft_type: "LORA",
    base_model_name_or_path: typeof model === "string" ? model : null,
    r: rank,
    lora_alpha: scale * rank,
    lora_dropout: typeof parameters.dropout === "number" ? parameters.dropout : 0,
    use_dora: type === "dora",
    task_type: "CAUSAL_LM",
    ...targetsOf(modules),
  };
  return { raw: config, tensors: { ...file, entries: new Map(entries.map((entry) => [entry.name, entry])) } };
}
