import { platform } from "#platform";
import { GraftError } from "../errors.js";
import { parseJson } from "../json.js";

/**
 * Reads a JSON file.
 * @param what says in messages what the file is ("the model's config")
 * @throws GraftError `invalid-json` with line and column, `file-not-found`, `file-access`
 */
export async function readJson(path: string, what: string): Promise<unknown> {
  return parseJson(await platform.readText(path), `${path} (${what})`);
}

/** Reads a JSON file that must hold an object. @throws GraftError as `readJson` */
export async function readJsonObject(path: string, what: string): Promise<Record<string, unknown>> {
  const value = await readJson(path, what);
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new GraftError(
    "invalid-json",
    `${path} (${what}) holds ${Array.isArray(value) ? "a list" : JSON.stringify(value)?.slice(0, 40)}, not an object`,
    "Check that it is the file you meant.",
  );
}

/** Writes a value as indented JSON with a newline at the end, whole or not at all. */
export async function writeJson(path: string, value: unknown): Promise<void> {
  await platform.writeFileAtomic(path, `${JSON.stringify(value, null, 2)}\n`);
}
