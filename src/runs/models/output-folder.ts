import { platform } from "#platform";
import { GraftError } from "../../errors.js";
import { companionFiles } from "../../hub/index.js";
import { shownFiles } from "./source.js";

/** What `merge` and `export` write: the whole output folder is replaced only where it holds nothing else. */
const written: ReadonlySet<string> = new Set([
  "config.json",
  "model.safetensors",
  platform.join("onnx", "model.onnx"),
  ...companionFiles,
]);

/** What `convert` writes. */
export const convertedFiles: ReadonlySet<string> = new Set([
  "adapter_config.json",
  "adapter_model.safetensors",
  "adapters.safetensors",
  "lora.safetensors",
  "adapter.onnx_adapter",
]);

/** What a folder and its subfolders hold besides some files. */
async function foreignEntries(folder: string, own: ReadonlySet<string>, below = ""): Promise<string[]> {
  const entries = await platform.listDirectory(platform.join(folder, below));
  const found = entries.map(async ({ name, isDirectory }) => {
    const path = platform.join(below, name);
    if (own.has(path) && !isDirectory) return [];
    return isDirectory && path === "onnx" ? foreignEntries(folder, own, path) : [path];
  });
  return (await Promise.all(found)).flat();
}

/** Whether a real path is a folder or lies within it. */
function isWithin(path: string, folder: string): boolean {
  const parent = platform.dirname(path);
  return path === folder || (parent !== path && isWithin(parent, folder));
}

async function requireApart(path: string, sources: readonly string[]): Promise<void> {
  const real = await platform.realPath(path);
  for (const source of sources) {
    if (!isWithin(await platform.realPath(source), real)) continue;
    throw new GraftError(
      "invalid-argument",
      `${path} is or contains what the command reads from (${source})`,
      "Choose another output folder.",
    );
  }
}

function refuseFilled(path: string, others: string): GraftError {
  return new GraftError(
    "invalid-argument",
    `the folder ${path} exists and is not empty`,
    `Choose another output folder, or add --overwrite to replace it${others}.`,
  );
}

/** @returns whether there is a folder. @throws GraftError `file-access` where the path is a file */
async function isFolder(path: string): Promise<boolean> {
  if (!(await platform.exists(path))) return false;
  if (await platform.isDirectory(path)) return true;
  throw new GraftError("file-access", `${path} is a file, not a folder`, "Choose another output folder.");
}

const isEmpty = async (path: string): Promise<boolean> => (await platform.listDirectory(path)).length === 0;

/**
 * Refuses a folder for a training run that holds something already, unless `overwrite` lets the run replace what an
 * older one wrote there; the folder of the model, or one around it, is never taken.
 * @throws GraftError `invalid-argument`, `file-access`
 */
export async function checkRunFolder(path: string, model: string, overwrite: boolean): Promise<void> {
  if (!(await isFolder(path))) return;
  await requireApart(path, [model]);
  if (overwrite || (await isEmpty(path))) return;
  throw refuseFilled(path, ", or --resume to go on from its last checkpoint");
}

/**
 * Refuses an output folder that is written whole and holds something already, unless `overwrite` lets it be replaced
 * and it holds nothing but what `merge` and `export` write; never one with a source or the current directory in it.
 * @param sources folders that the command reads
 * @param own files that the command writes; default: what `merge` and `export` do
 * @throws GraftError `invalid-argument`, `file-access`
 */
export async function checkOutputFolder(
  path: string,
  sources: readonly string[],
  overwrite: boolean,
  own: ReadonlySet<string> = written,
): Promise<void> {
  if (!(await isFolder(path))) return;
  await requireApart(path, [...sources, "."]);
  if (await isEmpty(path)) return;
  if (!overwrite) throw refuseFilled(path, "");
  const foreign = await foreignEntries(path, own);
  if (foreign.length === 0) return;
  throw new GraftError(
    "invalid-argument",
    `${path} holds what the command did not write: ${shownFiles(foreign)}`,
    "--overwrite replaces whole folders: move these files away, or choose another output folder.",
  );
}
