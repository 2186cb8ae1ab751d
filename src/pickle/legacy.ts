import { platform } from "#platform";
import { bytesPerElement } from "../tensor-data.js";
import type { StorageExtent } from "./entries.js";
import { damaged, refused } from "./faults.js";
import { EndOfBytes, Unpickler } from "./unpickle.js";
import { PickledDict, PickledList, type PickledStorage, type PickledTensor, type Value } from "./values.js";

/** What torch began its files with before 1.6, and its version of them. */
const MAGIC = 0x1950a86a20f9469cfc6cn;
const PROTOCOL = 1001;

/** How much of the file is read for its pickles at first. */
const FIRST_BYTES = 1 << 20;

/** The pickles of a file of that time, and where the elements begin behind them. */
export interface LegacyPickles {
  readonly value: Value;
  readonly keys: readonly string[];
  readonly dataStart: number;
}

function readPickles(bytes: Uint8Array, path: string): LegacyPickles {
  const unpickler = new Unpickler(bytes, 0, path);
  if (unpickler.load() !== MAGIC) throw damaged(path, "it is a pickle, but not one of torch's");
  const protocol = unpickler.load();
  if (protocol !== PROTOCOL) throw refused(path, `torch's format ${String(protocol)}`);
  const system = unpickler.load();
  if (!(system instanceof PickledDict) || system.items.get("little_endian") !== true) {
    throw refused(path, "elements of a machine with another order of bytes");
  }
  const value = unpickler.load();
  const keys = unpickler.load();
  const names = keys instanceof PickledList ? keys.values : [];
  if (!names.every((key) => typeof key === "string")) throw damaged(path, "its list of storages holds no names");
  return { value, keys: names as string[], dataStart: unpickler.at };
}

/**
 * Reads the pickles at the start of a file in torch's format before 1.6.
 * @throws GraftError `invalid-pickle`, `pickle-refused`
 */
export async function legacyPickles(path: string, size: number): Promise<LegacyPickles> {
  for (let length = Math.min(size, FIRST_BYTES); ; length = Math.min(size, 2 * length)) {
    try {
      return readPickles(await platform.readRange(path, 0, length), path);
    } catch (error) {
      if (!(error instanceof EndOfBytes)) throw error;
      if (length >= size) throw damaged(path, "it ends within its pickles");
    }
  }
}

/**
 * Where each storage lies: behind the pickles, in the order of their list, the number of elements before each.
 * @throws GraftError `invalid-pickle`
 */
export async function legacyStorages(
  { keys, dataStart }: LegacyPickles,
  tensors: Iterable<PickledTensor>,
  path: string,
  size: number,
): Promise<Map<string, StorageExtent>> {
  const storages = new Map<string, PickledStorage>();
  for (const { storage } of tensors) storages.set(storage.key, storage);
  const extents = new Map<string, StorageExtent>();
  let at = dataStart;
  for (const key of keys) {
    const storage = storages.get(key);
    if (!storage) throw refused(path, `the storage ${key}, which belongs to no tensor`);
    if (at + 8 > size) throw damaged(path, `it ends before the storage ${key}`);
    const header = await platform.readRange(path, at, 8);
    const length = new DataView(header.buffer, header.byteOffset, 8).getBigInt64(0, true);
    if (length !== BigInt(storage.length)) {
      throw damaged(path, `the storage ${key} has ${length} elements, and not ${storage.length}`);
    }
    const byteLength = storage.length * bytesPerElement(storage.dtype);
    if (at + 8 + byteLength > size) throw damaged(path, `it ends within the storage ${key}`);
    extents.set(key, { offset: at + 8, byteLength });
    at += 8 + byteLength;
  }
  if (at !== size) throw damaged(path, `${size - at} bytes behind the last storage belong to none`);
  return extents;
}
