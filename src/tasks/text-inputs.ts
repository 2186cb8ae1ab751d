import { platform } from "#platform";
import { linesOfText, readTextFile } from "../data/index.js";
import { GraftError } from "../errors.js";

/** The error for an argument that holds nothing to predict. */
export function emptyInput(path: string, what: string): GraftError {
  return new GraftError("empty-dataset", `${path} has no ${what}`, "Check the path; at least one input is needed.");
}

/** The lines of a file that hold more than blanks. @throws GraftError `empty-dataset` */
export async function linesOf(path: string): Promise<string[]> {
  const lines = linesOfText(await readTextFile(path)).filter((line) => line.trim() !== "");
  if (lines.length === 0) throw emptyInput(path, "lines");
  return lines;
}

/** @throws GraftError `file-access` for a folder */
export async function requireNoFolder(path: string, hint: string): Promise<void> {
  if (!(await platform.isDirectory(path))) return;
  throw new GraftError("file-access", `${path} is a folder, but the model reads texts`, hint);
}

/**
 * Whether an argument of a prediction is a file of inputs rather than an input.
 * @param looksLikeFile whether its name ends as files' names do
 * @throws GraftError `file-access` for a folder, `file-not-found` for what looks like a file and is none
 */
export async function isInputFile(argument: string, looksLikeFile: boolean): Promise<boolean> {
  const hint =
    "Name files of texts, or give the texts themselves; one that is a folder's name here can stand in a file.";
  await requireNoFolder(argument, hint);
  if (await platform.exists(argument)) return true;
  if (!looksLikeFile || /\s/.test(argument)) return false;
  throw new GraftError(
    "file-not-found",
    `${argument} does not exist`,
    "Check the path. A text that is meant literally must not end like a file's name.",
  );
}

/** @throws GraftError `invalid-argument` for a format of other data */
export function requireFormat(format: string | undefined, formats: readonly string[], reads: string): void {
  if (format === undefined || formats.includes(format)) return;
  throw new GraftError("invalid-argument", `format is ${format}, but the model reads ${reads}`, formatHint(formats));
}

const formatHint = (formats: readonly string[]): string =>
  formats.includes("image-folder")
    ? "Give a folder with one folder of pictures for each class (format: image-folder)."
    : `Use ${formats.slice(0, -1).join(", ")} or ${formats.at(-1)}.`;
