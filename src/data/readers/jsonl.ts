import { GraftError, messageOf } from "../../errors.js";
import { isJsonObject } from "../../json.js";
import type { Table, TableRow } from "./table.js";
import { linesOfText, readTextFile } from "./text-file.js";

/**
 * Reads JSON lines: one object a line, empty lines left out. Columns are the keys of all rows.
 * @throws GraftError `invalid-json` with file and line, `file-not-found`, `file-access`.
 */
export async function readJsonLines(path: string): Promise<Table> {
  const text = await readTextFile(path);
  const columns = new Set<string>();
  const rows: TableRow[] = [];
  linesOfText(text).forEach((source, index) => {
    if (source.trim() === "") return;
    const cells = parseLine(source, `${path}:${index + 1}`);
    for (const key of Object.keys(cells)) columns.add(key);
    rows.push({ file: path, line: index + 1, cells });
  });
  return { file: path, columns: [...columns], rows };
}

function parseLine(source: string, place: string): { readonly [key: string]: unknown } {
  let value: unknown;
  try {
    value = JSON.parse(source);
  } catch (error) {
    throw new GraftError("invalid-json", `${place}: ${messageOf(error)}`, "Each line must be one JSON object.", {
      cause: error,
    });
  }
  if (!isJsonObject(value)) {
    throw new GraftError(
      "invalid-json",
      `${place} holds no JSON object`,
      'Write lines such as {"text": "...", "label": 0}.',
    );
  }
  return value;
}
