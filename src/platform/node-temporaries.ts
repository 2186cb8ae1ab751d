import { lstat, readdir, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

/** A name beside `path` that nothing else uses; hidden, so that a leftover is not mistaken for a result. */
export function siblingName(path: string, purpose: "tmp" | "old"): string {
  return join(dirname(path), `.${basename(path)}.${purpose}-${process.pid}-${crypto.randomUUID().slice(0, 8)}`);
}

const siblingPattern = /^\.(.+)\.(tmp|old)-(\d+)-[\da-f]{8}$/;

interface Leftover {
  readonly path: string;
  /** What it stood in for. */
  readonly of: string;
  readonly isOld: boolean;
  /** Milliseconds since 1970. */
  readonly changed: number;
}

/** Whether a process of this number runs. */
export function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    // EPERM: it runs, as another user.
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** What writers whose process has ended left in a folder; the newest first. */
async function leftovers(folder: string): Promise<Leftover[]> {
  const found: Leftover[] = [];
  for (const name of await readdir(folder).catch(() => [])) {
    const [, of, purpose, pid] = siblingPattern.exec(name) ?? [];
    if (of === undefined || isRunning(Number(pid))) continue;
    const path = join(folder, name);
    const changed = await stat(path).catch(() => undefined);
    found.push({ path, of, isOld: purpose === "old", changed: changed?.mtimeMs ?? 0 });
  }
  return found.sort((a, b) => b.changed - a.changed);
}

const isThere = (path: string): Promise<boolean> =>
  lstat(path).then(
    () => true,
    () => false,
  );

/**
 * Puts right what writers in a folder left behind whose process has ended: a kill, or a second Ctrl-C, leaves them no
 * time to. A folder that was moved aside, and whose successor never came, goes back to its place: it may be the only whole
 * copy. The rest is removed.
 *
 * @param only the name of what to put right; default: everything in the folder
 */
export async function mendInterruptedWrites(folder: string, only?: string): Promise<void> {
  for (const { path, of, isOld } of await leftovers(folder)) {
    if (only !== undefined && of !== only) continue;
    const place = join(folder, of);
    if (isOld && !(await isThere(place))) await rename(path, place);
    else await rm(path, { recursive: true, force: true });
  }
}
