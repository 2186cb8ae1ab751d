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

/** Bytes that lie somewhere, read in parts. */
export interface ByteRanges {
  /** Where they lie, for messages and for whoever reads elements. */
  readonly path: string;
  readonly version: string;
  readonly size: number;
  read(offset: number, length: number): Promise<Uint8Array>;
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
  const size = await platform.fileSize(file);
  const read = (offset: number, length: number) => platform.readRange(file, offset, length);
  return readSafetensorsHeader({ path: file, version, size, read }, path);
}

/** The header of a safetensors file, wherever it lies. @param path names it in messages @throws GraftError as `openSafetensors` */
export async function readSafetensorsHeader(bytes: ByteRanges, path = bytes.path): Promise<SafetensorsFile> {
  const { size: fileSize, version, path: file } = bytes;
  if (fileSize < 8) throw formatError(path, `it has ${fileSize} bytes, too few for the length of a header`);
  const lengthBytes = await bytes.read(0, 8);
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
  const headerBytes = await bytes.read(8, Number(headerLength));
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
