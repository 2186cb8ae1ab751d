import { GraftError } from "../../../errors.js";
import { type ModelFiles, openWeightsFile, type ShardName } from "../../../hub/index.js";
import type { SafetensorsFile } from "../../../safetensors/read.js";
import type { TranslatedAdapter, UnwrittenOptions } from "./format.js";

const FACTOR = /^(.+)\.lora_([AB])$/;

/** Whether a file's tensors are named as loralib names them. */
export function isLoralib({ entries }: SafetensorsFile): boolean {
  return [...entries.keys()].some((name) => FACTOR.test(name));
}

const unread = (where: string, what: string): GraftError =>
  new GraftError(
    "unsupported",
    `${where} is a loralib checkpoint with ${what}, which Graft does not read`,
    "Checkpoints of lora.Linear (lora.lora_state_dict) are read, with the head's own tensors beside.",
  );

/**
 * A checkpoint of loralib as PEFT's: names end without .weight, and the rank is that of the tensors. The scale is
 * lora_alpha / r, of which the file knows the rank alone.
 * @throws GraftError `unsupported` for MergedLinear's and other ranks, `invalid-argument` without `loraAlpha`
 */
export function fromLoralib(file: SafetensorsFile, where: string, { loraAlpha }: UnwrittenOptions): TranslatedAdapter {
  const ranks = new Map<string, number[]>();
  const others = new Set<string>();
  for (const { name, shape } of file.entries.values()) {
    const [, module, factor] = FACTOR.exec(name) ?? [];
    if (module === undefined) others.add(name.replace(/\.[^.]+$/, ""));
    else ranks.set(module, [...(ranks.get(module) ?? []), shape[factor === "A" ? 0 : 1] ?? 0]);
  }
  const odd = [...ranks].find(([, pair]) => pair.length !== 2 || pair[0] !== pair[1]);
  if (odd) throw unread(where, `${odd[0]}, whose A and B have the ranks ${odd[1].join(" and ")} (MergedLinear)`);
  const all = new Set([...ranks.values()].map(([rank]) => rank as number));
  if (all.size !== 1) throw unread(where, `the ranks ${[...all].join(", ")}`);
  const [r] = all;
  const targets = [...new Set([...ranks.keys()].map((module) => module.replace(/^.*\./, "")))].sort();
  const heads = [...new Set([...others].map((module) => module.split(".")[0] as string))].sort();
  const raw = {
    peft_type: "LORA",
    base_model_name_or_path: null,
    r,
    lora_alpha: loraAlpha,
    target_modules: targets,
    modules_to_save: heads.length > 0 ? heads : null,
    task_type: null,
  };
  return { raw, tensors: file };
}

/** The checkpoint of a folder without a config; undefined where it holds none, or a model. */
export async function openLoralib(
  files: ModelFiles,
  options: UnwrittenOptions,
): Promise<TranslatedAdapter | undefined> {
  if (await files.has("config.json")) return undefined;
  const names = (await files.list()).filter((one) => /^[^/]+\.(bin|pt|pth|safetensors)$/.test(one));
  const weights = names.filter((one) => !/^(training_args|optimizer|scheduler)\b/.test(one)) as ShardName[];
  const [name, ...more] = weights;
  if (name === undefined || more.length > 0) return undefined;
  const file = await openWeightsFile(await files.path(name, "the adapter's weights"));
  return isLoralib(file) ? fromLoralib(file, files.place(name), options) : undefined;
}

/** @throws GraftError `invalid-argument`: what the file does not hold must be said */
export function requireAlpha(raw: Readonly<Record<string, unknown>>, where: string): void {
  if (raw.lora_alpha !== undefined) return;
  throw new GraftError(
    "invalid-argument",
    `${where} is a loralib checkpoint, which does not hold its lora_alpha`,
    "Give loraAlpha, as the program that trained it had it (for GLUE loralib's own examples have 16 with r 8).",
  );
}
