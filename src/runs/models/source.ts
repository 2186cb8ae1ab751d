import { platform } from "#platform";
import { GraftError } from "../../errors.js";
import { holds, resolveFiles } from "../../hub/index.js";
import { architectures, modelTypes } from "../../models/index.js";
import { AdapterFolder } from "../../peft/index.js";
import { readSettings, type Settings, type Task } from "./settings.js";

/** The folders that a command works on: a base model, and the adapter on top of it where there is one. */
export interface Source {
  readonly base: string;
  readonly adapter: string | undefined;
  readonly task: Task;
  readonly settings: Settings | undefined;
  /** Classes of the head that the adapter brings; undefined where it brings none. */
  readonly adapterLabels: number | undefined;
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
  const isFolder = await platform.isDirectory(folder);
  if (!isFolder || (await holds(folder, "config.json"))) {
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

/** What a model folder's type reads. @throws GraftError `file-not-found`, `invalid-json` */
export async function taskOfModel(folder: string): Promise<Task> {
  const files = await resolveFiles(folder, "model");
  const { model_type: type } = await files.json("config.json", "the model's config");
  const known = modelTypes.find((name) => name === type);
  const readsImages = known !== undefined && architectures[known].heads.includes("imageClassification");
  return readsImages ? "image-classification" : "text-classification";
}

async function processingFolder(base: string, adapter: string | undefined, task: Task): Promise<string> {
  const needed = task === "image-classification" ? "preprocessor_config.json" : "tokenizer.json";
  const hasOwn = adapter !== undefined && (await holds(adapter, needed));
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
    const task = await taskOfModel(folder);
    const settings = await readSettings(folder);
    return { base: folder, adapter: undefined, task, settings, adapterLabels: undefined, processing: folder };
  }
  const opened = await AdapterFolder.open(folder);
  const found = base ?? (await opened.baseModel());
  const task = await taskOfModel(found);
  return {
    base: found,
    adapter: folder,
    task,
    settings: await readSettings(folder),
    adapterLabels: await opened.headSize(),
    processing: await processingFolder(found, folder, task),
  };
}
