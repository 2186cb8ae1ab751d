import { platform } from "#platform";
import { openSafetensors, readSafetensorsHeader, type SafetensorsFile } from "../safetensors/read.js";
import { openShardedSafetensors, shardNames } from "../safetensors/sharded.js";
import type { ModelFileName, ShardName } from "./file-names.js";
import { FolderSource } from "./files-source.js";
import { ModelFiles, refusePointer } from "./model-files.js";

/**
 * Opens a model's checkpoint: model.safetensors, or the shards that its index names where there is no single file. No
 * element is read.
 * @throws GraftError `file-not-found` where there are no weights, `lfs-pointer`, `invalid-safetensors`, `invalid-json`
 */
export async function openWeights(files: ModelFiles): Promise<SafetensorsFile> {
  const purpose = "the model's weights";
  const isSharded = !(await files.has("model.safetensors")) && (await files.has("model.safetensors.index.json"));
  if (!isSharded) return openSafetensors(await files.path("model.safetensors", purpose));
  const text = await files.text("model.safetensors.index.json", purpose);
  return openShards(text, files, files.place("model.safetensors.index.json"));
}

async function openShards(text: string, files: ModelFiles, where: string): Promise<SafetensorsFile> {
  await files.fetch(shardNames(text, where) as ShardName[]);
  return openShardedSafetensors(text, where, async (shard) => {
    const name = shard as ShardName;
    return (await files.has(name)) ? files.path(name, "the model's weights") : undefined;
  });
}

/** One file's header: by range requests where it is of the Hub and not in the cache. */
async function headerOf(files: ModelFiles, name: ModelFileName | ShardName): Promise<SafetensorsFile> {
  const ranges = await files.ranges(name);
  return ranges === undefined ? openSafetensors(await files.path(name, "its tensors")) : readSafetensorsHeader(ranges);
}

/**
 * The tensors of an adapter or a model as its headers say, without bringing weights from the Hub; undefined where there
 * are none.
 * @throws GraftError as `openWeights`
 */
export async function readWeightHeaders(files: ModelFiles): Promise<SafetensorsFile | undefined> {
  for (const name of ["adapter_model.safetensors", "model.safetensors"] as const) {
    if (await files.has(name)) return headerOf(files, name);
  }
  const index = "model.safetensors.index.json";
  if (!(await files.has(index))) return undefined;
  const there = async (shard: string) => ((await files.has(shard as ShardName)) ? shard : undefined);
  const text = await files.text(index, "the model's weights");
  return openShardedSafetensors(text, files.place(index), there, (shard) => headerOf(files, shard as ShardName));
}

/**
 * Opens a safetensors file, or the shards beside an index (`*.index.json`), by its path.
 * @throws GraftError as `openWeights`
 */
export async function openWeightsFile(path: string): Promise<SafetensorsFile> {
  await refusePointer(path);
  if (!path.endsWith(".index.json")) return openSafetensors(path);
  return openShards(await platform.readText(path), new ModelFiles(new FolderSource(platform.dirname(path))), path);
}
