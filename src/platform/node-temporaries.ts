import { readdir, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

/** A name beside `path` that nothing else uses; hidden, so that a leftover is not mistaken for a result. */
export function siblingName(path: string, purpose: "tmp" | "old"): string {
  return join(dirname(path), `.${basename(path)}.${purpose}-${process.pid}-${crypto.randomUUID().slice(0, 8)}`);
}

const siblingPattern = /^\..+\.(?:tmp|old)-(\d+)-[\da-f]{8}$/;

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    // EPERM: it runs, as another user.
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** Removes what writers in a folder left behind whose process has ended: a second Ctrl-C leaves them no time to. */
export async function removeStaleTemporaries(folder: string): Promise<void> {
  for (const name of await readdir(folder).catch(() => [])) {
    const pid = siblingPattern.exec(name)?.[1];
    if (pid !== undefined && !isRunning(Number(pid))) await rm(join(folder, name), { recursive: true, force: true });
  }
}
