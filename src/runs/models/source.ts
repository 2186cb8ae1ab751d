import { platform } from "#platform";
import { GraftError } from "../../errors.js";
import { readJsonObject } from "../../hub/json-file.js";
import { requireFile, resolveModelFolder } from "../../hub/model-folder.js";
import { architectures, modelTypes } from "../../models/index.js";
import { findBaseModel } from "../../peft/index.js";
import { openSafetensors } from "../../safetensors/read.js";
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

/** What a model folder's type reads. @throws GraftError `file-not-found`, `invalid-json` */
export async function taskOfModel(folder: string): Promise<Task> {
  const path = requireFile(await resolveModelFolder(folder), "config.json", "the model's structure");
  const { model_type: type } = await readJsonObject(path, "the model's config");
  const known = modelTypes.find((name) => name === type);
  const readsImages = known !== undefined && architectures[known].heads.includes("imageClassification");
  return readsImages ? "image-classification" : "text-classification";
}

/** Rows of the classifier in an adapter's file. */
async function labelsInAdapter(adapter: string): Promise<number | undefined> {
  const folder = await resolveModelFolder(adapter, "adapter");
  const file = await openSafetensors(requireFile(folder, "adapter_model.safetensors", "the adapter's weights"));
  const head = [...file.entries.values()].find(({ name }) =>
    /(^|\.)(classifier|score)(\.out_proj)?\.weight$/.test(name),
  );
  return head?.shape[0];
}

async function processingFolder(base: string, adapter: string | undefined, task: Task): Promise<string> {
  const needed = task === "image-classification" ? "preprocessor_config.json" : "tokenizer.json";
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
    const task = await taskOfModel(folder);
    const settings = await readSettings(folder);
    return { base: folder, adapter: undefined, task, settings, adapterLabels: undefined, processing: folder };
  }
  const found = base ?? (await findBaseModel(folder));
  const task = await taskOfModel(found);
  return {
    base: found,
    adapter: folder,
    task,
    settings: await readSettings(folder),
    adapterLabels: await labelsInAdapter(folder),
    processing: await processingFolder(found, folder, task),
  };
}
