import { classNames } from "../../class-names.js";
import { GraftError } from "../../errors.js";

/** Class name to id. */
export type Label2Id = { readonly [name: string]: number };

/** A label as a file gives it, with the place for error messages ("train.tsv:17"). */
export interface RawLabel {
  readonly value: string | number;
  readonly place: string;
}

/** Class names by id. @throws GraftError `invalid-label` unless ids are 0 .. n-1, each once. */
export function labelNames(label2id: Label2Id): string[] {
  const found = classNames(label2id);
  if ("names" in found) return found.names;
  throw new GraftError("invalid-label", found.fault, "Number the classes 0, 1, 2, ... with each id once.");
}

/** Names in code-point order get the ids 0, 1, 2, ... */
export function label2idOf(names: Iterable<string>): Label2Id {
  const sorted = [...new Set(names)].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  return Object.fromEntries(sorted.map((name, id) => [name, id]));
}

const classNumber = /^(0|[1-9]\d*)$/;

/** Larger class numbers are another column's: row ids, years, telephone numbers. */
const MOST_INFERRED_CLASSES = 100_000;

/** A label without the blanks around it, which a file's writer did not mean. @throws GraftError `invalid-label` for none */
function labelText({ value, place }: RawLabel): string {
  const text = String(value).trim();
  if (text !== "") return text;
  throw new GraftError("invalid-label", `${place}: the label is empty`, "Give the row a label, or remove it.");
}

/**
 * The label2id of a file that came without one: if all labels are class numbers, "LABEL_0" ... as transformers names
 * them; else the sorted names.
 * @throws GraftError `invalid-label` for an empty label, and for a class number that no data set has
 */
export function inferLabel2id(labels: readonly RawLabel[]): Label2Id {
  const values = labels.map(labelText);
  if (!values.every((value) => classNumber.test(value))) return label2idOf(values);
  const count = values.reduce((max, value) => Math.max(max, Number(value) + 1), 0);
  if (count > MOST_INFERRED_CLASSES) {
    const largest = labels.find(({ value }) => Number(value) + 1 === count);
    throw new GraftError(
      "invalid-label",
      `${largest?.place}: the label ${largest?.value} would make a task of ${count} classes`,
      "Check the label column (it looks like numbers of another kind); for values to predict use problemType " +
        '"regression", for that many classes give a label2id.',
    );
  }
  return Object.fromEntries(Array.from({ length: count }, (_, id) => [`LABEL_${id}`, id]));
}

/** The class id of a name, or of a class number that label2id holds. @throws GraftError `invalid-label`. */
export function labelId(label: RawLabel, label2id: Label2Id): number {
  const exact = String(label.value);
  const text = Object.hasOwn(label2id, exact) ? exact : labelText(label);
  const id = Object.hasOwn(label2id, text) ? label2id[text] : undefined;
  if (id !== undefined) return id;
  if (classNumber.test(text) && Object.values(label2id).includes(Number(text))) return Number(text);
  const known = Object.keys(label2id);
  const shown = known.slice(0, 20).join(", ") + (known.length > 20 ? `, ... (${known.length} in all)` : "");
  throw new GraftError(
    "invalid-label",
    `${label.place}: unknown label "${text}"`,
    `Known labels: ${shown}. Correct the row, or name every class when reading (labels, label2id).`,
  );
}

/** A regression target. @throws GraftError `invalid-label` if it is not a finite number. */
export function labelValue({ value, place }: RawLabel): number {
  const text = String(value).trim();
  const number = text === "" ? Number.NaN : Number(text);
  if (!Number.isFinite(number)) {
    throw new GraftError(
      "invalid-label",
      `${place}: the regression target "${text}" is not a number`,
      "Correct the row, or leave problemType out for classification.",
    );
  }
  return number;
}
