import { appendFile, type FileHandle, mkdtemp, open, readdir, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { GraftError } from "../errors.js";
import { explained } from "./node-errors.js";
import { makeFolder } from "./node-folders.js";
import { requireUsableNames } from "./node-paths.js";
import { mendInterruptedWrites, siblingName } from "./node-temporaries.js";
import type { FileContents, FileWriting } from "./types.js";

async function writePieces(file: FileHandle, contents: FileContents): Promise<void> {
  if (typeof contents === "string" || contents instanceof Uint8Array) {
    await file.writeFile(contents);
    return;
  }
  for await (const piece of contents) await file.writeFile(piece);
}

/** Makes a rename last over a power cut. Not every system lets a folder be opened; there the rename is all there is. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, "r").catch(() => undefined);
  if (!folder) return;
  try {
    await folder.sync();
  } catch {
    // Some network file systems refuse fsync on folders; the file's own bytes are safe already.
  } finally {
    await folder.close();
  }
}

async function writeFileAtomic(path: string, contents: FileContents): Promise<void> {
  const temporary = siblingName(path, "tmp");
  await explained("write", path, async () => {
    requireUsableNames(path);
    try {
      const file = await open(temporary, "wx");
      try {
        await writePieces(file, contents);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(temporary, path);
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
    await syncFolder(dirname(path));
  });
}

/**
 * Renames `temporary` to `path`; a folder in the way is moved aside first, put back on failure, then removed. A kill
 * between the two renames leaves it aside, from where `mendInterruptedWrites` brings it back.
 */
async function replaceFolder(temporary: string, path: string): Promise<void> {
  const aside = siblingName(path, "old");
  const hadOld = await rename(path, aside).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return false;
      throw error;
    },
  );
  try {
    await rename(temporary, path);
  } catch (error) {
    if (hadOld) await rename(aside, path);
    throw error;
  }
  if (hadOld) await rm(aside, { recursive: true, force: true });
}

async function writeFolderAtomic(givenPath: string, fill: (temporaryPath: string) => Promise<void>): Promise<void> {
  const path = resolve(givenPath);
  await explained("write", givenPath, async () => {
    requireUsableNames(givenPath);
    await makeFolder(dirname(path));
    await mendInterruptedWrites(dirname(path), basename(path));
    const temporary = siblingName(path, "tmp");
    await makeFolder(temporary, path);
    try {
      await fill(temporary);
      await syncFolder(temporary);
      const old = await open(path, "r").catch(() => undefined);
      const isFile = old && !(await old.stat()).isDirectory();
      await old?.close();
      if (isFile) {
        throw new GraftError("file-access", `${givenPath} is a file, not a folder`, "Choose another output folder.");
      }
      await replaceFolder(temporary, path);
    } catch (error) {
      await rm(temporary, { recursive: true, force: true });
      throw error;
    }
    await syncFolder(dirname(path));
  });
}

async function writeFilesInto(folder: string, last: readonly string[], fill: (temporaryPath: string) => Promise<void>) {
  const temporary = siblingName(join(resolve(folder), "files"), "tmp");
  await explained("write", folder, async () => {
    try {
      await makeFolder(temporary);
      await fill(temporary);
      const written = (await readdir(temporary)).sort();
      const found = last.findIndex((name) => written.includes(name));
      for (const name of last.slice(0, found + 1)) await rm(join(folder, name), { force: true });
      const completing = written.filter((name) => name === last[found]);
      const others = written.filter((name) => name !== last[found]);
      for (const name of [...others, ...completing]) await rename(join(temporary, name), join(folder, name));
    } finally {
      await rm(temporary, { recursive: true, force: true });
    }
    await syncFolder(folder);
  });
}

/** Writing side of the file system. */
export const nodeWriting: FileWriting = {
  makeDirectory: (path) =>
    explained("create", path, async () => {
      requireUsableNames(path);
      await makeFolder(resolve(path));
    }),
  makeTemporaryDirectory: (prefix) => explained("create", tmpdir(), () => mkdtemp(join(tmpdir(), prefix))),
  writeFileAtomic,
  writeFolderAtomic,
  mendInterruptedWrites: (folder) => explained("mend", folder, () => mendInterruptedWrites(resolve(folder))),
  writeFilesInto,
  appendFile: (path, contents) =>
    explained("write", path, () => {
      requireUsableNames(path);
      return appendFile(path, contents);
    }),
  remove: (path) => explained("remove", path, () => rm(path, { recursive: true, force: true })),
  mountFile(path) {
    throw new GraftError(
      "unsupported",
      `cannot mount ${path}: Node reads real files`,
      "Write the bytes to a file and give its path.",
    );
  },
};
