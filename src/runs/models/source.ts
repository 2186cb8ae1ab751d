import { platform } from "#platform";
import { GraftError } from "../../errors.js";
import { holds, isOfHub, resolveFiles } from "../../hub/index.js";
import { architectures, headOfClass, modelTypes } from "../../models/index.js";
import { AdapterFolder } from "../../peft/index.js";
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

/** Whether a folder holds an adapter rather than a model. */
export async function isAdapterFolder(path: string): Promise<boolean> {
  return holds(path, "adapter_config.json");
}

/** Names that a message has room for. */
const SHOWN_FILES = 5;

/** The first few names of files, for a message. */
export function shownFiles(names: readonly string[]): string {
  return names.slice(0, SHOWN_FILES).join(", ") + (names.length > SHOWN_FILES ? ", ..." : "");
}

/** A folder without an adapter must hold a model. @throws GraftError `file-not-found`, and as `resolveFiles` */
export async function requireModel(folder: string): Promise<void> {
  const isThere = (await platform.isDirectory(folder)) || (await isOfHub(folder));
  if (!isThere || (await holds(folder, "config.json"))) {
    await resolveFiles(folder, "model");
    return;
  }
  const names = await (await resolveFiles(folder)).list();
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
  const files = await resolveFiles(folder, "model");
  const { model_type: type, architectures: classes } = await files.json("config.json", "the model's config");
  const known = modelTypes.find((name) => name === type);
  const heads = known === undefined ? [] : architectures[known].heads;
  const possible = taskNames.filter((name) => heads.includes(tasks[name].head));
  const saved = Array.isArray(classes) ? headOfClass(String(classes[0])) : undefined;
  const own = saved === undefined ? undefined : taskOfHead(saved);
  return { usual: own ?? possible[0] ?? "text-classification", possible };
}

/** The task that an adapter was trained for: graft.json's, or by PEFT's task type. */
function taskOfAdapter(
  adapter: AdapterFolder,
  settings: Settings | undefined,
  { usual, possible }: ModelTasks,
): TaskName {
  // On a base of another kind the adapter is refused where its tensors find no place, which says more.
  if (settings && possible.includes(settings.task)) return settings.task;
  const { task_type: type } = adapter.config(() => {}).toJson();
  return possible.find((name) => type && tasks[name].adapterDefaults.task_type === type) ?? usual;
}

/** What the names in an adapter's file say. */
async function contentsOf(adapter: AdapterFolder, base: string): Promise<Pick<Source, "adapterLabels" | "isBare">> {
  const entries = [...(await adapter.tensors()).entries.values()];
  const head = entries.find(({ name }) => /(^|\.)(classifier|score)(\.out_proj)?\.weight$/.test(name));
  const { model_type: type } = await (await resolveFiles(base, "model")).json("config.json", "the model's config");
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
  if (adapter === undefined) return base;
  const isHeld = await Promise.all(tasks[task].processingFiles.map((name) => holds(adapter, name)));
  return isHeld.includes(true) ? adapter : base;
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
  const opened = await AdapterFolder.open(folder);
  const found = base ?? (await opened.baseModel());
  const settings = await readSettings(folder);
  const task = taskOfAdapter(opened, settings, await tasksOfModel(found));
  return {
    base: found,
    adapter: folder,
    task,
    settings,
    ...(await contentsOf(opened, found)),
    processing: await processingFolder(found, folder, task),
  };
}
