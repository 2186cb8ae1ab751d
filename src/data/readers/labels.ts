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

/** LABEL_0, LABEL_1, ... as transformers names classes that have numbers only. */
export function numberedLabels(count: number): Label2Id {
  return Object.fromEntries(Array.from({ length: count }, (_, id) => [`LABEL_${id}`, id]));
}

/** A regression target. @throws GraftError `invalid-label` if it is not a finite number. */
export function labelValue({ value, place }: RawLabel): number {
  const text = String(value).trim();
  const number = text === "" ? Number.NaN : Number(text);
  if (!Number.isFinite(number)) {
    throw new GraftError(
      "invalid-label",
      `${place}: the regression target "${text}" is not a number`,
      'Correct or remove the row; for classes set problemType to "single_label_classification".',
    );
  }
  return number;
}
