import { platform } from "#platform";
import type { SafetensorsEntry } from "../safetensors/header.js";
import type { SafetensorsFile } from "../safetensors/read.js";
import { entryOf, type StorageExtent } from "./entries.js";
import { damaged, refused } from "./faults.js";
import { legacyPickles, legacyStorages } from "./legacy.js";
import { type PickledTensors, stateDictOf } from "./state-dict.js";
import { EndOfBytes, Unpickler } from "./unpickle.js";
import { TorchZip } from "./zip.js";

/** How every zip begins. */
const ZIP_START = 0x04034b50;

interface Contents extends PickledTensors {
  readonly extents: ReadonlyMap<string, StorageExtent>;
}

async function readZip(path: string, size: number): Promise<Contents> {
  const zip = await TorchZip.open(path, size);
  if (zip.has("byteorder")) {
    const order = new TextDecoder().decode(await zip.read("byteorder"));
    if (order !== "little") throw refused(path, `elements in the order of bytes ${JSON.stringify(order.slice(0, 20))}`);
  }
  const { tensors, others } = stateDictOf(unpickled(await zip.read("data.pkl"), path), path);
  const extents = new Map<string, StorageExtent>();
  for (const { storage } of tensors.values()) {
    if (!extents.has(storage.key)) extents.set(storage.key, await zip.locate(`data/${storage.key}`));
  }
  return { tensors, others, extents };
}

function unpickled(bytes: Uint8Array, path: string) {
  try {
    return new Unpickler(bytes, 0, path).load();
  } catch (error) {
    if (error instanceof EndOfBytes) throw damaged(path, "its pickle ends too early");
    throw error;
  }
}

async function readLegacy(path: string, size: number): Promise<Contents> {
  const pickles = await legacyPickles(path, size);
  const { tensors, others } = stateDictOf(pickles.value, path);
  return { tensors, others, extents: await legacyStorages(pickles, tensors.values(), path, size) };
}

/**
 * Opens a file that torch.save wrote of tensors by name (a state dict), without running or importing anything of it: the
 * few opcodes and names that tensors need are interpreted, all else is refused by name. Checksums, sizes and strides are
 * compared with the file; no element is kept.
 * @returns the tensors as those of a safetensors file; values that are no tensors are among the unreadable ones
 * @throws GraftError `pickle-refused` naming what is not read, `invalid-pickle`, `file-not-found`, `file-access`
 */
export async function openPickledWeights(path: string): Promise<SafetensorsFile> {
  const file = await platform.realPath(path);
  const version = await platform.fileVersion(file);
  const size = await platform.fileSize(file);
  if (size < 4) throw damaged(path, `it has ${size} bytes`);
  const start = await platform.readRange(file, 0, 4);
  const isZip = new DataView(start.buffer, start.byteOffset, 4).getUint32(0, true) === ZIP_START;
  const { tensors, others, extents } = await (isZip ? readZip : readLegacy)(file, size);
  const entries = new Map<string, SafetensorsEntry>();
  for (const [name, tensor] of tensors) {
    const extent = extents.get(tensor.storage.key);
    if (!extent) throw damaged(path, `it lacks the storage of tensor ${name}`);
    entries.set(name, entryOf(name, tensor, extent, { file, version }));
  }
  return { files: [file], entries, unreadable: others, metadata: {} };
}
