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

/**
 * Writes a value as indented JSON with a newline at the end, whole or not at all.
 * @param floatKeys outermost keys whose whole numbers are written as Python writes floats ("1.0")
 */
export async function writeJson(path: string, value: unknown, floatKeys: readonly string[] = []): Promise<void> {
  const text = JSON.stringify(value, null, 2).replace(/^ {2}"(\w+)": -?\d+(?=,?$)/gm, (line, key: string) =>
    floatKeys.includes(key) ? `${line}.0` : line,
  );
  await platform.writeFileAtomic(path, `${text}\n`);
}
