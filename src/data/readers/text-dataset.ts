import { type RowRange, requireRows, selectRows, type TextExample } from "../dataset.js";
import type { RowProblemType } from "../loading/batch.js";
import type { DelimitedOptions } from "./delimited.js";
import { inferLabel2id, type Label2Id, labelId, labelNames, labelValue, type RawLabel } from "./labels.js";
import { readTable, type TableFormat } from "./registry.js";
import { findColumn, placeOf, type Table, textCell } from "./table.js";

/** Which columns of a table are the text, its pair and the label. */
export interface TextColumns {
  /** Name or number. Default: the first of text, sentence, sentence1, question, premise that exists. */
  readonly textColumn?: string | number;
  /** Default: sentence2 or hypothesis where sentence1 or premise is the text; `null`: no pair. */
  readonly textPairColumn?: string | number | null;
  /** Default: label, labels or score. `null`: the rows have no labels (prediction). */
  readonly labelColumn?: string | number | null;
}

/** How labels are read. */
export interface TextLabels {
  /** Class ids. Default: class numbers as they are, or the sorted class names of this file. */
  readonly label2id?: Label2Id;
  /** "regression" reads labels as numbers. Default "single_label_classification". */
  readonly problemType?: RowProblemType;
}

/** Options of `readTextDataset`. */
export interface ReadTextOptions extends TextColumns, TextLabels, DelimitedOptions, RowRange {
  /** Default: by the file's extension. */
  readonly format?: TableFormat;
}

/** The rows of a text task with their classes. */
export interface TextDataset {
  readonly examples: readonly TextExample[];
  /** Empty for regression and for rows without labels. */
  readonly label2id: Label2Id;
  /** Class names by id. */
  readonly labels: readonly string[];
}

const usualText = ["text", "sentence", "sentence1", "question", "question1", "premise"];
const usualPair: { readonly [text: string]: string } = {
  sentence1: "sentence2",
  question1: "question2",
  premise: "hypothesis",
};
const usualLabel = ["label", "labels", "score", "class"];

/**
 * Reads a CSV, TSV or JSON-lines file of a text task.
 *
 * @example await readTextDataset("SST-2/train.tsv", { end: 8000 })
 * @throws GraftError `file-not-found`, `invalid-csv`, `invalid-json`, `invalid-label` (file and line), `empty-dataset`.
 */
export async function readTextDataset(path: string, options: ReadTextOptions = {}): Promise<TextDataset> {
  const table = await readTable(path, options);
  requireRows([...table.rows], path);
  const rows = selectRows(table.rows, options, `the row range of ${path} (${table.rows.length} rows)`);
  return textDatasetOf({ ...table, rows }, options);
}

/** Turns a table into examples. */
export function textDatasetOf(table: Table, options: TextColumns & TextLabels): TextDataset {
  const text = findColumn(table, options.textColumn, usualText, "textColumn");
  const pair = pairColumn(table, text, options.textPairColumn);
  const examples = table.rows.map((row) => ({
    text: textCell(row, text),
    ...(pair !== undefined && { textPair: textCell(row, pair) }),
  }));
  if (options.labelColumn === null) return { examples, label2id: {}, labels: [] };
  const column = findColumn(table, options.labelColumn, usualLabel, "labelColumn (null if the rows have no labels)");
  const labels = table.rows.map((row): RawLabel => ({ value: textCell(row, column), place: placeOf(row) }));
  return withLabels(examples, labels, options);
}

function withLabels(examples: TextExample[], labels: readonly RawLabel[], options: TextLabels): TextDataset {
  const regression = options.problemType === "regression";
  const label2id = regression ? {} : (options.label2id ?? inferLabel2id(labels));
  const read = regression ? labelValue : (label: RawLabel) => labelId(label, label2id);
  return {
    examples: examples.map((example, i) => ({ ...example, label: read(labels[i]!) })),
    label2id,
    labels: labelNames(label2id),
  };
}

function pairColumn(table: Table, text: string, wanted: TextColumns["textPairColumn"]): string | undefined {
  if (wanted === null) return undefined;
  if (wanted !== undefined) return findColumn(table, wanted, [], "textPairColumn");
  const usual = usualPair[text];
  return usual !== undefined && table.columns.includes(usual) ? usual : undefined;
}

/** A row of a text task in memory; labels may be class names. */
export interface TextRow {
  readonly text: string;
  readonly textPair?: string;
  readonly label?: string | number;
}

/**
 * Rows in memory (an array, an iterable or an async iterable) as a text task; either all rows have labels or none.
 * @throws GraftError `invalid-label` with the row's number (from 0), `empty-dataset`.
 */
export async function textDatasetFrom(
  rows: Iterable<TextRow> | AsyncIterable<TextRow>,
  options: TextLabels & RowRange & { readonly name?: string } = {},
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
