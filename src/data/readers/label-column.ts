import type { ProblemType } from "../../problem-type.js";
import { type LabelsAre, readClasses } from "./class-labels.js";
import { isNumberForm, labelForm } from "./label-forms.js";
import { isWrittenList, type LabelListCell, readLabelLists } from "./label-lists.js";
import { type Label2Id, labelValue, type RawLabel } from "./labels.js";

/** How labels are read. */
export interface LabelReading {
  /** Class ids. Default: class numbers as they are, or the sorted class names of this file. */
  readonly label2id?: Label2Id | undefined;
  /** Default: several labels where cells hold lists, values where a number has a fraction, else one class a row. */
  readonly problemType?: ProblemType | undefined;
  /** How names that are numbers are told from class numbers. Default: by what this file holds, names first. */
  readonly labelsAre?: LabelsAre | undefined;
  /** What stands between the labels of a cell that holds several. Default: the first of | ; , that occurs. */
  readonly labelSeparator?: string | undefined;
  /** Told what was decided about the labels and might surprise. Default: nobody. */
  readonly onInfo?: ((line: string) => void) | undefined;
}

/** The labels of rows as numbers. */
export interface ReadLabels {
  readonly problemType: ProblemType;
  /** Empty for regression. */
  readonly label2id: Label2Id;
  /** How the labels were read, where class names are numbers too and the other way would give other ids. */
  readonly labelsAre?: LabelsAre | undefined;
  /** A class id or value each, or a list of numbers for each row. */
  readonly labels: readonly (number | readonly number[])[];
}

const isList = (value: unknown): boolean => Array.isArray(value) || isWrittenList(value);

/** The first fraction of a column of numbers. */
function fractionOf(cells: readonly LabelListCell[]): string | undefined {
  let found: string | undefined;
  for (const { value } of cells) {
    const text = String(value).trim();
    const form = labelForm(text);
    if (!isNumberForm(form)) return undefined;
    if (form === "fraction") found ??= text;
  }
  return found;
}

/**
 * What a column's labels are, where nobody said it.
 * @param cells of the whole file
 */
export function problemTypeOf(cells: readonly LabelListCell[], { label2id, onInfo }: LabelReading): ProblemType {
  const filled = cells.filter(({ value }) => value !== null && value !== undefined && value !== "");
  if (filled.length > 0 && filled.every(({ value }) => isList(value))) {
    onInfo?.('labels are lists: a row has any number of classes (problemType "multi_label_classification")');
    return "multi_label_classification";
  }
  const fraction = label2id === undefined ? fractionOf(cells) : undefined;
  if (fraction === undefined) return "single_label_classification";
  onInfo?.(`labels such as ${fraction} are values to predict (problemType "regression")`);
  return "regression";
}

function rawLabel({ value, place }: LabelListCell): RawLabel {
  const isPlain = typeof value === "string" || typeof value === "number" || typeof value === "boolean";
  if (isPlain) return { value: typeof value === "boolean" ? String(value) : value, place };
  const isMissing = value === undefined || value === null;
  return { value: isMissing ? "" : JSON.stringify(value), place };
}

/** Several values a row where a cell holds a list. */
function readValues(cells: readonly LabelListCell[]): (number | number[])[] {
  return cells.map((cell) => {
    const { value, place } = cell;
    return Array.isArray(value)
      ? value.map((item) => labelValue({ value: String(item), place }))
      : labelValue(rawLabel(cell));
  });
}

const readers: {
  readonly [P in ProblemType]: (
    cells: readonly LabelListCell[],
    reading: LabelReading,
  ) => Omit<ReadLabels, "problemType">;
} = {
  regression: (cells) => ({ label2id: {}, labels: readValues(cells) }),
  single_label_classification: (cells, { label2id, problemType, labelsAre, onInfo }) => {
    const read = readClasses(cells.map(rawLabel), { label2id, areClasses: problemType !== undefined, labelsAre });
    for (const note of read.notes) onInfo?.(note);
    return { label2id: read.label2id, labels: read.ids, labelsAre: read.labelsAre };
  },
  multi_label_classification: (cells, { label2id, labelSeparator, labelsAre, onInfo }) => {
    const read = readLabelLists(cells, { label2id, labelSeparator, labelsAre });
    for (const note of read.notes) onInfo?.(note);
    return { label2id: read.label2id, labels: read.vectors, labelsAre: read.labelsAre };
  },
};

/**
 * Reads a column of labels by one rule for all its rows.
 * @param evidence cells of the whole file, where `cells` are some of it
 * @throws GraftError `invalid-label` naming the row
 */
export function readLabels(
  cells: readonly LabelListCell[],
  reading: LabelReading,
  evidence: readonly LabelListCell[] = cells,
): ReadLabels {
  const problemType = reading.problemType ?? problemTypeOf(evidence, reading);
  return { problemType, ...readers[problemType](cells, reading) };
}
