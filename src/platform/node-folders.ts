import { lstat, mkdir, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { GraftError } from "../errors.js";

const isFolder = (path: string): Promise<boolean> =>
  stat(path).then(
    (status) => status.isDirectory(),
    () => false,
  );

const codeOf = (error: unknown): string | undefined => (error as NodeJS.ErrnoException).code;

async function somethingElse(path: string, inTheWay: string): Promise<GraftError> {
  const isLink = (await lstat(inTheWay)).isSymbolicLink();
  return new GraftError(
    "file-access",
    `cannot create ${path}: ${inTheWay} is ${isLink ? "a link to nothing" : "not a folder"}`,
    "Choose another folder, or remove what is in the way.",
  );
}

/**
 * Creates a folder and its parents, one by one: Node's recursive mkdir never returns where a folder answers "no such file"
 * to new entries (/proc, some network mounts), and hides what kept a parent from being made.
 *
 * @param path absolute
 * @throws GraftError `file-access`, or what the system says
 */
export async function makeFolder(path: string, wanted = path): Promise<void> {
  try {
    await mkdir(path);
  } catch (error) {
    if (await isFolder(path)) return;
    if (codeOf(error) === "EEXIST") throw await somethingElse(wanted, path);
    const parent = dirname(path);
    if (codeOf(error) !== "ENOENT" || parent === path) throw error;
    if (await isFolder(parent)) throw takesNothing(wanted, parent, error);
    await makeFolder(parent, wanted);
    await mkdir(path).catch(async (again: unknown) => {
      if (await isFolder(path)) return;
      throw codeOf(again) === "ENOENT" ? takesNothing(wanted, parent, again) : again;
    });
  }
}

function takesNothing(path: string, parent: string, cause: unknown): GraftError {
  return new GraftError(
    "file-access",
    `cannot create ${path}: nothing can be created in ${parent}`,
    "Choose a folder on an ordinary file system.",
    { cause },
  );
}
