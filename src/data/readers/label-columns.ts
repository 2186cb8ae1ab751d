import { GraftError } from "../../errors.js";
import { foldedIds } from "./class-labels.js";
import type { LabelReading, ReadLabels } from "./label-column.js";
import { labelNames, labelValue } from "./labels.js";
import { placeOf, type TableRow, textCell } from "./table.js";

const words: Readonly<Record<string, number>> = { true: 1, false: 0, yes: 1, no: 0, "": 0 };

function partOf(row: TableRow, column: string): number {
  const text = textCell(row, column).trim();
  const value = words[text.toLowerCase()] ?? Number(text);
  if (value >= 0 && value <= 1) return value;
  throw new GraftError(
    "invalid-label",
    `${placeOf(row)}: the label column "${column}" holds ${JSON.stringify(text)}, not a number from 0 to 1`,
    "Columns with a label each hold 1 where a row has it and 0 where not; remove rows that nobody has labelled.",
  );
}

/** Where the class of each column stands. @throws GraftError `invalid-label` unless columns and classes are the same */
function placesOf(columns: readonly string[], { label2id }: LabelReading): number[] {
  if (label2id === undefined) return columns.map((_, at) => at);
  const folded = foldedIds(label2id);
  const places = columns.map((column) =>
    Object.hasOwn(label2id, column) ? label2id[column] : folded?.get(column.trim().toLowerCase()),
  );
  const names = labelNames(label2id);
  const areNumbers = names.every((name) => /^LABEL_\d+$/.test(name)) && names.length === columns.length;
  if (areNumbers && places.every((place) => place === undefined)) return columns.map((_, at) => at);
  const isWhole = new Set(places).size === names.length && !places.includes(undefined);
  if (isWhole && names.length === columns.length) return places as number[];
  throw new GraftError(
    "invalid-label",
    `the label columns ${columns.join(", ")} are not the classes ${names.join(", ")}`,
    "Name a column for each class with labelColumn.",
  );
}

/**
 * Reads labels that have a column each: 0 or 1 for each class, or a value for each output of a regression.
 * @throws GraftError `invalid-label`, `invalid-csv` naming the row
 */
export function readLabelColumns(
  rows: readonly TableRow[],
  columns: readonly string[],
  reading: LabelReading,
): ReadLabels {
  const { problemType = "multi_label_classification" } = reading;
  if (problemType === "regression") {
    const value = (row: TableRow, column: string) => labelValue({ value: textCell(row, column), place: placeOf(row) });
    return { problemType, label2id: {}, labels: rows.map((row) => columns.map((column) => value(row, column))) };
  }
  if (problemType === "single_label_classification") {
    throw new GraftError(
      "invalid-argument",
      `labelColumn names ${columns.join(", ")}, and problemType is ${problemType}`,
      'One class a row stands in one column; several labels a row are problemType "multi_label_classification".',
    );
  }
  const places = placesOf(columns, reading);
  const labels = rows.map((row) => {
    const vector = new Array<number>(columns.length).fill(0);
    columns.forEach((column, at) => {
      vector[places[at] as number] = partOf(row, column);
    });
    return vector;
  });
  const own = Object.fromEntries(columns.map((column, at) => [column, at]));
  return { problemType, label2id: reading.label2id ?? own, labels };
}
