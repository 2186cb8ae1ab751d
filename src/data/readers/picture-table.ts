import { platform } from "#platform";
import { GraftError } from "../../errors.js";
import { type ImageExample, requireRows } from "../dataset.js";
import { type LabelReading, type ReadLabels, readLabels } from "./label-column.js";
import { readLabelColumns } from "./label-columns.js";
import type { LabelListCell } from "./label-lists.js";
import { leftOutLine, type PictureTree } from "./picture-tree.js";
import { readTable } from "./registry.js";
import { placeOf, type Table, textCell } from "./table.js";
import { type ColumnChoice, findLabels } from "./text-columns.js";

/** The tables of the datasets library's image folders, the first one that is there. */
const tableNames = ["metadata.csv", "metadata.jsonl"];
const nameColumn = "file_name";

/** Pictures with the labels of a table. */
export interface TablePictures extends ReadLabels {
  readonly examples: readonly ImageExample[];
}

/** The table beside pictures that lie in no class folders; undefined where there is none. */
async function tableOf({ root, pictures }: PictureTree): Promise<Table | undefined> {
  if (new Set(pictures.map(({ folders }) => folders[0] ?? "")).size !== 1) return undefined;
  for (const name of tableNames) {
    const path = platform.join(root, name);
    if (!(await platform.exists(path))) continue;
    const table = await readTable(path);
    if (table.columns.includes(nameColumn)) return table;
  }
  return undefined;
}

/**
 * Pictures of one folder whose labels stand in a table beside them: metadata.csv or metadata.jsonl with a column
 * `file_name`, as the datasets library has it, and labels as tables of texts have them.
 * @returns undefined where there is no such table
 * @throws GraftError `invalid-argument` for a table without labels, `invalid-label`, `file-not-found` naming the row
 */
export async function readPictureTable(
  tree: PictureTree,
  reading: LabelReading & { readonly labelColumn?: ColumnChoice | undefined },
): Promise<TablePictures | undefined> {
  const table = await tableOf(tree);
  if (table === undefined) return undefined;
  const { rows } = table;
  requireRows([...rows], table.file);
  const known = new Set(tree.pictures.map(({ path }) => path));
  const paths = rows.map((row) => {
    const path = platform.join(tree.root, textCell(row, nameColumn));
    if (known.has(path)) return path;
    throw new GraftError("file-not-found", `${placeOf(row)}: ${path} is no picture of the folder`, "Correct the row.");
  });
  const names = reading.problemType === "multi_label_classification" ? Object.keys(reading.label2id ?? {}) : undefined;
  const columns = findLabels(table, reading.labelColumn, { text: nameColumn, pair: undefined }, names);
  const [column = ""] = columns;
  const cells = rows.map((row): LabelListCell => ({ value: row.cells[column], place: placeOf(row) }));
  const read = columns.length > 1 ? readLabelColumns(rows, columns, reading) : readLabels(cells, reading);
  reading.onInfo?.(`${tree.root}: labels are read from ${platform.basename(table.file)} (${columns.join(", ")})`);
  const used = new Set(paths);
  const left = [...known].filter((path) => !used.has(path));
  const line = leftOutLine(tree, new Map([[`not in ${platform.basename(table.file)}`, left]]));
  if (line !== undefined) reading.onInfo?.(line);
  return {
    ...read,
    examples: paths.map((image, at) => ({ image, label: read.labels[at] as number | readonly number[] })),
  };
}
