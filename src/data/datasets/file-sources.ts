import { platform } from "#platform";
import { GraftError } from "../../errors.js";
import { readImageFolder } from "../readers/image-folder.js";
import { formatOf, readTable } from "../readers/registry.js";
import { placeOf } from "../readers/table.js";
import { linesOfText, readTextFile } from "../readers/text-file.js";
import { classLabel, type Feature, featureOfValues, image, value } from "./features.js";
import { parquetSource } from "./parquet-source.js";
import { memorySource, type Row, type RowSource } from "./source.js";

/** Extensions of files that hold rows. */
export const dataExtensions = [".parquet", ".csv", ".tsv", ".jsonl", ".ndjson", ".json", ".txt"];

/** Cells of a delimited file are texts; a column of numbers is numbers, as in Python. */
function typed(rows: readonly Row[], columns: readonly string[]): Row[] {
  const numeric = columns.filter((name) => {
    const cells = rows.map((row) => row[name]).filter((cell) => cell !== "");
    return (
      cells.length > 0 && cells.every((cell) => typeof cell === "string" && /^-?\d+(\.\d+)?([eE][+-]?\d+)?$/.test(cell))
    );
  });
  return rows.map((row) => ({
    ...row,
    ...Object.fromEntries(numeric.map((name) => [name, row[name] === "" ? null : Number(row[name])])),
  }));
}

async function tableSource(path: string): Promise<RowSource> {
  const table = await readTable(path);
  const isDelimited = ["csv", "tsv"].includes(formatOf(path));
  const cells = table.rows.map((row): Row => row.cells);
  const rows = isDelimited ? typed(cells, table.columns) : cells;
  const features = Object.fromEntries(
    table.columns.map((name) => [name, featureOfValues(rows.map((row) => row[name]))]),
  );
  return memorySource(path, rows, features, table.rows.map(placeOf));
}

async function textSource(path: string): Promise<RowSource> {
  const lines = linesOfText(await readTextFile(path));
  if (lines.at(-1) === "") lines.pop();
  return memorySource(
    path,
    lines.map((text) => ({ text })),
    { text: value("string") },
  );
}

/** The rows of one file. @throws GraftError as its reader; `unsupported` for an extension that is none of `dataExtensions` */
export function fileSource(path: string, warn: (line: string) => void): Promise<RowSource> {
  const extension = platform.extname(path).toLowerCase();
  if (extension === ".parquet") return parquetSource(path, warn);
  if (extension === ".txt") return textSource(path);
  return tableSource(path);
}

/** The metadata file of a folder of pictures; undefined where it has none. */
export async function metadataFile(folder: string): Promise<string | undefined> {
  for (const name of ["metadata.csv", "metadata.jsonl", "metadata.parquet"]) {
    const path = platform.join(folder, name);
    if (await platform.exists(path)) return path;
  }
  return undefined;
}

/** Pictures that a metadata file lists by `file_name`, with its other columns. */
async function listedPictures(folder: string, path: string): Promise<RowSource> {
  const table = await tableSource(path);
  const rows: Row[] = [];
  for (let at = 0; at < table.length; at++) {
    const { file_name: name, ...others } = await table.row(at);
    if (typeof name !== "string") {
      throw new GraftError(
        "invalid-dataset",
        `${table.place(at)} has no file_name`,
        "Name each row's picture in the column file_name.",
      );
    }
    const picture = platform.join(folder, name);
    if (!(await platform.exists(picture))) {
      throw new GraftError(
        "file-not-found",
        `${table.place(at)} names ${name}, which is not in ${folder}`,
        "Correct the name, or remove the row.",
      );
    }
    rows.push({ image: picture, ...others });
  }
  const { file_name: _, ...features } = table.features;
  return memorySource(folder, rows, { image, ...features });
}

/** The pictures of a folder: those of its metadata file, else one class a folder. */
export async function pictureSource(folder: string, warn: (line: string) => void): Promise<RowSource> {
  const metadata = await metadataFile(folder);
  if (metadata !== undefined) return listedPictures(folder, metadata);
  const { examples, labels } = await readImageFolder(folder, { onInfo: warn });
  const features: Readonly<Record<string, Feature>> = { image, label: classLabel(labels) };
  return memorySource(
    folder,
    examples.map(({ image: from, label }) => ({ image: from, label })),
    features,
  );
}
