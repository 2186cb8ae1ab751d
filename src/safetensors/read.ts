import { platform } from "#platform";
import { GraftError } from "../errors.js";
import { arrayFromBytes, type TensorData, tensorData } from "../tensor-data.js";
import { formatError, parseHeader, type SafetensorsEntry, type SafetensorsHeader } from "./header.js";

/** Largest header that the format allows. */
const LARGEST_HEADER = 100_000_000;

/** A file or a set of shards whose headers have been read and checked; no element has been read. */
export interface SafetensorsFile extends SafetensorsHeader {
  /** Real paths of the files, in order. */
  readonly files: readonly string[];
}

/**
 * Opens a safetensors file: reads the header only and checks all of it.
 * @throws GraftError `file-not-found`, `file-access`, `invalid-safetensors`
 */
export async function openSafetensors(path: string): Promise<SafetensorsFile> {
  if (await platform.isDirectory(path)) {
    throw new GraftError("file-access", `${path} is a folder, not a safetensors file`, "Name the file inside it.");
  }
  const file = await platform.realPath(path);
  const version = await platform.fileVersion(file);
  const fileSize = await platform.fileSize(file);
  if (fileSize < 8) throw formatError(path, `it has ${fileSize} bytes, too few for the length of a header`);
  const lengthBytes = await platform.readRange(file, 0, 8);
  const headerLength = new DataView(lengthBytes.buffer, lengthBytes.byteOffset, 8).getBigUint64(0, true);
  if (headerLength > BigInt(LARGEST_HEADER)) {
    throw formatError(
      path,
      `it claims a header of ${headerLength} bytes, more than the format's limit of ${LARGEST_HEADER}`,
      "Check that it is a safetensors file and not another format under that name.",
    );
  }
  const dataStart = 8 + Number(headerLength);
  if (dataStart > fileSize) {
    throw formatError(path, `its header should have ${headerLength} bytes, but the file ends after ${fileSize - 8}`);
  }
  const headerBytes = await platform.readRange(file, 8, Number(headerLength));
  return { files: [file], ...parseHeader(headerBytes, { path: file, version, dataStart, fileSize }) };
}

/**
 * Reads one tensor's elements.
 * @throws GraftError `file-access` when the file has become shorter since it was opened
 */
export async function readTensor(entry: SafetensorsEntry): Promise<TensorData> {
  const { file, offset, byteLength, gather } = entry;
  const bytes = await (gather ? gather() : platform.readRange(file, offset, byteLength));
  return tensorData(entry.dtype, entry.shape, arrayFromBytes(entry.dtype, bytes));
}

/** Reads every tensor of a file, in the header's order. */
export async function readAllTensors(file: SafetensorsFile): Promise<Map<string, TensorData>> {
  const tensors = new Map<string, TensorData>();
  for (const [name, entry] of file.entries) tensors.set(name, await readTensor(entry));
  return tensors;
}
