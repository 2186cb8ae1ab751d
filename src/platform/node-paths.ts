import { win32 } from "node:path";
import { GraftError } from "../errors.js";

/** Names of Windows' devices: with any extension, and in any folder, they are no files. */
const device = /^(?:con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[1-9\u00b9\u00b2\u00b3])(?:\.|$)/i;

/** Why Windows cannot make a file or folder of this name; undefined where it can. */
function faultOf(name: string): string | undefined {
  if (/^\.{1,2}$/.test(name)) return undefined;
  if (device.test(name.trimEnd())) return "is the name of a device";
  const forbidden = [...name].find((letter) => '<>:"|?*'.includes(letter) || letter < " ");
  if (forbidden !== undefined) return `holds ${JSON.stringify(forbidden)}`;
  return /[. ]$/.test(name) ? "ends with a dot or a space, which Windows drops" : undefined;
}

/**
 * Refuses to write where Windows would write elsewhere without a word: to a device (`nul`), to a stream of another file
 * (`a:b`), or under another name (`run.`).
 *
 * @param system process.platform; others than Windows take any name
 * @throws GraftError `file-access` naming the part of the path
 */
export function requireUsableNames(path: string, system: NodeJS.Platform = process.platform): void {
  if (system !== "win32") return;
  const { root } = win32.parse(path);
  for (const name of path.slice(root.length).split(/[\\/]+/)) {
    const fault = faultOf(name);
    if (fault === undefined) continue;
    throw new GraftError("file-access", `cannot write ${path}: "${name}" ${fault}`, "Choose another name.");
  }
}

/**
 * The path with `/` between its parts, which Windows takes as well: ONNX names a model's files so. Elsewhere a backslash is
 * part of a name and stays.
 */
export function slashed(path: string, system: NodeJS.Platform = process.platform): string {
  return system === "win32" ? path.replaceAll("\\", "/") : path;
}
