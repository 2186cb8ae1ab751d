import { isNumberForm, labelForm } from "./label-forms.js";

/** Whether a cell is a number, the empty ones aside. */
const isNumber = (cell: string): boolean => isNumberForm(labelForm(cell.trim()));

/** Names that pandas writes for columns without any: 0, 1, 2, ..., behind an empty one for the rows' own numbers. */
function areNumbered(cells: readonly string[]): boolean {
  const names = cells[0]?.trim() === "" ? cells.slice(1) : cells;
  return names.length > 1 && names.every((name, at) => name.trim() === String(at));
}

/** Whether a line might be a row of texts as well as names of columns: a name is seldom more than two words. */
export function mayBeTexts(cells: readonly string[]): boolean {
  return cells.some((cell) => cell.trim().split(/\s+/).length > 2 || /[.!?]$/.test(cell.trim()));
}

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
  if (rest.length === 0 || areNumbered(first)) return undefined;
  const label = labelColumn === undefined ? undefined : first[labelColumn]?.trim();
  if (label && rest.some((row) => row[labelColumn as number]?.trim() === label)) return label;
  return first.find((cell, at) => isNumber(cell) && rest.every((row) => isNumber(row[at] ?? "")));
}
