import { GraftError } from "../../errors.js";

/** Cells of a row, and the number of the line where it ends. */
export interface ParsedRecord {
  readonly record: string[];
  readonly info: { readonly lines: number };
}

/** @throws GraftError `invalid-csv` with file and line */
export async function parseRecords(
  text: string,
  path: string,
  delimiter: string,
  quoting: "none" | "standard",
): Promise<ParsedRecord[]> {
  const { CsvError, parse } = await import("#csv-parser");
  try {
    return parse(text, {
      bom: true,
      delimiter,
      // Parts of a file may end their lines differently; left to itself the parser takes the first line's end for all.
      record_delimiter: text.includes("\n") ? ["\r\n", "\n"] : "\r",
      quote: quoting === "none" ? null : '"',
      relax_column_count: true,
      skip_empty_lines: true,
      info: true,
    }) as unknown as ParsedRecord[];
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    const line = typeof error.lines === "number" ? `:${error.lines}` : "";
    throw new GraftError(
      "invalid-csv",
      `${path}${line}: ${error.message}`,
      'Correct the row, or set `quoting` to "none" if quotes are ordinary characters in this file.',
      { cause: error },
    );
  }
}
