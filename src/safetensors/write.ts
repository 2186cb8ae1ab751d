import { platform } from "#platform";
import { GraftError } from "../errors.js";
import { bytesOf, bytesPerElement, type DType, elementCount, type TensorData } from "../tensor-data.js";
import { safetensorsNames, writingOrder } from "./dtypes.js";
import { METADATA_KEY } from "./header.js";

/** A tensor that is made only when its turn to be written comes, so that a large model never lies in memory whole. */
export interface LazyTensor {
  readonly dtype: DType;
  readonly shape: readonly number[];
  load(): Promise<TensorData>;
}

export type WritableTensor = TensorData | LazyTensor;

const byteLengthOf = ({ dtype, shape }: WritableTensor) => elementCount(shape) * bytesPerElement(dtype);

/** Order of the UTF-8 bytes, which is the order of code points. */
function compareNames(left: string, right: string): number {
  const a = [...left];
  const b = [...right];
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    const difference = (a[i]?.codePointAt(0) ?? 0) - (b[i]?.codePointAt(0) ?? 0);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

function checkText(text: string): void {
  if (/\p{Surrogate}/u.test(text)) {
    throw new GraftError(
      "invalid-argument",
      `${JSON.stringify(text)} cannot be written as UTF-8: it holds half a surrogate pair`,
      "Use well-formed text for tensor names and metadata.",
    );
  }
}

function layOut(tensors: ReadonlyMap<string, WritableTensor>): [string, WritableTensor][] {
  for (const [name, tensor] of tensors) {
    checkText(name);
    if (name === METADATA_KEY) {
      throw new GraftError("invalid-argument", `no tensor may be named ${METADATA_KEY}`, "Give it another name.");
    }
    if ("data" in tensor && bytesOf(tensor).length !== byteLengthOf(tensor)) {
      throw new GraftError(
        "shape-mismatch",
        `tensor ${name} of shape [${tensor.shape}] holds ${tensor.data.length} elements`,
        "Give data and shape of the same tensor.",
      );
    }
  }
  return [...tensors].sort(
    ([leftName, left], [rightName, right]) =>
      writingOrder.indexOf(left.dtype) - writingOrder.indexOf(right.dtype) || compareNames(leftName, rightName),
  );
}

function encodeHeader(ordered: [string, WritableTensor][], metadata: Readonly<Record<string, string>>): Uint8Array {
  const fields: string[] = [];
  const keys = Object.keys(metadata);
  if (keys.length > 0) {
    for (const key of keys) checkText(key + metadata[key]);
    fields.push(`"${METADATA_KEY}":${JSON.stringify(metadata)}`);
  }
  let begin = 0;
  for (const [name, tensor] of ordered) {
    const end = begin + byteLengthOf(tensor);
    const description = { dtype: safetensorsNames[tensor.dtype], shape: tensor.shape, data_offsets: [begin, end] };
    fields.push(`${JSON.stringify(name)}:${JSON.stringify(description)}`);
    begin = end;
  }
  const json = new TextEncoder().encode(`{${fields.join(",")}}`);
  // Spaces up to a multiple of 8 keep the elements aligned in a mapped file.
  const padded = new Uint8Array(8 + Math.ceil(json.length / 8) * 8).fill(0x20);
  new DataView(padded.buffer).setBigUint64(0, BigInt(padded.length - 8), true);
  padded.set(json, 8);
  return padded;
}

async function* pieces(header: Uint8Array, ordered: [string, WritableTensor][]): AsyncGenerator<Uint8Array> {
  yield header;
  for (const [name, source] of ordered) {
    const tensor = "load" in source ? await source.load() : source;
    const bytes = bytesOf(tensor);
    if (tensor.dtype !== source.dtype || bytes.length !== byteLengthOf(source)) {
      throw new GraftError(
        "shape-mismatch",
        `tensor ${name} was announced as ${source.dtype} [${source.shape}] and came as ${tensor.dtype} [${tensor.shape}]`,
        "A lazily loaded tensor must keep its dtype and shape.",
      );
    }
    yield bytes;
  }
}

/**
 * Writes a safetensors file, whole or not at all, byte for byte as the reference writer does: tensors by width of
 * their dtype, then by name; metadata keys keep their order.
 * @throws GraftError `invalid-argument`, `shape-mismatch`, `file-access`, `disk-full`
 */
export async function writeSafetensors(
  path: string,
  tensors: ReadonlyMap<string, WritableTensor>,
  metadata: Readonly<Record<string, string>> = {},
): Promise<void> {
  const ordered = layOut(tensors);
  await platform.writeFileAtomic(path, pieces(encodeHeader(ordered, metadata), ordered));
}
