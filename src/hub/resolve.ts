import { platform } from "#platform";
import { GraftError } from "../errors.js";
import type { ModelFileName } from "./file-names.js";
import { ModelFiles } from "./model-files.js";

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

const isPickle = (name: string) => /^(pytorch_model|adapter_model|model)\b.*\.(bin|pt|pth|pkl|ckpt)$/.test(name);

/**
 * The files behind a reference: today the path of a local folder (in the browser also a URL).
 * @param kind what must be there. Weights may be absent (a model can be built from its config alone), unless pickles
 *   stand in their place. Undefined: a folder, whatever it holds.
 * @throws GraftError `file-not-found` (no folder, no main file), `file-access` (not a folder), `pickle-refused`
 */
export async function resolveFiles(reference: string, kind?: FilesKind): Promise<ModelFiles> {
  await checkFolder(reference);
  const files = new ModelFiles(reference);
  if (kind !== undefined) await checkKind(files, kind);
  return files;
}

/** Whether a reference leads to files among which there is this one; false also where it leads nowhere. */
export function holds(reference: string, name: ModelFileName): Promise<boolean> {
  return new ModelFiles(reference).has(name);
}

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

async function checkKind(files: ModelFiles, kind: FilesKind): Promise<void> {
  const { main, weights } = kinds[kind];
  const isThere = await Promise.all(weights.map((name) => files.has(name)));
  if (weights.length > 0 && !isThere.includes(true)) {
    const pickle = (await files.list()).find(isPickle);
    if (pickle) throw pickleRefused(files.origin, pickle);
  }
  if (!(await files.has(main))) throw await missingMain(files, kind);
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
