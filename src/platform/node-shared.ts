import { createHash } from "node:crypto";
import { copyFile, type FileHandle, open, readdir, rename, rm, stat, symlink } from "node:fs/promises";
import { homedir } from "node:os";
import { basename, dirname, join, relative, resolve } from "node:path";
import { explained } from "./node-errors.js";
import { makeFolder } from "./node-folders.js";
import { isRunning, siblingName } from "./node-temporaries.js";
import type { PartialFile, SharedFiles } from "./types.js";

const PIECE = 1 << 20;

async function digest(path: string, algorithm: "sha256" | "git-sha1"): Promise<string> {
  return explained("read", path, async () => {
    const file = await open(path, "r");
    try {
      const hash = createHash(algorithm === "sha256" ? "sha256" : "sha1");
      if (algorithm === "git-sha1") hash.update(`blob ${(await file.stat()).size}\0`);
      const piece = new Uint8Array(PIECE);
      for (;;) {
        const { bytesRead } = await file.read(piece, 0, PIECE);
        if (bytesRead === 0) return hash.digest("hex");
        hash.update(piece.subarray(0, bytesRead));
      }
    } finally {
      await file.close();
    }
  });
}

/** Partial files that this process is writing. */
const inUse = new Set<string>();

const partialName = (path: string): string =>
  join(dirname(path), `${basename(path)}.graft-${process.pid}-${crypto.randomUUID().slice(0, 8)}.part`);

/** What a download that ended before its time left behind; the longest, under a name that is this process's own now. */
async function claimPartial(path: string): Promise<string> {
  const own = partialName(path);
  const [folder, name] = [dirname(path), basename(path)];
  const found: { path: string; size: number }[] = [];
  for (const other of await readdir(folder).catch(() => [])) {
    if (!other.startsWith(`${name}.graft-`)) continue;
    const pid = Number(/\.graft-(\d+)-[\da-f]{8}\.part$/.exec(other)?.[1]);
    const place = join(folder, other);
    if (!Number.isInteger(pid) || inUse.has(place) || (pid !== process.pid && isRunning(pid))) continue;
    found.push({ path: place, size: (await stat(place).catch(() => undefined))?.size ?? 0 });
  }
  found.sort((a, b) => b.size - a.size);
  const [longest, ...others] = found;
  // Another process may have claimed it in the meantime: then the download begins anew.
  if (longest) await rename(longest.path, own).catch(() => {});
  for (const { path: other } of others) await rm(other, { force: true });
  return own;
}

class NodePartialFile implements PartialFile {
  private constructor(
    private readonly path: string,
    private readonly file: FileHandle,
    public size: number,
  ) {}

  static async open(path: string): Promise<NodePartialFile> {
    await makeFolder(resolve(dirname(path)));
    const own = await claimPartial(path);
    inUse.add(own);
    try {
      const file = await open(own, "a+");
      return new NodePartialFile(own, file, (await file.stat()).size);
    } catch (error) {
      inUse.delete(own);
      throw error;
    }
  }

  async append(bytes: Uint8Array): Promise<void> {
    await explained("write", this.path, async () => {
      await this.file.appendFile(bytes);
      this.size += bytes.length;
    });
  }

  async restart(): Promise<void> {
    await explained("write", this.path, () => this.file.truncate(0));
    this.size = 0;
  }

  digest(algorithm: "sha256" | "git-sha1"): Promise<string> {
    return digest(this.path, algorithm);
  }

  async finish(path: string): Promise<void> {
    await explained("write", path, async () => {
      await this.file.sync();
      await this.close();
      await rename(this.path, path);
    });
  }

  async close(): Promise<void> {
    inUse.delete(this.path);
    await this.file.close();
    if (this.size === 0) await rm(this.path, { force: true });
  }
}

async function linkFile(target: string, path: string): Promise<void> {
  await explained("write", path, async () => {
    await makeFolder(resolve(dirname(path)));
    const temporary = siblingName(path, "tmp");
    try {
      // Relative, so that the whole cache can be moved.
      await symlink(relative(dirname(path), target), temporary);
    } catch {
      // Windows without developer mode, and some file systems, allow no links.
      await copyFile(target, temporary);
    }
    await rename(temporary, path);
  });
}

async function writePrivateFile(path: string, contents: string): Promise<void> {
  await explained("write", path, async () => {
    await makeFolder(resolve(dirname(path)));
    const temporary = siblingName(path, "tmp");
    try {
      const file = await open(temporary, "wx", 0o600);
      try {
        await file.writeFile(contents);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(temporary, path);
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
  });
}

/** Files that are shared with other programs. */
export const nodeShared: SharedFiles = {
  environment: (name) => process.env[name],
  homeDirectory: () => homedir(),
  digest,
  openPartial: (path) => explained("write", path, () => NodePartialFile.open(path)),
  linkFile,
  writePrivateFile,
};
