import { platform } from "#platform";
import { GraftError } from "../errors.js";
import type { ModelFileName } from "./file-names.js";
import { type FilesSource, FolderSource } from "./files-source.js";
import { ModelFiles } from "./model-files.js";
import { HubSource } from "./remote/hub-source.js";
import { isRepoId } from "./remote/repo-id.js";
import type { HubOptions } from "./remote/settings.js";

/** What a reference should lead to. */
export type FilesKind = "model" | "adapter" | "tokenizer" | "processor";

interface KindOfFiles {
  /** The file without which it is none. */
  readonly main: ModelFileName;
  /** Where the weights may lie; a pickle of another name in their place is refused. */
  readonly weights: readonly ModelFileName[];
  /** What to do where the main file is missing. */
  readonly hint: string;
}

const kinds: { readonly [K in FilesKind]: KindOfFiles } = {
  model: {
    main: "config.json",
    weights: ["model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json"],
    hint: "Name the folder that holds config.json.",
  },
  adapter: {
    main: "adapter_config.json",
    weights: ["adapter_model.safetensors", "adapter_model.bin"],
    hint: "Name the folder that holds adapter_config.json.",
  },
  tokenizer: {
    main: "tokenizer.json",
    weights: [],
    hint: "Graft reads fast tokenizers. In Python, AutoTokenizer.from_pretrained(...).save_pretrained(folder) writes the file.",
  },
  processor: {
    main: "preprocessor_config.json",
    weights: [],
    hint: "Image models are published with that file: fetch it next to config.json.",
  },
};

const mains = [...Object.values(kinds).map(({ main }) => main), "vocab.txt", "vocab.json"];

async function hasAny(folder: FolderSource, names: readonly string[]): Promise<boolean> {
  for (const name of names) if (await folder.has(name)) return true;
  return false;
}

const isPickle = (name: string) => /^(pytorch_model|adapter_model|model)\b.*\.(bin|pt|pth|pkl|ckpt)$/.test(name);

/**
 * The files behind a reference: a local folder (in the browser also a URL), else a repository of the Hub ("org/name"),
 * whose files are downloaded when they are asked for.
 * @param kind what must be there. Weights may be absent (a model can be built from its config alone), unless pickles
 *   stand in their place. Undefined: whatever it holds.
 * @throws GraftError `file-not-found` (no folder, no repository, no main file), `file-access` (not a folder),
 *   `pickle-refused`, `hub-access` (gated, private), `hub-unreachable`
 */
export async function resolveFiles(reference: string, kind?: FilesKind, options: HubOptions = {}): Promise<ModelFiles> {
  const files = new ModelFiles(await sourceOf(reference, kind, options));
  if (kind !== undefined) await checkKind(files, kind);
  return files;
}

/**
 * Whether a reference leads to files among which there is this one; false also where it leads nowhere.
 * @throws GraftError `hub-access`, `hub-unreachable`
 */
export async function holds(reference: string, name: ModelFileName, options: HubOptions = {}): Promise<boolean> {
  const folder = new FolderSource(reference, inFolder(reference, options));
  if (await folder.has(name)) return true;
  if (!(await isOfHub(reference))) return false;
  try {
    return await (await HubSource.open("model", reference, options)).has(name);
  } catch (error) {
    if (error instanceof GraftError && error.code === "file-not-found") return false;
    throw error;
  }
}

/** Whether a reference is looked for on the Hub: it has the form of a repository's name, and nothing here is called so. */
export async function isOfHub(reference: string): Promise<boolean> {
  return isRepoId(reference) && !(await platform.isDirectory(reference)) && !(await isHere(reference));
}

/** In the browser asking for a path is asking a server, so it is not asked for folders. */
const isHere = async (path: string): Promise<boolean> => platform.name === "node" && (await platform.exists(path));

const inFolder = (reference: string, { subfolder }: HubOptions): string =>
  subfolder ? platform.join(reference, subfolder) : reference;

async function sourceOf(reference: string, kind: FilesKind | undefined, options: HubOptions): Promise<FilesSource> {
  const folder = new FolderSource(reference, inFolder(reference, options));
  if (!(await isOfHub(reference))) {
    await checkFolder(inFolder(reference, options));
    return folder;
  }
  // A page's relative URLs look like names of repositories: what the page's own server has comes first.
  const isServed = platform.name === "web" && (await hasAny(folder, kind === undefined ? mains : [kinds[kind].main]));
  return isServed ? folder : HubSource.open("model", reference, options);
}

async function checkFolder(path: string): Promise<void> {
  if (platform.name === "web" || (await platform.isDirectory(path))) return;
  if (await platform.exists(path)) {
    throw new GraftError("file-access", `${path} is a file, not a folder`, "Name the folder that holds config.json.");
  }
  throw new GraftError(
    "file-not-found",
    `the folder ${path} does not exist`,
    'Check the path; a model of the Hugging Face Hub is named "org/name".',
  );
}

async function checkKind(files: ModelFiles, kind: FilesKind): Promise<void> {
  const { main, weights } = kinds[kind];
  const isThere = await Promise.all(weights.map((name) => files.has(name)));
  if (weights.length > 0 && !isThere.includes(true)) {
    const pickle = (await files.list()).find(isPickle);
    if (pickle) throw pickleRefused(files.origin, pickle);
  }
  if (await files.has(main)) return;
  if (files.isPartial) await files.path(main, `a ${kind}`);
  throw await missingMain(files, kind);
}

function pickleRefused(path: string, pickle: string): GraftError {
  return new GraftError(
    "pickle-refused",
    `${path} holds its weights as ${pickle} only, which is none of the names that are looked for`,
    "Where it is a state dict that torch.save wrote, rename it to pytorch_model.bin (an adapter's to adapter_model.bin); " +
      "else take the safetensors version of the repository.",
  );
}

/** A model and an adapter are easily taken for each other. */
async function missingMain(files: ModelFiles, kind: FilesKind): Promise<GraftError> {
  const { main, hint } = kinds[kind];
  const fault = `${files.origin} has no ${main}`;
  if (kind === "model" && (await files.has("adapter_config.json"))) {
    return new GraftError(
      "file-not-found",
      `${fault}: it is an adapter, not a model`,
      "Load the base model that its adapter_config.json names, then the adapter on top of it.",
    );
  }
  const isModel = kind === "adapter" && (await files.has("config.json"));
  return new GraftError("file-not-found", isModel ? `${fault}: it is a model, not an adapter` : fault, hint);
}
