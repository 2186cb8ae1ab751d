import { GraftError } from "../errors.js";
import { findJsonFault, isJsonObject, parseJson, shown } from "../json.js";
import { bytesPerElement, type DType } from "../tensor-data.js";
import { dtypeOfName, unreadableBits } from "./dtypes.js";

/** One tensor of a file: where its elements lie, before any of them is read. */
export interface SafetensorsEntry {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
  /** Real path of the file (links resolved), fit for memory mapping. */
  readonly file: string;
  /** The file's version when its header was read: offsets say nothing about a file that was written anew. */
  readonly version: string;
  /** First byte, counted from the start of the file. */
  readonly offset: number;
  readonly byteLength: number;
  /** Of elements that do not lie in row-major order from `offset` on (views in pickles): reads them, and puts them in order. */
  readonly gather?: () => Promise<Uint8Array>;
}

/** What is known of a file before its header is read. */
export interface OpenedFile {
  /** Real path, for the entries and the messages. */
  readonly path: string;
  readonly version: string;
  /** Where the elements begin: 8 + the header's length. */
  readonly dataStart: number;
  readonly fileSize: number;
}

/** What a header says. */
export interface SafetensorsHeader {
  readonly entries: ReadonlyMap<string, SafetensorsEntry>;
  /** Tensors of dtypes that Graft does not read, with the format's names of these: no fault unless one is needed. */
  readonly unreadable: ReadonlyMap<string, string>;
  readonly metadata: Readonly<Record<string, string>>;
}

export const METADATA_KEY = "__metadata__";

const FETCH_AGAIN = "The file is damaged or was cut off on the way: fetch or write it again.";

/** The error for a file that breaks the format's rules. */
export function formatError(path: string, fault: string, hint = FETCH_AGAIN): GraftError {
  return new GraftError("invalid-safetensors", `${path} is not a valid safetensors file: ${fault}`, hint);
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function readMetadata(value: unknown, path: string): Record<string, string> {
  // Some writers (MLX) spell "no metadata" as null, and the reference reader takes it.
  if (value === null) return {};
  if (!isJsonObject(value)) throw formatError(path, `${METADATA_KEY} is not an object`);
  for (const [key, text] of Object.entries(value)) {
    if (typeof text !== "string") throw formatError(path, `${METADATA_KEY}.${key} is not a string`);
  }
  return value as Record<string, string>;
}

/** The error for a needed tensor whose dtype Graft does not read. */
export function unreadableTensor(name: string, dtype: string, path: string): GraftError {
  return new GraftError(
    "unsupported",
    `tensor ${name} of ${path} has dtype ${dtype}, which Graft does not read`,
    "Convert the checkpoint to F32, F16 or BF16.",
  );
}

function readShape(value: unknown, name: string, path: string): number[] {
  if (!Array.isArray(value) || !value.every(isCount)) {
    throw formatError(path, `tensor ${name} has the shape ${shown(value)}, not a list of whole numbers >= 0`);
  }
  return value;
}

/** Bytes of a tensor; `undefined` when the product leaves the exact integers. */
function sizeInBytes(shape: readonly number[], bits: number): number | undefined {
  if (shape.includes(0)) return 0;
  let size = bits;
  for (const dim of shape) {
    size *= dim;
    if (!Number.isSafeInteger(size)) return undefined;
  }
  return Math.ceil(size / 8);
}

/** What stands where in the file. */
type Extent = Pick<SafetensorsEntry, "name" | "offset" | "byteLength">;

/** A tensor's description: an entry, or, for a dtype without arrays, its name. */
function readEntry(
  name: string,
  value: unknown,
  { path, version, dataStart }: OpenedFile,
): SafetensorsEntry | (Extent & { readonly unreadable: string }) {
  if (!isJsonObject(value)) throw formatError(path, `the description of tensor ${name} is not an object`);
  const spelled = value.dtype;
  const unknown = () => formatError(path, `tensor ${name} has the unknown dtype ${shown(spelled)}`);
  if (typeof spelled !== "string") throw unknown();
  const dtype = dtypeOfName(spelled);
  const bits = dtype ? 8 * bytesPerElement(dtype) : unreadableBits.get(spelled);
  if (bits === undefined) throw unknown();
  const shape = readShape(value.shape, name, path);
  const offsets = value.data_offsets;
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isCount) || offsets[0] > offsets[1]) {
    throw formatError(path, `tensor ${name} has the data_offsets ${shown(offsets)}, not [begin, end]`);
  }
  const [begin, end] = offsets as [number, number];
  const needed = sizeInBytes(shape, bits);
  if (needed !== end - begin) {
    throw formatError(
      path,
      `tensor ${name} of shape [${shape}] and dtype ${dtype ?? spelled} needs ${needed ?? "far too many"} bytes, ` +
        `but its data_offsets [${begin}, ${end}] span ${end - begin}`,
    );
  }
  const extent = { name, offset: dataStart + begin, byteLength: end - begin };
  return dtype ? { ...extent, dtype, shape, file: path, version } : { ...extent, unreadable: spelled };
}

/** Tensors must fill the data part exactly: no overlap, no gap, nothing behind the last. */
function checkCoverage(entries: Iterable<Extent>, { path, dataStart, fileSize }: OpenedFile): void {
  const ordered = [...entries].sort((a, b) => a.offset - b.offset || a.byteLength - b.byteLength);
  let covered = dataStart;
  let previous = "the header";
  for (const { name, offset, byteLength } of ordered) {
    if (offset + byteLength > fileSize) {
      throw formatError(path, `tensor ${name} ends at byte ${offset + byteLength}, but the file has ${fileSize} bytes`);
    }
    if (offset < covered) throw formatError(path, `tensor ${name} overlaps ${previous}`);
    if (offset > covered) {
      throw formatError(path, `${offset - covered} bytes between ${previous} and tensor ${name} belong to no tensor`);
    }
    covered = offset + byteLength;
    previous = `tensor ${name}`;
  }
  if (covered !== fileSize)
    throw formatError(path, `${fileSize - covered} bytes behind ${previous} belong to no tensor`);
}

/**
 * Reads and checks a header: every rule of the format, as the reference reader applies them, and unique names besides.
 * @throws GraftError `invalid-safetensors` naming the tensor
 */
export function parseHeader(bytes: Uint8Array, file: OpenedFile): SafetensorsHeader {
  const { path } = file;
  if (bytes[0] !== 0x7b) throw formatError(path, "its header does not begin with {");
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw formatError(path, "its header is not UTF-8 text");
  }
  const fault = findJsonFault(text, true);
  if (fault)
    throw formatError(path, `its header is not the JSON that it should be: ${fault.reason} (byte ${8 + fault.offset})`);
  const header = parseJson(text, `the header of ${path}`) as Record<string, unknown>;
  const entries = new Map<string, SafetensorsEntry>();
  const unreadable = new Map<string, string>();
  const extents: Extent[] = [];
  let metadata: Record<string, string> = {};
  for (const [name, value] of Object.entries(header)) {
    if (name === METADATA_KEY) {
      metadata = readMetadata(value, path);
      continue;
    }
    const entry = readEntry(name, value, file);
    extents.push(entry);
    if ("unreadable" in entry) unreadable.set(name, entry.unreadable);
    else entries.set(name, entry);
  }
  checkCoverage(extents, file);
  return { entries, unreadable, metadata };
}
