import { GraftError } from "../../errors.js";
import { isJsonObject, parseJson } from "../../json.js";
import { readJsonLines } from "./jsonl.js";
import type { Table, TableRow } from "./table.js";
import { readTextFile } from "./text-file.js";

/**
 * Reads a JSON file: a list of objects, an object that holds one under "data", or JSON lines under the name of JSON.
 * @throws GraftError `invalid-json` with the place, `file-not-found`, `file-access`
 */
export async function readJsonTable(path: string): Promise<Table> {
  const text = (await readTextFile(path)).trim();
  if (text.startsWith("{") && /\}\s*\n\s*\{/.test(text)) return readJsonLines(path);
  const parsed = parseJson(text, path);
  const list = isJsonObject(parsed) && Array.isArray(parsed.data) ? parsed.data : parsed;
  if (!Array.isArray(list)) {
    throw new GraftError(
      "invalid-json",
      `${path} holds no list of rows`,
      'Write [{"text": "...", "label": 0}, ...], {"data": [...]}, or one object a line.',
    );
  }
  const columns = new Set<string>();
  const rows = list.map((cells: unknown, at): TableRow => {
    if (!isJsonObject(cells)) {
      throw new GraftError("invalid-json", `${path}: row ${at} is no object`, "Each row must be one JSON object.");
    }
    for (const key of Object.keys(cells)) columns.add(key);
    return { file: path, line: at + 1, cells };
  });
  return { file: path, columns: [...columns], rows };
}
