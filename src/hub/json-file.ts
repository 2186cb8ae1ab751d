import { platform } from "#platform";
import { type JsonObject, parseJsonObject } from "../json.js";

/**
 * Reads a JSON file that must hold an object.
 * @param what says in messages what the file is ("the model's config")
 * @throws GraftError `invalid-json` with line and column, `file-not-found`, `file-access`
 */
export async function readJsonObject(path: string, what: string): Promise<JsonObject> {
  return parseJsonObject(await platform.readText(path), `${path} (${what})`);
}

/** Writes a value as indented JSON with a newline at the end, whole or not at all. */
export async function writeJson(path: string, value: unknown): Promise<void> {
  await platform.writeFileAtomic(path, `${JSON.stringify(value, null, 2)}\n`);
}
