import { GraftError } from "../errors.js";
import { decodeText, rangeError } from "./text.js";
import type { DirectoryEntry, FileContents, Platform } from "./types.js";
import { fetchExists, fetchFile, fetchRange, fetchSize } from "./web-fetch.js";
import { dirname, join, normalise } from "./web-paths.js";

/** The page's files, by normalised path. */
const files = new Map<string, Uint8Array>();
let temporaryFolders = 0;

function isBelow(path: string, folder: string): boolean {
  return folder === "." ? !path.startsWith("/") : path.startsWith(folder === "/" ? "/" : `${folder}/`);
}

function hasFolder(folder: string): boolean {
  for (const path of files.keys()) if (isBelow(path, folder)) return true;
  return false;
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
  return files.get(path) ?? fetchFile(path);
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
  if (offset < 0 || length < 0 || offset + length > stored.length) {
    throw rangeError(path, offset, length, stored.length);
  }
  return stored.slice(offset, offset + length);
}

async function fileSize(given: string): Promise<number> {
  const path = normalise(given);
  const stored = files.get(path);
  if (stored) return stored.length;
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
    for (const [name, bytes] of [...files]) {
      if (isBelow(name, temporary)) files.set(path + name.slice(temporary.length), bytes);
    }
  } finally {
    remove(temporary);
  }
}

/** Files of a page: a store in memory, with URLs behind it. Writing goes to the store. */
export const webFiles: Pick<
  Platform,
  | "readFile"
  | "readText"
  | "readRange"
  | "fileSize"
  | "exists"
  | "isDirectory"
  | "listDirectory"
  | "realPath"
  | "makeDirectory"
  | "makeTemporaryDirectory"
  | "writeFileAtomic"
  | "writeFolderAtomic"
  | "appendFile"
  | "remove"
  | "mountFile"
> = {
  readFile,
  readText: async (path) => decodeText(await readFile(path), path),
  readRange,
  fileSize,
  exists: async (path) => files.has(normalise(path)) || hasFolder(normalise(path)) || fetchExists(normalise(path)),
  isDirectory: async (path) => hasFolder(normalise(path)),
  listDirectory: async (path) => listDirectory(path),
  realPath: async (path) => normalise(path),
  makeDirectory: async () => {},
  makeTemporaryDirectory: async (prefix) => `/tmp/${prefix}${++temporaryFolders}`,
  writeFileAtomic: async (path, contents) => {
    files.set(normalise(path), await collect(contents));
  },
  writeFolderAtomic,
  appendFile: async (given, text) => {
    const path = normalise(given);
    files.set(path, await collect([files.get(path) ?? new Uint8Array(0), new TextEncoder().encode(text)]));
  },
  remove: async (path) => remove(path),
  mountFile: (path, bytes) => {
    files.set(normalise(path), bytes);
  },
};
