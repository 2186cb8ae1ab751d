import { GraftError } from "../../errors.js";
import { ignoredLabel } from "../../problem-type.js";
import { isNumberForm, type LabelForm, labelForm } from "./label-forms.js";
import { type Label2Id, label2idOf, numberedLabels, type RawLabel } from "./labels.js";

/** What labels are where classes have numbers for names: the names, or class numbers from 0. */
export type LabelsAre = "names" | "numbers";

/** A column of labels as class ids. */
export interface ClassLabels {
  readonly label2id: Label2Id;
  /** One for each label; -100 for those that count nowhere. */
  readonly ids: readonly number[];
  /** How the column was read, where the other way would give other ids. */
  readonly labelsAre: LabelsAre | undefined;
  /** What was decided and might surprise, one sentence each. */
  readonly notes: readonly string[];
}

export interface ClassOptions {
  /** Class ids. Default: class numbers as they are, or the sorted names. */
  readonly label2id?: Label2Id | undefined;
  /** Whether the caller said that labels are classes: whole decimals (1.0) are then class numbers. Default false. */
  readonly areClasses?: boolean | undefined;
  /** How the column is to be read, as others of the same task were. Default: by what it holds, names first. */
  readonly labelsAre?: LabelsAre | undefined;
}

interface Cell {
  /** As it stands in the file. */
  readonly exact: string;
  readonly text: string;
  readonly form: LabelForm;
  readonly place: string;
}

/** Larger class numbers are another column's: row ids, years, telephone numbers. */
const MOST_INFERRED_CLASSES = 100_000;

const invalid = (message: string, hint: string): GraftError => new GraftError("invalid-label", message, hint);

const nameThem = "If it is the name of a class, name every class when reading (`label2id`).";

/** Why a form is no class where nobody has named the classes. */
const refusals: { readonly [F in LabelForm]?: (cell: Cell) => GraftError } = {
  empty: ({ place }) => invalid(`${place}: the label is empty`, "Give the row a label, or remove it."),
  missing: ({ place, text }) =>
    invalid(
      `${place}: the label is ${text}, as where a value is missing`,
      `Give the row a label, or remove it. ${nameThem}`,
    ),
  negative: ({ place, text }) =>
    invalid(
      `${place}: the label ${text} is no class`,
      `-1 often marks rows without a label: remove them. ${nameThem} For values to predict set problemType to "regression".`,
    ),
  fraction: ({ place, text }) =>
    invalid(
      `${place}: the label ${text} is no class`,
      `Classes are names or whole numbers; for values to predict set problemType to "regression". ${nameThem}`,
    ),
};

const decimals = ({ place, text }: Cell): GraftError =>
  invalid(
    `${place}: the label ${text} may be a class or a value`,
    'Set problemType to "single_label_classification" where 1.0 is class 1, to "regression" where it is a value to predict.',
  );

const cellsOf = (labels: readonly RawLabel[]): Cell[] =>
  labels.map(({ value, place }) => {
    const exact = String(value);
    const text = exact.trim();
    return { exact, text, form: labelForm(text), place };
  });

function refuse(cells: readonly Cell[]): void {
  for (const cell of cells) {
    const refusal = refusals[cell.form];
    if (refusal) throw refusal(cell);
  }
}

/** Numbers with zeros before them are codes where all are of one length, else two spellings of one number. */
function codesOf(cells: readonly Cell[]): Label2Id {
  const [first] = cells;
  const odd = cells.find(({ text }) => text.length !== first?.text.length);
  const padded = cells.find(({ form }) => form === "padded");
  if (odd && padded) {
    throw invalid(
      `${padded.place}: the label ${padded.text} has a zero before it, and others are not as long (${odd.place}: ${odd.text})`,
      `Write class numbers without zeros, or codes with as many digits each. ${nameThem}`,
    );
  }
  return label2idOf(cells.map(({ text }) => text));
}

function classNumbersOf(cells: readonly Cell[]): Label2Id {
  const count = cells.reduce((most, { text }) => Math.max(most, Number(text) + 1), 0);
  if (count > MOST_INFERRED_CLASSES) {
    const largest = cells.find(({ text }) => Number(text) + 1 === count);
    throw invalid(
      `${largest?.place}: the label ${largest?.text} would make a task of ${count} classes`,
      "Check the label column (it looks like numbers of another kind); for values to predict use problemType " +
        '"regression", for that many classes give `label2id`.',
    );
  }
  return numberedLabels(count);
}

/** The classes of a column that came without any. */
function inferred(all: readonly Cell[], areClasses: boolean): Label2Id {
  const cells = all.filter(({ form }) => form !== "ignored");
  if (cells.length === 0 && all[0]) {
    throw invalid(`${all[0].place} and all other labels are ${ignoredLabel}`, "Give labels to the rows that count.");
  }
  refuse(cells);
  const name = cells.find(({ form }) => form === "name");
  const number = cells.find(({ form }) => isNumberForm(form));
  if (name && number) {
    throw invalid(
      `${number.place}: the label ${number.text} is a number, and others are names (${name.place}: "${name.text}")`,
      `Write names or class numbers throughout. ${nameThem}`,
    );
  }
  if (name) return label2idOf(cells.map(({ text }) => text));
  const decimal = cells.find(({ form }) => form === "decimal");
  if (decimal && !areClasses) throw decimals(decimal);
  return cells.some(({ form }) => form === "padded") ? codesOf(cells) : classNumbersOf(cells);
}

const fold = (name: string): string => name.trim().toLowerCase();

