import { platform } from "#platform";
import { GraftError } from "../../errors.js";

/**
 * Refuses a folder that holds something already, unless it may be replaced; a source is never replaced.
 * @param sources folders that the command reads
 * @param others what else the user may do about it
 * @throws GraftError `invalid-argument`, `file-access`
 */
export async function checkOutputFolder(
  path: string,
  sources: readonly string[],
  overwrite: boolean,
  others = "",
): Promise<void> {
  if (!(await platform.exists(path))) return;
  if (!(await platform.isDirectory(path))) {
    throw new GraftError("file-access", `${path} is a file, not a folder`, "Choose another output folder.");
  }
  const real = await platform.realPath(path);
  for (const source of sources) {
    if ((await platform.realPath(source)) !== real) continue;
    throw new GraftError("invalid-argument", `${path} is what the command reads from`, "Choose another output folder.");
  }
  if (overwrite || (await platform.listDirectory(path)).length === 0) return;
  throw new GraftError(
    "invalid-argument",
    `the folder ${path} exists and is not empty`,
    `Choose another output folder, or add --overwrite to replace it${others}.`,
  );
}
