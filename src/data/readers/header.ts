import { labelForm } from "./label-forms.js";

/** Whether a cell is a number, the empty ones aside. */
const isNumber = (cell: string): boolean => {
  const form = labelForm(cell.trim());
  return form !== "name" && form !== "missing" && form !== "empty";
};

/** Rows that are looked at. */
const SAMPLE = 200;

/**
 * Whether the first line of a file names its columns, where columns were given by number and nobody said it: it does not
 * where its cells are of the kind of those below, a number over numbers, or a label that comes again.
 * @param labelColumn number of the column of labels
 * @returns the cell that shows it, where the first line is a row like the others
 */
export function rowInPlaceOfHeader(
  records: readonly (readonly string[])[],
  labelColumn: number | undefined,
): string | undefined {
  const [first = [], ...rest] = records.slice(0, SAMPLE);
  if (rest.length === 0) return undefined;
  const label = labelColumn === undefined ? undefined : first[labelColumn]?.trim();
  if (label && rest.some((row) => row[labelColumn as number]?.trim() === label)) return label;
  return first.find((cell, at) => isNumber(cell) && rest.every((row) => isNumber(row[at] ?? "")));
}
