import { platform } from "#platform";
import { GraftError } from "../errors.js";

/** The files of a Hugging Face folder that Graft reads. */
export const modelFileNames = [
  "config.json",
  "model.safetensors",
  "model.safetensors.index.json",
  "tokenizer.json",
  "tokenizer_config.json",
  "special_tokens_map.json",
  "preprocessor_config.json",
  "adapter_config.json",
  "adapter_model.safetensors",
  "trained.safetensors",
] as const;

export type ModelFileName = (typeof modelFileNames)[number];

/** A folder and the paths of those files that it holds. */
export interface ModelFolder {
  readonly path: string;
  readonly files: { readonly [K in ModelFileName]?: string };
}

/** What the folder should hold: a model (config.json) or an adapter (adapter_config.json). */
export type FolderKind = "model" | "adapter";

const configOf: { readonly [K in FolderKind]: ModelFileName } = {
  model: "config.json",
  adapter: "adapter_config.json",
};

const weightsOf: { readonly [K in FolderKind]: readonly ModelFileName[] } = {
  model: ["model.safetensors", "model.safetensors.index.json"],
  adapter: ["adapter_model.safetensors"],
};

const isPickle = (name: string) => /^(pytorch_model|adapter_model|model)\b.*\.(bin|pt|pth|pkl|ckpt)$/.test(name);

async function checkFolder(path: string): Promise<void> {
  if (platform.name === "web" || (await platform.isDirectory(path))) return;
  if (await platform.exists(path)) {
    throw new GraftError("file-access", `${path} is a file, not a folder`, "Name the folder that holds config.json.");
  }
  throw new GraftError(
    "file-not-found",
    `the folder ${path} does not exist`,
    "Check the path. Models are read from local folders: download the repository first.",
  );
}

async function namesIn(path: string): Promise<string[]> {
  try {
    return (await platform.listDirectory(path)).map((entry) => entry.name);
  } catch (error) {
    if (platform.name === "web") return [];
    throw error;
  }
}

/**
 * Finds the files of a local model or adapter folder. Weights may be absent (a model can be built from its config
 * alone), unless pickles stand in their place.
 * @throws GraftError `file-not-found` (no folder, no config), `file-access` (not a folder), `pickle-refused`
 */
export async function resolveModelFolder(path: string, kind: FolderKind = "model"): Promise<ModelFolder> {
  await checkFolder(path);
  const files: { [K in ModelFileName]?: string } = {};
  const found = modelFileNames.map(async (name) => {
    const file = platform.join(path, name);
    if (await platform.exists(file)) files[name] = file;
  });
  await Promise.all(found);
  if (!weightsOf[kind].some((name) => files[name])) {
    const pickle = (await namesIn(path)).find(isPickle);
    if (pickle) throw pickleRefused(path, pickle);
  }
  if (!files[configOf[kind]]) throw missingConfig(path, kind, files);
  return { path, files };
}

function pickleRefused(path: string, pickle: string): GraftError {
  return new GraftError(
    "pickle-refused",
    `${path} holds its weights as ${pickle} only: a Python pickle, which runs whatever code it contains when it is loaded`,
    "Convert it once in Python where you trust its source (from_pretrained, then save_pretrained, which writes " +
      "safetensors), or take the safetensors version of the repository.",
  );
}

function missingConfig(path: string, kind: FolderKind, files: ModelFolder["files"]): GraftError {
  const other: FolderKind = kind === "model" ? "adapter" : "model";
  const holdsOther = files[configOf[other]] !== undefined;
  return new GraftError(
    "file-not-found",
    `${path} has no ${configOf[kind]}${holdsOther ? `: it is ${other === "adapter" ? "an adapter" : "a model"}, not ${kind === "adapter" ? "an adapter" : "a model"}` : ""}`,
    holdsOther && kind === "model"
      ? "Load the base model that its adapter_config.json names, then the adapter on top of it."
      : `Name the folder that holds ${configOf[kind]}.`,
  );
}

/**
 * The path of one file of the folder.
 * @throws GraftError `file-not-found` that says what the file is for
 */
export function requireFile(folder: ModelFolder, name: ModelFileName, purpose: string): string {
  const file = folder.files[name];
  if (file !== undefined) return file;
  throw new GraftError(
    "file-not-found",
    `${folder.path} has no ${name}, which is needed for ${purpose}`,
    "Copy the file from the model's repository into the folder.",
  );
}

/**
 * The checkpoint of a model folder: model.safetensors, or the index of its shards where there is no single file.
 * @throws GraftError `file-not-found` when the folder has no weights
 */
export function weightsFile(folder: ModelFolder): string {
  const file = folder.files["model.safetensors"] ?? folder.files["model.safetensors.index.json"];
  return file ?? requireFile(folder, "model.safetensors", "the model's weights");
}
