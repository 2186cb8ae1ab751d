/** The parser for Node and Deno, where the one for browsers mistakes what it stands on. */
export { CsvError, parse } from "csv-parse/sync";