/** Ids by names whose case does not count; undefined where two names differ in nothing else. */
export function foldedIds(label2id: Label2Id): ReadonlyMap<string, number> | undefined {
  const entries = Object.entries(label2id).map(([name, id]): [string, number] => [fold(name), id]);
  const folded = new Map(entries);
  return folded.size === entries.length ? folded : undefined;
}

const isNumeral = (name: string): boolean => isNumberForm(labelForm(name.trim()));

type Reading = (cell: Cell) => number | undefined;

/** The ways of reading a column by names that are known, best first. */
function readingsBy(label2id: Label2Id): { readonly [K in "names" | "numbers" | "folded"]: Reading } {
  const byName = (text: string) => (Object.hasOwn(label2id, text) ? label2id[text] : undefined);
  const ids = new Set(Object.values(label2id));
  const folded = foldedIds(label2id);
  return {
    names: ({ exact, text }) => byName(exact) ?? byName(text),
    numbers: ({ text, form }) =>
      (form === "classNumber" || form === "decimal") && ids.has(Number(text)) ? Number(text) : undefined,
    folded: ({ text }) => folded?.get(fold(text)),
  };
}

interface Chosen {
  readonly read: Reading;
  readonly labelsAre: LabelsAre | undefined;
}

/** The way of reading that was settled before. @throws GraftError `invalid-label` naming the first row that it does not fit */
function settledReading(cells: readonly Cell[], label2id: Label2Id, labelsAre: LabelsAre): Chosen {
  const readings = readingsBy(label2id);
  const read: Reading =
    labelsAre === "numbers" ? readings.numbers : (cell) => readings.names(cell) ?? readings.folded(cell);
  const odd = cells.find((cell) => read(cell) === undefined);
  if (odd === undefined) return { read, labelsAre };
  if (odd.form === "empty" || odd.form === "missing") throw refusals[odd.form]?.(odd);
  const known = Object.keys(label2id);
  throw invalid(
    labelsAre === "numbers"
      ? `${odd.place}: the label "${odd.text}" is no class number from 0 to ${known.length - 1}`
      : `${odd.place}: the label "${odd.text}" is none of the names ${shownNames(known)}`,
    "Training data, evaluation data and later ones are read in one way, as names or as class numbers: write labels in the same way in all files.",
  );
}

/** One way of reading for a whole column. @throws GraftError `invalid-label` naming the first row that it does not fit */
function readingOf(cells: readonly Cell[], label2id: Label2Id): Chosen {
  const readings = readingsBy(label2id);
  const fits = (reading: Reading) => cells.every((cell) => reading(cell) !== undefined);
  const known = Object.keys(label2id);
  const differs = cells.some((cell) => readings.names(cell) !== readings.numbers(cell));
  const told = (labelsAre: LabelsAre) => (differs && known.some(isNumeral) ? labelsAre : undefined);
  if (fits(readings.names)) return { read: readings.names, labelsAre: told("names") };
  if (fits(readings.numbers)) return { read: readings.numbers, labelsAre: told("numbers") };
  if (fits(readings.folded)) return { read: readings.folded, labelsAre: told("names") };
  const hits = (reading: Reading) => cells.filter((cell) => reading(cell) !== undefined).length;
  const best = Object.values(readings).reduce((a, b) => (hits(b) > hits(a) ? b : a));
  const odd = cells.find((cell) => best(cell) === undefined) as Cell;
  if (odd.form === "empty" || odd.form === "missing") throw refusals[odd.form]?.(odd);
  const isMixed = best === readings.numbers ? readings.names(odd) : readings.numbers(odd);
  throw invalid(
    isMixed === undefined
      ? `${odd.place}: unknown label "${odd.text}"`
      : `${odd.place}: the label "${odd.text}" is a ${best === readings.numbers ? "name, and others are class numbers" : "class number, and others are names"}`,
    `Known labels: ${shownNames(known)}. Correct the row, or name every class when reading (\`label2id\`).`,
  );
}

/** Says how names that are numbers are read, where all of them are: a name among words is no surprise. */
function noteOf(labelsAre: LabelsAre | undefined, label2id: Label2Id): string[] {
  const known = Object.keys(label2id);
  if (labelsAre === undefined || !known.every(isNumeral)) return [];
  return labelsAre === "names"
    ? [`labels are read as the names ${shownNames(known)}, not as class numbers`]
    : [`labels are read as class numbers from 0, not as the names ${shownNames(known)}`];
}

function shownNames(names: readonly string[]): string {
  return names.slice(0, 20).join(", ") + (names.length > 20 ? `, ... (${names.length} in all)` : "");
}

/**
 * Reads labels as classes: all of them as names, or all of them as class numbers.
 * @throws GraftError `invalid-label` naming the first row that is neither
 */
export function readClasses(labels: readonly RawLabel[], options: ClassOptions = {}): ClassLabels {
  const { areClasses = false } = options;
  const cells = cellsOf(labels);
  const label2id = options.label2id ?? inferred(cells, areClasses);
  const isLeftOut = ({ text, form }: Cell) => form === "ignored" && !Object.hasOwn(label2id, text);
  const counted = cells.filter((cell) => !isLeftOut(cell));
  const { read, labelsAre } = options.labelsAre
    ? settledReading(counted, label2id, options.labelsAre)
    : readingOf(counted, label2id);
  const notes = noteOf(labelsAre, label2id);
  const left = cells.length - counted.length;
  if (left > 0) {
    notes.push(
      `${left} of ${cells.length} labels are ${ignoredLabel}: loss and metrics leave them out, as in transformers`,
    );
  }
  const ids = cells.map((cell) => (isLeftOut(cell) ? ignoredLabel : (read(cell) as number)));
  return { label2id, ids, labelsAre, notes };
}
