import { platform } from "#platform";
import { GraftError } from "../../errors.js";
import { holds } from "../../hub/index.js";
import { isJsonObject, type JsonObject } from "../../json.js";
import { modelTypes } from "../../models/index.js";
import { AdapterFolder, peftTypes } from "../../peft/index.js";
import { tuners } from "../../peft/tuners/registry.js";
import type { SafetensorsFile } from "../../safetensors/read.js";
import { type LayerNorm, layerNorms } from "./adapter-norms.js";

/** Whether Graft runs an adapter, and if not, why. */
export interface Verdict {
  readonly runs: boolean;
  readonly why: string;
}

/** All that an adapter's folder says of it. */
export interface AdapterSummary {
  /** PEFT, MLX, loralib or AdapterHub. */
  readonly format: string;
  /** The settings, as their files name them. */
  readonly config: JsonObject;
  /** Ranks of its low-rank factors with the number of pairs of each; empty where it has none. */
  readonly ranks: Readonly<Record<string, number>>;
  readonly verdict: Verdict;
  /** Its tensors, under PEFT's names; undefined where there are only a config. */
  readonly file: SafetensorsFile | undefined;
  /** Why weights that lie there cannot be read. */
  readonly unreadable: string | undefined;
  /** Empty for an adapter of the Hub that is not in the cache: its header alone is read. */
  readonly layers: readonly LayerNorm[];
}

/** Settings that say nothing where they are so. */
const isIdle = (value: unknown): boolean =>
  value === null || value === false || (typeof value === "object" && value !== null && Object.keys(value).length === 0);

const always = ["peft_type", "task_type", "base_model_name_or_path", "target_modules"];

/** The settings that say something, PEFT's bookkeeping aside. */
function toldSettings(raw: JsonObject, defaults: JsonObject): JsonObject {
  const told = Object.entries(raw).filter(([key, value]) => {
    if (always.includes(key)) return true;
    if (key === "peft_version" || key === "inference_mode" || isIdle(value)) return false;
    return JSON.stringify(value) !== JSON.stringify(defaults[key]);
  });
  const rank = (key: string): number => (always.includes(key) ? always.indexOf(key) : always.length);
  return Object.fromEntries(told.sort(([a], [b]) => rank(a) - rank(b)));
}

/** What PEFT writes where nothing is asked for, of methods that Graft builds. */
function usualSettings(raw: JsonObject): JsonObject {
  const Config = tuners().find(({ type }) => type === raw.peft_type)?.Config;
  if (!Config) return {};
  return Object.fromEntries(Object.entries(Config.unbuilt).map(([key, { unset }]) => [key, unset]));
}

/** Why Graft has no base for an adapter, as far as its config tells; undefined where it tells nothing. */
function strangeBase({ auto_mapping: mapping, task_type: task }: JsonObject): string | undefined {
  if (task === "SEQ_2_SEQ_LM")
    return "its base is an encoder with a decoder (SEQ_2_SEQ_LM), which Graft does not build";
  if (!isJsonObject(mapping) || typeof mapping.parent_library !== "string") return undefined;
  const type = /^transformers\.models\.(\w+)/.exec(mapping.parent_library)?.[1]?.replaceAll("_", "-");
  const isBuilt = modelTypes.some((one) => one.replaceAll("_", "-") === type);
  return isBuilt
    ? undefined
    : `its base is a ${String(mapping.base_model_class)} of ${mapping.parent_library}, which Graft does not build`;
}

function verdictOf(adapter: AdapterFolder, hasWeights: boolean): Verdict {
  const { raw, format } = adapter;
  if (format === "PEFT" && typeof raw.peft_type === "string" && !tuners().some(({ type }) => type === raw.peft_type)) {
    const known = peftTypes.includes(raw.peft_type);
    return {
      runs: false,
      why: `no: ${raw.peft_type} is ${known ? "a method of PEFT's that Graft does not build" : "no method that PEFT 0.21 or Graft knows"}`,
    };
  }
  const base = strangeBase(raw);
  if (base !== undefined) return { runs: false, why: `no: ${base}` };
  if (format === "loralib") return { runs: true, why: "yes, once it is told loraAlpha, which the file does not hold" };
  try {
    adapter.config(() => {});
  } catch (error) {
    if (!(error instanceof GraftError)) throw error;
    return { runs: false, why: `no: ${error.message}` };
  }
  if (!hasWeights) return { runs: false, why: "no: there are no weights beside the config" };
  return { runs: true, why: `yes, on a base of the types ${modelTypes.join(", ")}` };
}

function ranksOf({ entries }: SafetensorsFile): Record<string, number> {
  const ranks: Record<string, number> = {};
  for (const { name, shape } of entries.values()) {
    const rank = /\.lora_(embedding_)?A(\.\w+)?$/.test(name) ? shape[0] : undefined;
    if (rank !== undefined) ranks[rank] = (ranks[rank] ?? 0) + 1;
  }
  return ranks;
}

/** An AdapterHub folder's settings, its prediction head's beside. */
async function adapterHubSettings(adapter: AdapterFolder): Promise<JsonObject> {
  const { config, ...others } = adapter.raw;
  const hasHead = await adapter.has("head_config.json");
  return {
    ...others,
    ...(isJsonObject(config)
      ? Object.fromEntries(Object.entries(config).filter(([, value]) => !isIdle(value)))
      : { config }),
    ...(hasHead && { head: "head_config.json" }),
  };
}

/**
 * Describes an adapter's folder, whatever its method and whoever wrote it: PEFT (all types, weights pickled or not, or the
 * config alone), mlx-lm, loralib, AdapterHub.
 * @throws GraftError `file-not-found` for a folder that holds no adapter, `invalid-json`, `lfs-pointer`
 */
export async function describeAdapter(folder: string): Promise<AdapterSummary> {
  const adapter = await AdapterFolder.open(folder);
  const { raw, format } = adapter;
  if (format === "PEFT" && typeof raw.peft_type !== "string") adapter.config(() => {});
  let file: SafetensorsFile | undefined;
  let unreadable: string | undefined;
  let isHere = true;
  if (await adapter.hasWeights()) {
    try {
      const header = await adapter.remoteHeader();
      file = header ?? (await adapter.tensors());
      isHere = header === undefined;
    } catch (error) {
      if (!(error instanceof GraftError) || error.code !== "pickle-refused") throw error;
      unreadable = error.message;
    }
  }
  const config = format === "AdapterHub" ? await adapterHubSettings(adapter) : toldSettings(raw, usualSettings(raw));
  return {
    format,
    config,
    ranks: file ? ranksOf(file) : {},
    verdict:
      unreadable === undefined ? verdictOf(adapter, file !== undefined) : { runs: false, why: `no: ${unreadable}` },
    file,
    unreadable,
    layers: file && isHere ? await layerNorms(file) : [],
  };
}

/** Whether a folder holds an adapter of any format rather than a model. @throws GraftError as `describeAdapter`, but for folders that hold none */
export async function holdsAdapter(path: string): Promise<boolean> {
  if (await holds(path, "adapter_config.json")) return true;
  if (!(await platform.isDirectory(path))) return false;
  try {
    await AdapterFolder.open(path);
    return true;
  } catch (error) {
    if (error instanceof GraftError && error.code === "file-not-found") return false;
    throw error;
  }
}
