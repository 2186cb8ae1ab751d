import { platform } from "#platform";
import { GraftError } from "../../errors.js";
import { readJsonObject } from "../../hub/json-file.js";
import { requireFile, resolveModelFolder } from "../../hub/model-folder.js";
import { architectures, headOfClass, modelTypes } from "../../models/index.js";
import { findBaseModel, readAdapterConfig } from "../../peft/index.js";
import { openSafetensors } from "../../safetensors/read.js";
import { type TaskName, taskNames, taskOfHead, tasks } from "../../tasks/index.js";
import { readSettings, type Settings } from "./settings.js";

/** The folders that a command works on: a base model, and the adapter on top of it where there is one. */
export interface Source {
  readonly base: string;
  readonly adapter: string | undefined;
  readonly task: TaskName;
  readonly settings: Settings | undefined;
  /** Classes of the head that the adapter brings; undefined where it brings none. */
  readonly adapterLabels: number | undefined;
  /** Whether the adapter is of a model without a head (PEFT's FEATURE_EXTRACTION). */
  readonly isBare: boolean;
  /** Folder of the tokenizer or image processor. */
  readonly processing: string;
}

/** The file that makes a folder an adapter's. */
export const ADAPTER_CONFIG = "adapter_config.json";

/** Whether a folder holds an adapter rather than a model. */
export async function isAdapterFolder(path: string): Promise<boolean> {
  return platform.exists(platform.join(path, ADAPTER_CONFIG));
}

/** Names that a message has room for. */
const SHOWN_FILES = 5;

/** The first few names of files, for a message. */
export function shownFiles(names: readonly string[]): string {
  return names.slice(0, SHOWN_FILES).join(", ") + (names.length > SHOWN_FILES ? ", ..." : "");
}

/** A folder without an adapter must hold a model. @throws GraftError `file-not-found`, and as `resolveModelFolder` */
export async function requireModel(folder: string): Promise<void> {
  const isFolder = await platform.isDirectory(folder);
  if (!isFolder || (await platform.exists(platform.join(folder, "config.json")))) {
    await resolveModelFolder(folder);
    return;
  }
  const names = (await platform.listDirectory(folder)).map(({ name }) => name).sort();
  throw new GraftError(
    "file-not-found",
    `${folder} holds neither config.json nor adapter_config.json; it holds ${shownFiles(names) || "nothing"}`,
    "Name a model or a PEFT adapter in Hugging Face's format. Other formats, such as loralib's, are first saved with save_pretrained in Python.",
  );
}

/** What a model can be used for, and what it is for unless a run says otherwise. */
export interface ModelTasks {
  readonly usual: TaskName;
  /** Empty for a model type that Graft does not build. */
  readonly possible: readonly TaskName[];
}

/** The tasks of a model folder, by its type and the head that it was saved with. @throws GraftError `file-not-found`, `invalid-json` */
export async function tasksOfModel(folder: string): Promise<ModelTasks> {
  const path = requireFile(await resolveModelFolder(folder), "config.json", "the model's structure");
  const { model_type: type, architectures: classes } = await readJsonObject(path, "the model's config");
  const known = modelTypes.find((name) => name === type);
  const heads = known === undefined ? [] : architectures[known].heads;
  const possible = taskNames.filter((name) => heads.includes(tasks[name].head));
  const saved = Array.isArray(classes) ? headOfClass(String(classes[0])) : undefined;
  const own = saved === undefined ? undefined : taskOfHead(saved);
  return { usual: own ?? possible[0] ?? "text-classification", possible };
}

/** The task that an adapter was trained for: graft.json's, or by PEFT's task type. */
async function taskOfAdapter(
  adapter: string,
  settings: Settings | undefined,
  { usual, possible }: ModelTasks,
): Promise<TaskName> {
  // On a base of another kind the adapter is refused where its tensors find no place, which says more.
  if (settings && possible.includes(settings.task)) return settings.task;
  const { task_type: type } = (await readAdapterConfig(adapter, () => {})).toJson();
  return possible.find((name) => type && tasks[name].adapterDefaults.task_type === type) ?? usual;
}

/** What the names in an adapter's file say. */
async function contentsOf(adapter: string, base: string): Promise<Pick<Source, "adapterLabels" | "isBare">> {
  const folder = await resolveModelFolder(adapter, "adapter");
  const file = await openSafetensors(requireFile(folder, "adapter_model.safetensors", "the adapter's weights"));
  const entries = [...file.entries.values()];
  const head = entries.find(({ name }) => /(^|\.)(classifier|score)(\.out_proj)?\.weight$/.test(name));
  const { model_type: type } = await readJsonObject(platform.join(base, "config.json"), "the model's config");
  const known = modelTypes.find((name) => name === type);
  const below = known === undefined ? undefined : `base_model.model.${architectures[known].basePrefix}.`;
  // In a classifier everything that PEFT adapts is below the base model's name; in the bare model nothing is.
  const isBare =
    head === undefined &&
    below !== undefined &&
    entries.some(({ name }) => /^base_model\.model\.(encoder|embeddings|layers?|pooler)\./.test(name)) &&
    !entries.some(({ name }) => name.startsWith(below));
  return { adapterLabels: head?.shape[0], isBare };
}

async function processingFolder(base: string, adapter: string | undefined, task: TaskName): Promise<string> {
  const needed = tasks[task].processingFile;
  const hasOwn = adapter !== undefined && (await platform.exists(platform.join(adapter, needed)));
  return hasOwn ? adapter : base;
}

/**
 * Finds what a folder argument means: a model, or an adapter and its base.
 * @param base folder of the base model, where the adapter's own note is not to be followed
 * @throws GraftError `file-not-found`, `file-access`, `invalid-json`, `pickle-refused`
 */
export async function resolveSource(folder: string, base?: string): Promise<Source> {
  if (!(await isAdapterFolder(folder))) {
    await requireModel(folder);
    if (base !== undefined && platform.resolve(base) !== platform.resolve(folder)) {
      throw new GraftError(
        "invalid-argument",
        `${folder} is a model, and --model names another one (${base})`,
        "Leave --model out, or name an adapter's folder first.",
      );
    }
    const { usual: task } = await tasksOfModel(folder);
    const settings = await readSettings(folder);
    return {
      base: folder,
      adapter: undefined,
      task,
      settings,
      adapterLabels: undefined,
      isBare: false,
      processing: folder,
    };
  }
  const found = base ?? (await findBaseModel(folder));
  const settings = await readSettings(folder);
  const task = await taskOfAdapter(folder, settings, await tasksOfModel(found));
  return {
    base: found,
    adapter: folder,
    task,
    settings,
    ...(await contentsOf(folder, found)),
    processing: await processingFolder(found, folder, task),
  };
}
