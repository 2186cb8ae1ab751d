import { lstat, readdir, readFile, realpath } from "node:fs/promises";
import { join } from "node:path";
import { sha256, storedFile } from "./repositories.js";

/** What is wrong with a cache: links to nothing, blobs that do not hash to their names, refs to no snapshot. Empty: nothing. */
export async function cacheFaults(cacheDir: string): Promise<string[]> {
  const faults: string[] = [];
  for (const repo of await readdir(cacheDir).catch(() => [])) {
    const folder = join(cacheDir, repo);
    for (const name of await readdir(join(folder, "blobs")).catch(() => [])) {
      if (/\.graft-\d+-[\da-f]{8}\.part$/.test(name)) continue;
      const bytes = await readFile(join(folder, "blobs", name));
      const hash = name.length === 64 ? sha256(bytes) : storedFile(bytes, false).etag;
      if (hash !== name) faults.push(`${repo}: blob ${name} hashes to ${hash}`);
    }
    const snapshots = await readdir(join(folder, "snapshots"), { recursive: true }).catch((): string[] => []);
    for (const name of snapshots) {
      const path = join(folder, "snapshots", name);
      if (!(await lstat(path)).isSymbolicLink()) continue;
      await realpath(path).catch(() => faults.push(`${path} leads nowhere`));
    }
    for (const name of await readdir(join(folder, "refs")).catch(() => [])) {
      const commit = await readFile(join(folder, "refs", name), "utf8");
      if (!snapshots.includes(commit)) faults.push(`${repo}: ref ${name} names ${commit}, which is no snapshot`);
    }
  }
  return faults;
}
