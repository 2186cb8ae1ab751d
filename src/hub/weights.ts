import { platform } from "#platform";
import { openPickledWeights } from "../pickle/index.js";
import { openSafetensors, readSafetensorsHeader, type SafetensorsFile } from "../safetensors/read.js";
import { openShards, shardNames } from "../safetensors/sharded.js";
import type { ModelFileName, ShardName } from "./file-names.js";
import { FolderSource } from "./files-source.js";
import { ModelFiles, refusePointer } from "./model-files.js";

/** Where a model's checkpoint may lie, the first that is there being taken. */
const checkpoints = [
  "model.safetensors",
  "model.safetensors.index.json",
  "pytorch_model.bin",
  "pytorch_model.bin.index.json",
] as const satisfies readonly ModelFileName[];

const PURPOSE = "the model's weights";

const isPickled = (path: string): boolean => /\.(bin|pt|pth|ckpt)$/.test(path);

/** Opens one file of tensors by its format: pickles by the restricted reader. No element is read. */
function openTensors(path: string): Promise<SafetensorsFile> {
  return isPickled(path) ? openPickledWeights(path) : openSafetensors(path);
}

/** Whether there is a checkpoint of a model. */
export async function hasCheckpoint(files: ModelFiles): Promise<boolean> {
  return (await Promise.all(checkpoints.map((name) => files.has(name)))).includes(true);
}

/**
 * Opens a model's checkpoint: model.safetensors, or the shards that its index names where there is no single file; where
 * there is neither, pytorch_model.bin or its shards. What is of the Hub is brought; no element is read.
 * @throws GraftError `file-not-found` where there are no weights, `lfs-pointer`, `invalid-safetensors`, `invalid-json`,
 *   `pickle-refused`, `invalid-pickle`
 */
export async function openWeights(files: ModelFiles): Promise<SafetensorsFile> {
  for (const name of checkpoints) {
    if (!(await files.has(name))) continue;
    if (!name.endsWith(".json")) return openTensors(await files.path(name, PURPOSE));
    return openIndexed(await files.text(name, PURPOSE), files, files.place(name));
  }
  return openSafetensors(await files.path("model.safetensors", PURPOSE));
}

async function openIndexed(text: string, files: ModelFiles, where: string): Promise<SafetensorsFile> {
  await files.fetch(shardNames(text, where) as ShardName[]);
  return openShards(text, where, openTensors, async (shard) => {
    const name = shard as ShardName;
    return (await files.has(name)) ? files.path(name, PURPOSE) : undefined;
  });
}

/**
 * One file's tensors as its header says: by range requests where it is of the Hub and not in the cache, but for a pickle,
 * which has no header and is brought.
 * @throws GraftError as `openWeights`
 */
async function readHeaders(files: ModelFiles, name: ModelFileName | ShardName): Promise<SafetensorsFile> {
  const ranges = isPickled(name) ? undefined : await files.ranges(name);
  return ranges === undefined ? openTensors(await files.path(name, "its tensors")) : readSafetensorsHeader(ranges);
}

/**
 * The tensors of a model's checkpoint, each file as in `readHeaders`; undefined where there is none.
 * @throws GraftError as `openWeights`
 */
export async function readWeightHeaders(files: ModelFiles): Promise<SafetensorsFile | undefined> {
  for (const name of checkpoints) {
    if (!(await files.has(name))) continue;
    if (!name.endsWith(".json")) return readHeaders(files, name);
    const there = async (shard: string) => ((await files.has(shard as ShardName)) ? shard : undefined);
    const open = (shard: string) => readHeaders(files, shard as ShardName);
    return openShards(await files.text(name, PURPOSE), files.place(name), open, there);
  }
  return undefined;
}

/**
 * Opens a file of tensors (safetensors, or pickled by torch), or the shards beside an index (`*.index.json`), by its path.
 * @throws GraftError as `openWeights`
 */
export async function openWeightsFile(path: string): Promise<SafetensorsFile> {
  await refusePointer(path);
  if (!path.endsWith(".index.json")) return openTensors(path);
  const files = new ModelFiles(new FolderSource(platform.dirname(path)));
  return openIndexed(await platform.readText(path), files, path);
}
