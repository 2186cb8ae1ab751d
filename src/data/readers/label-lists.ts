import { GraftError } from "../../errors.js";
import { ignoredLabel } from "../../problem-type.js";
import { type LabelsAre, readClasses } from "./class-labels.js";
import { type Label2Id, numberedLabels, type RawLabel } from "./labels.js";

/** A cell with the labels of one row: a list, or a text that holds several. */
export interface LabelListCell {
  readonly value: unknown;
  readonly place: string;
}

/** Rows with several labels, or none: one place a class. */
export interface LabelVectors {
  readonly label2id: Label2Id;
  /** [rows][classes], from 0 to 1. */
  readonly vectors: readonly (readonly number[])[];
  /** How labels were read that are class names and class numbers at once. */
  readonly labelsAre?: LabelsAre | undefined;
  readonly notes: readonly string[];
}

export interface LabelListOptions {
  /** Class ids. Default: from the labels. */
  readonly label2id?: Label2Id | undefined;
  /** What stands between the labels of a cell. Default: the first of | ; , that occurs. */
  readonly labelSeparator?: string | undefined;
  /** How names that are numbers are told from class numbers. Default: by what this file holds, names first. */
  readonly labelsAre?: LabelsAre | undefined;
}

type Item = string | number;

const usualSeparators = ["|", ";", ","];

/** Whether a text is a list as Python or JSON writes it. */
export function isWrittenList(text: unknown): boolean {
  return typeof text === "string" && /^\s*\[[\s\S]*\]\s*$/.test(text);
}

/** Items in single or double quotes, or bare words between commas or blanks (as NumPy writes lists). */
const listItem = /"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'|([^\s,[\]"']+)/g;

function writtenItems(text: string): Item[] {
  const inside = text.trim().slice(1, -1);
  return [...inside.matchAll(listItem)].map(([, double, single, bare]) => {
    const quoted = double ?? single;
    return quoted === undefined ? (bare as string) : quoted.replace(/\\(.)/g, "$1");
  });
}

function invalid(place: string, message: string): GraftError {
  return new GraftError(
    "invalid-label",
    `${place}: ${message}`,
    'Write the labels of a row as a list (["loud", "cold"]), with a separator (loud|cold), or in one column of 0 and 1 a label.',
  );
}

function itemsOf(
  { value, place }: LabelListCell,
  separator: string | undefined,
  isWhole: (text: string) => boolean,
): Item[] {
  if (value === null || value === undefined || value === "") return [];
  if (Array.isArray(value)) {
    const odd = value.find((item) => typeof item !== "string" && typeof item !== "number" && typeof item !== "boolean");
    if (odd !== undefined) throw invalid(place, `the list of labels holds ${JSON.stringify(odd)}`);
    return value.map((item) => (typeof item === "boolean" ? Number(item) : (item as Item)));
  }
  if (typeof value !== "string" && typeof value !== "number")
    throw invalid(place, `the labels are ${JSON.stringify(value)}`);
  if (typeof value === "string" && isWrittenList(value)) return writtenItems(value);
  const text = String(value).trim();
  if (text === "") return [];
  if (separator === undefined || isWhole(text)) return [text];
  return text
    .split(separator)
    .map((item) => item.trim())
    .filter((item) => item !== "");
}

function separatorOf(cells: readonly LabelListCell[], isWhole: (text: string) => boolean): string | undefined {
  const texts = cells.flatMap(({ value }) =>
    typeof value === "string" && !isWrittenList(value) && !isWhole(value.trim()) ? [value] : [],
  );
  return usualSeparators.find((separator) => texts.some((text) => text.includes(separator)));
}

/** Lists of one length with numbers from 0 to 1 say for each class whether it is there. */
function areHot(lists: readonly (readonly Item[])[], classes: number | undefined): boolean {
  const width = classes ?? lists[0]?.length ?? 0;
  const isPart = (item: Item) => {
    const number = String(item).trim() === "" ? Number.NaN : Number(item);
    return number >= 0 && number <= 1;
  };
  return width > 1 && lists.every((list) => list.length === width && list.every(isPart));
}

/**
 * Reads the labels of rows that have any number of them: lists of names, of class numbers, or of a 0 or 1 for each class.
 * An empty cell is a row without labels.
 * @throws GraftError `invalid-label` naming the row
 */
export function readLabelLists(cells: readonly LabelListCell[], options: LabelListOptions = {}): LabelVectors {
  const known = options.label2id;
  const isWhole = (text: string) => known !== undefined && Object.hasOwn(known, text);
  const separator = options.labelSeparator ?? separatorOf(cells, isWhole);
  const lists = cells.map((cell) => itemsOf(cell, separator, isWhole));
  if (areHot(lists, known && Object.keys(known).length)) {
    return {
      label2id: known ?? numberedLabels(lists[0]?.length ?? 0),
      vectors: lists.map((list) => list.map(Number)),
      notes: ["lists of numbers from 0 to 1 are read as one place a class"],
    };
  }
  const flat = lists.flatMap((list, row) => list.map((value): RawLabel => ({ value, place: cells[row]?.place ?? "" })));
  if (flat.length === 0 && known === undefined) throw invalid(cells[0]?.place ?? "the data", "no row has a label");
  const { labelsAre: settled } = options;
  const { label2id, ids, labelsAre, notes } = readClasses(flat, {
    label2id: known,
    areClasses: true,
    labelsAre: settled,
  });
  const ignored = ids.indexOf(ignoredLabel);
  if (ignored >= 0)
    throw invalid(flat[ignored]?.place ?? "", `the label ${ignoredLabel} has no meaning beside other labels`);
  const classes = Object.keys(label2id).length;
  let at = 0;
  const vectors = lists.map((list) => {
    const vector = new Array<number>(classes).fill(0);
    for (const _ of list) vector[ids[at++] as number] = 1;
    return vector;
  });
  return { label2id, vectors, labelsAre, notes };
}
