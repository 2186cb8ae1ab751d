/** The parser for browsers, which brings its own Buffer. */
export { CsvError, parse } from "csv-parse/browser/esm/sync";
