import { platform } from "#platform";
import { GraftError } from "../errors.js";
import { isJsonObject, parseJson, shown } from "../json.js";
import type { SafetensorsEntry } from "./header.js";
import { openSafetensors, type SafetensorsFile } from "./read.js";

function indexError(path: string, fault: string): GraftError {
  return new GraftError(
    "invalid-safetensors",
    `${path} is not a valid index of shards: ${fault}`,
    "Index and shards must come from the same save: fetch or write all of them again.",
  );
}

/** Tensor name -> file name, checked. */
function readWeightMap(index: unknown, path: string): Map<string, string> {
  const map = isJsonObject(index) ? index.weight_map : undefined;
  if (!isJsonObject(map)) throw indexError(path, "it has no weight_map");
  const checked = new Map<string, string>();
  for (const [name, file] of Object.entries(map)) {
    if (typeof file !== "string" || !/^[^/\\]+\.safetensors$/.test(file)) {
      throw indexError(path, `tensor ${name} is said to be in ${shown(file)}, not a safetensors file beside it`);
    }
    checked.set(name, file);
  }
  if (checked.size === 0) throw indexError(path, "its weight_map is empty");
  return checked;
}

/**
 * Opens the shards that `model.safetensors.index.json` lists and joins their headers. Every shard is checked, every
 * name of the weight map must be in its shard, and no shard may hold a name that the map does not place there.
 * @throws GraftError as `openSafetensors`, and `invalid-json`
 */
export async function openShardedSafetensors(indexPath: string): Promise<SafetensorsFile> {
  const index = parseJson(await platform.readText(indexPath), indexPath);
  const weightMap = readWeightMap(index, indexPath);
  const folder = platform.dirname(indexPath);
  const entries = new Map<string, SafetensorsEntry>();
  const files: string[] = [];
  let metadata: Readonly<Record<string, string>> = {};
  for (const shardName of [...new Set(weightMap.values())].sort()) {
    const path = platform.join(folder, shardName);
    if (!(await platform.exists(path))) throw indexError(indexPath, `the shard ${shardName} does not exist`);
    const shard = await openSafetensors(path);
    files.push(...shard.files);
    metadata = { ...shard.metadata, ...metadata };
    for (const [name, entry] of shard.entries) {
      const place = weightMap.get(name);
      if (place !== shardName) {
        throw indexError(
          indexPath,
          `${shardName} holds tensor ${name}, which the index ${place ? `places in ${place}` : "does not list"}`,
        );
      }
      entries.set(name, entry);
    }
  }
  for (const [name, shardName] of weightMap) {
    if (!entries.has(name)) throw indexError(indexPath, `tensor ${name} is missing from ${shardName}`);
  }
  return { files, entries, metadata };
}

/** Opens `model.safetensors` or `model.safetensors.index.json`, told apart by the name. */
export function openCheckpoint(path: string): Promise<SafetensorsFile> {
  return path.endsWith(".index.json") ? openShardedSafetensors(path) : openSafetensors(path);
}
