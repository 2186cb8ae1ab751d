import { type FileHandle, open, readdir, readFile, realpath, stat } from "node:fs/promises";
import { join } from "node:path";
import { explained } from "./node-errors.js";
import { slashed } from "./node-paths.js";
import { decodeText, rangeError } from "./text.js";
import type { FileReading } from "./types.js";

/** Most bytes of one read call; Node refuses 2 GiB and more. */
const LARGEST_READ = 1 << 30;

/** @throws GraftError `file-access` for a range that the file has not */
async function requireRange(file: FileHandle, path: string, offset: number, length: number): Promise<void> {
  const { size } = await file.stat();
  const within = Number.isSafeInteger(offset) && Number.isSafeInteger(length) && offset >= 0 && length >= 0;
  if (!within || offset + length > size) throw rangeError(path, offset, length, size);
}

async function fill(file: FileHandle, path: string, offset: number, bytes: Uint8Array): Promise<void> {
  const length = bytes.byteLength;
  let done = 0;
  while (done < length) {
    const { bytesRead } = await file.read(bytes, done, Math.min(length - done, LARGEST_READ), offset + done);
    if (bytesRead === 0) throw rangeError(path, offset, length, offset + done);
    done += bytesRead;
  }
}

async function readFully(file: FileHandle, path: string, offset: number, length: number): Promise<Uint8Array> {
  await requireRange(file, path, offset, length);
  const bytes = new Uint8Array(length);
  await fill(file, path, offset, bytes);
  return bytes;
}

async function withFile<T>(path: string, use: (file: FileHandle) => Promise<T>): Promise<T> {
  return explained("read", path, async () => {
    const file = await open(path, "r");
    try {
      return await use(file);
    } finally {
      await file.close();
    }
  });
}

/** Only what Node's own readFile refuses is read in pieces: pipes (`/dev/stdin`) have no size to trust. */
async function readWhole(path: string): Promise<Uint8Array> {
  return explained("read", path, async () => {
    const { size } = await stat(path);
    if (size >= LARGEST_READ) return withFile(path, (file) => readFully(file, path, 0, size));
    const bytes = await readFile(path);
    return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  });
}

/** Reading side of the file system. */
export const nodeReading: FileReading = {
  readFile: readWhole,

  readText: async (path) => decodeText(await readWhole(path), path),

  readRange: (path, offset, length) => withFile(path, (file) => readFully(file, path, offset, length)),

  readInto: (path, offset, bytes) =>
    withFile(path, async (file) => {
      await requireRange(file, path, offset, bytes.byteLength);
      await fill(file, path, offset, bytes);
    }),

  fileSize: (path) => explained("read", path, async () => (await stat(path)).size),

  fileVersion: (path) =>
    explained("read", path, async () => {
      const { size, mtimeNs, ino } = await stat(path, { bigint: true });
      return `${size} bytes, time ${mtimeNs}, inode ${ino}`;
    }),

  exists: (path) =>
    stat(path).then(
      () => true,
      () => false,
    ),

  isDirectory: (path) =>
    stat(path).then(
      (status) => status.isDirectory(),
      () => false,
    ),

  listDirectory: (path) =>
    explained("list", path, async () => {
      const entries = await readdir(path, { withFileTypes: true });
      const isDirectory = async (name: string) => (await stat(join(path, name)).catch(() => undefined))?.isDirectory();
      const listed = entries.map(async (entry) => ({
        name: entry.name,
        isDirectory: entry.isSymbolicLink() ? ((await isDirectory(entry.name)) ?? false) : entry.isDirectory(),
      }));
      return (await Promise.all(listed)).sort((a, b) => (a.name < b.name ? -1 : 1));
    }),

  realPath: (path) => explained("read", path, async () => slashed(await realpath(path))),
};
