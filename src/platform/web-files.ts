import { GraftError, messageOf } from "../errors.js";
import { decodeText, rangeError } from "./text.js";
import type { DirectoryEntry, FileContents, FileReading, FileWriting } from "./types.js";
import { fetchExists, fetchFile, fetchRange, fetchSize } from "./web-fetch.js";
import { dirname, join, normalise } from "./web-paths.js";

type Stored = Uint8Array | Blob;

/** The page's files, by normalised path. */
const files = new Map<string, Stored>();
let temporaryFolders = 0;

function isBelow(path: string, folder: string): boolean {
  return folder === "." ? !path.startsWith("/") : path.startsWith(folder === "/" ? "/" : `${folder}/`);
}

function hasFolder(folder: string): boolean {
  for (const path of files.keys()) if (isBelow(path, folder)) return true;
  return false;
}

const sizeOf = (stored: Stored): number => (stored instanceof Blob ? stored.size : stored.length);

/** The bytes of a stored file; those of a picked one may have changed or gone on the disk behind it. */
async function bytesOf(stored: Stored, path: string): Promise<Uint8Array> {
  if (!(stored instanceof Blob)) return stored;
  try {
    return new Uint8Array(await stored.arrayBuffer());
  } catch (error) {
    throw new GraftError(
      "file-access",
      `cannot read ${path}: ${messageOf(error)}`,
      "The picked file was changed, moved or removed: pick it again.",
      { cause: error },
    );
  }
}

async function collect(contents: FileContents): Promise<Uint8Array> {
  if (typeof contents === "string") return new TextEncoder().encode(contents);
  if (contents instanceof Uint8Array) return contents.slice();
  const pieces: Uint8Array[] = [];
  for await (const piece of contents) pieces.push(piece.slice());
  const bytes = new Uint8Array(pieces.reduce((total, piece) => total + piece.length, 0));
  let offset = 0;
  for (const piece of pieces) {
    bytes.set(piece, offset);
    offset += piece.length;
  }
  return bytes;
}

async function readFile(given: string): Promise<Uint8Array> {
  const path = normalise(given);
  const stored = files.get(path);
  return stored ? bytesOf(stored, path) : fetchFile(path);
}

async function readRange(given: string, offset: number, length: number): Promise<Uint8Array> {
  const path = normalise(given);
  let stored = files.get(path);
  if (!stored && length > 0) {
    const { bytes, whole } = await fetchRange(path, offset, length);
    if (!whole) {
      if (bytes.length !== length) throw rangeError(path, offset, length, offset + bytes.length);
      return bytes;
    }
    // The server sends all or nothing: keep it, or every tensor would fetch the whole file again.
    files.set(path, bytes);
    stored = bytes;
  }
  if (!stored) return new Uint8Array(0);
  if (offset < 0 || length < 0 || offset + length > sizeOf(stored)) {
    throw rangeError(path, offset, length, sizeOf(stored));
  }
  return bytesOf(stored.slice(offset, offset + length), path);
}

async function fileSize(given: string): Promise<number> {
  const path = normalise(given);
  const stored = files.get(path);
  if (stored) return sizeOf(stored);
  const stated = await fetchSize(path);
  if (stated !== undefined) return stated;
  const bytes = await fetchFile(path);
  files.set(path, bytes);
  return bytes.length;
}

function listDirectory(given: string): DirectoryEntry[] {
  const folder = normalise(given);
  const found = new Map<string, boolean>();
  for (const path of files.keys()) {
    if (!isBelow(path, folder)) continue;
    const rest = folder === "." ? path : path.slice(folder === "/" ? 1 : folder.length + 1);
    const [name, ...deeper] = rest.split("/");
    found.set(name as string, deeper.length > 0 || found.get(name as string) === true);
  }
  if (found.size === 0) {
    throw new GraftError("file-not-found", `no file is mounted below ${given}`, "Mount files with platform.mountFile.");
  }
  return [...found].map(([name, isDirectory]) => ({ name, isDirectory })).sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Files of a page, as they are read: a store in memory, with URLs behind it. */
export const webReading: FileReading = {
  readFile,
  readText: async (path) => decodeText(await readFile(path), path),
  readRange,
  readInto: async (path, offset, bytes) => bytes.set(await readRange(path, offset, bytes.byteLength)),
  fileSize,
  fileVersion: async () => "",
  exists: async (path) => files.has(normalise(path)) || hasFolder(normalise(path)) || fetchExists(normalise(path)),
  isDirectory: async (path) => hasFolder(normalise(path)),
  listDirectory: async (path) => listDirectory(path),
  realPath: async (path) => normalise(path),
};

function remove(given: string): void {
  const path = normalise(given);
  files.delete(path);
  for (const other of [...files.keys()]) if (isBelow(other, path)) files.delete(other);
}

async function writeFolderAtomic(given: string, fill: (temporaryPath: string) => Promise<void>): Promise<void> {
  const path = normalise(given);
  const temporary = join(dirname(path), `.tmp-${++temporaryFolders}`);
  try {
    await fill(temporary);
    remove(path);
    for (const [name, stored] of [...files]) {
      if (isBelow(name, temporary)) files.set(path + name.slice(temporary.length), stored);
    }
  } finally {
    remove(temporary);
  }
}

async function writeFilesInto(given: string, last: readonly string[], fill: (temporaryPath: string) => Promise<void>) {
  const folder = normalise(given);
  const temporary = join(folder, `.tmp-${++temporaryFolders}`);
  try {
    await fill(temporary);
    const complete = last.findIndex((name) => files.has(join(temporary, name)));
    for (const name of last.slice(0, complete)) files.delete(join(folder, name));
    for (const [name, stored] of [...files]) {
      if (isBelow(name, temporary)) files.set(folder + name.slice(temporary.length), stored);
    }
  } finally {
    remove(temporary);
  }
}

/** Files of a page, as they are written: all goes to the store. */
export const webWriting: FileWriting = {
  makeDirectory: async () => {},
  makeTemporaryDirectory: async (prefix) => `/tmp/${prefix}${++temporaryFolders}`,
  writeFileAtomic: async (path, contents) => {
    files.set(normalise(path), await collect(contents));
  },
  writeFolderAtomic,
  writeFilesInto,
  mendInterruptedWrites: async () => {},
  appendFile: async (given, contents) => {
    const path = normalise(given);
    const stored = files.get(path);
    const before = stored ? await bytesOf(stored, path) : new Uint8Array(0);
    files.set(path, await collect([before, await collect(contents)]));
  },
  remove: async (path) => remove(path),
  mountFile: (path, contents) => {
    files.set(normalise(path), contents);
  },
};
