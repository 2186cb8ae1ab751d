import { GraftError } from "../errors.js";
import { isJsonObject, parseJson, shown } from "../json.js";
import type { SafetensorsEntry } from "./header.js";
import type { SafetensorsFile } from "./read.js";

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
    if (typeof file !== "string" || !/^[^/\\]+\.(safetensors|bin)$/.test(file)) {
      throw indexError(path, `tensor ${name} is said to be in ${shown(file)}, not a file of tensors beside it`);
    }
    checked.set(name, file);
  }
  if (checked.size === 0) throw indexError(path, "its weight_map is empty");
  return checked;
}

/** The files that an index names, sorted. @throws GraftError `invalid-json`, `invalid-safetensors` */
export function shardNames(text: string, where: string): string[] {
  return [...new Set(readWeightMap(parseJson(text, where), where).values())].sort();
}

/**
 * Opens the shards that the text of a `model.safetensors.index.json` (or `pytorch_model.bin.index.json`) lists and joins their headers. Every shard is
 * checked, and every name of the weight map must be in its shard. The index decides: tensors that it does not place in a
 * shard, which tools leave behind there, are passed over.
 * @param where names the index in messages
 * @param open opens one shard
 * @param locate the path of a shard; undefined where there is none
 * @throws GraftError as `open`, and `invalid-json`
 */
export async function openShards(
  text: string,
  where: string,
  open: (path: string) => Promise<SafetensorsFile>,
  locate: (shard: string) => Promise<string | undefined>,
): Promise<SafetensorsFile> {
  const weightMap = readWeightMap(parseJson(text, where), where);
  const entries = new Map<string, SafetensorsEntry>();
  const unreadable = new Map<string, string>();
  const files: string[] = [];
  let metadata: Readonly<Record<string, string>> = {};
  for (const shardName of [...new Set(weightMap.values())].sort()) {
    const path = await locate(shardName);
    if (path === undefined) throw indexError(where, `the shard ${shardName} does not exist`);
    const shard = await open(path);
    files.push(...shard.files);
    metadata = { ...shard.metadata, ...metadata };
    const isPlacedHere = (name: string): boolean => weightMap.get(name) === shardName;
    for (const [name, entry] of shard.entries) if (isPlacedHere(name)) entries.set(name, entry);
    for (const [name, dtype] of shard.unreadable) if (isPlacedHere(name)) unreadable.set(name, dtype);
  }
  for (const [name, shardName] of weightMap) {
    if (entries.has(name) || unreadable.has(name)) continue;
    throw indexError(where, `tensor ${name} is missing from ${shardName}`);
  }
  return { files, entries, unreadable, metadata };
}
