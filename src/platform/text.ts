import { GraftError } from "../errors.js";

/**
 * Decodes UTF-8 strictly.
 * @throws GraftError `file-access` naming `path` when the bytes are not UTF-8.
 */
export function decodeText(bytes: Uint8Array, path: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (error) {
    throw new GraftError(
      "file-access",
      `${path} is not UTF-8 text`,
      "Save it as UTF-8, or check that it is the file you meant.",
      { cause: error },
    );
  }
}

/** The error for a range that does not lie inside its file. */
export function rangeError(path: string, offset: number, length: number, size: number): GraftError {
  return new GraftError(
    "file-access",
    `${path} has ${size} bytes, but ${length} bytes from offset ${offset} were asked for`,
    "The file is truncated or changed while it was read: fetch it again.",
  );
}
