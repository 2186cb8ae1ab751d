import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";

export const goldenFolder = fileURLToPath(new URL("../golden/data/", import.meta.url));

/** One file of test/golden/data that is JSON in gzip. */
export function readGolden<T>(name: string): T {
  return JSON.parse(gunzipSync(readFileSync(goldenFolder + name)).toString("utf8"));
}

const crcTable = Uint32Array.from({ length: 256 }, (_, n) => {
  let c = n;
  for (let k = 0; k < 8; k++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
  return c;
});

function crc32(bytes: Uint8Array): number {
  let c = 0xffffffff;
  for (const byte of bytes) c = crcTable[(c ^ byte) & 255]! ^ (c >>> 8);
  return (c ^ 0xffffffff) >>> 0;
}

/** zlib's CRC-32 of numbers as little-endian int32, as the reference scripts compute it. */
export function numbersChecksum(values: ArrayLike<number>): number {
  return crc32(new Uint8Array(Int32Array.from(values).buffer));
}

export function textChecksum(text: string): number {
  return crc32(new TextEncoder().encode(text));
}

/** Models and charsmaps that the files of the goldens share by name. */
export interface SharedParts {
  readonly models: Record<string, object>;
  readonly charsmaps: Record<string, string>;
}

/** A tokenizer.json of a golden with its model and charsmap put in. */
export function wholeFile(file: { readonly model: string }, parts: SharedParts): Record<string, unknown> {
  const text = JSON.stringify(file, (key, value: unknown) =>
    key === "precompiled_charsmap" ? parts.charsmaps[String(value)] : value,
  );
  return { ...JSON.parse(text), model: parts.models[file.model] };
}
