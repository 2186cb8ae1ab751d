import type { ProblemType } from "../../problem-type.js";
import { type RowRange, requireRows, selectRows, type TextExample } from "../dataset.js";
import type { LabelsAre } from "./class-labels.js";
import type { DelimitedOptions, NumberedColumns } from "./delimited.js";
import { type LabelReading, readLabels } from "./label-column.js";
import { readLabelColumns } from "./label-columns.js";
import type { LabelListCell } from "./label-lists.js";
import { type Label2Id, labelNames } from "./labels.js";
import { readTable, type TableFormat } from "./registry.js";
import { placeOf, type Table, type TableRow, textCell } from "./table.js";
import { type ColumnChoice, findLabels, findTexts, type TextColumns, unusedTexts } from "./text-columns.js";

export type TextLabels = LabelReading;

/** Options of `readTextDataset`. */
export interface ReadTextOptions extends TextColumns, LabelReading, Omit<DelimitedOptions, "onInfo">, RowRange {
  /** Default: by the file's extension. */
  readonly format?: TableFormat;
}

/** The rows of a text task with their labels. */
export interface TextDataset {
  readonly examples: readonly TextExample[];
  /** Empty for regression and for rows without labels. */
  readonly label2id: Label2Id;
  /** Class names by id. */
  readonly labels: readonly string[];
  /** What the labels are; undefined for rows without. */
  readonly problemType?: ProblemType;
  /** How labels were read that are class names and class numbers at once. */
  readonly labelsAre?: LabelsAre | undefined;
}

/** A column by number is a sign that its file may have no line of names. */
function numberOf(choice: ColumnChoice | null | undefined): number | undefined {
  const parts = typeof choice === "object" ? choice : String(choice ?? "").split(",");
  const number = String(parts?.[0] ?? "").trim();
  return /^\d+$/.test(number) ? Number(number) : undefined;
}

function numberedColumns({ textColumn, labelColumn }: TextColumns): NumberedColumns {
  const label = numberOf(labelColumn);
  if (numberOf(textColumn) === undefined && label === undefined) return {};
  return { numberedColumns: { ...(label !== undefined && { label }) } };
}

/**
 * Reads a CSV, TSV or JSON-lines file of a text task.
 *
 * @example await readTextDataset("SST-2/train.tsv", { end: 8000 })
 * @throws GraftError `file-not-found`, `invalid-csv`, `invalid-json`, `invalid-label` (file and line), `empty-dataset`.
 */
export async function readTextDataset(path: string, options: ReadTextOptions = {}): Promise<TextDataset> {
  const table = await readTable(path, { ...options, ...numberedColumns(options) });
  requireRows([...table.rows], path);
  const rows = selectRows(table.rows, options, `the row range of ${path} (${table.rows.length} rows)`);
  return textDatasetOf(table, options, rows);
}

/**
 * Turns a table into examples.
 * @param rows those that are wanted; what the labels are is decided by all of the table
 */
export function textDatasetOf(
  table: Table,
  options: TextColumns & LabelReading,
  rows: readonly TableRow[] = table.rows,
): TextDataset {
  const { labelColumn, label2id = {}, problemType, onInfo } = options;
  const texts = findTexts(table, options);
  const { text, pair } = texts;
  const examples = rows.map((row) => ({
    text: textCell(row, text),
    ...(pair !== undefined && { textPair: textCell(row, pair) }),
  }));
  const isSeveral = problemType === "multi_label_classification";
  const columns =
    labelColumn === null ? [] : findLabels(table, labelColumn, texts, isSeveral ? Object.keys(label2id) : undefined);
  const unused = options.textPairColumn === null ? undefined : unusedTexts(table, [text, pair, ...columns]);
  if (unused !== undefined) onInfo?.(unused);
  const [column, second] = columns;
  if (column === undefined) return { examples, label2id: {}, labels: [] };
  const cellsOf = (all: readonly TableRow[]) =>
    all.map((row): LabelListCell => ({ value: row.cells[column], place: placeOf(row) }));
  const read =
    second === undefined
      ? readLabels(cellsOf(rows), options, cellsOf(table.rows))
      : readLabelColumns(rows, columns, options);
  return {
    examples: examples.map((example, at) => ({ ...example, label: read.labels[at] as number | readonly number[] })),
    label2id: read.label2id,
    labels: labelNames(read.label2id),
    problemType: read.problemType,
    labelsAre: read.labelsAre,
  };
}

/** A row of a text task in memory; labels may be class names, and lists of them. */
export interface TextRow {
  readonly text: string;
  readonly textPair?: string;
  readonly label?: string | number | readonly (string | number)[];
}

/**
 * Rows in memory (an array, an iterable or an async iterable) as a text task; either all rows have labels or none.
 * @throws GraftError `invalid-label` with the row's number (from 0), `empty-dataset`.
 */
export async function textDatasetFrom(
  rows: Iterable<TextRow> | AsyncIterable<TextRow>,
  options: LabelReading & RowRange & { readonly name?: string } = {},
): Promise<TextDataset> {
  const name = options.name ?? "the data";
  const all: TextRow[] = [];
  for await (const row of rows) {
    all.push(row);
    if (options.end !== undefined && all.length >= options.end) break;
  }
  const start = options.start ?? 0;
  const chosen = selectRows(all, options, name);
  const columns = ["text", "textPair", "label"].filter((key) => chosen.some((row) => Object.hasOwn(row, key)));
  const table: Table = {
    file: name,
    columns,
    rows: chosen.map((row, i) => ({ file: name, line: start + i, cells: { ...row } })),
  };
  return textDatasetOf(table, {
    ...options,
    textColumn: "text",
    textPairColumn: columns.includes("textPair") ? "textPair" : null,
    labelColumn: columns.includes("label") ? "label" : null,
  });
}
