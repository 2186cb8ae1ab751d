import { ignoredLabel } from "../../problem-type.js";

/**
 * How a label is written, as far as that says what it means.
 * - `classNumber`: 0, 1, 17; `padded`: 007; `decimal`: 1.0, 2e1, +1; all of them whole
 * - `fraction`: 0.5; `negative`: -1; `ignored`: -100, which PyTorch's losses leave out
 * - `local`: 0,5, 1,234.5 or 50 %: a value as people write it, which no program reads as a number
 * - `missing`: nan, <NA>, #N/A: what pandas and spreadsheets write where there was nothing
 */
export type LabelForm =
  | "name"
  | "classNumber"
  | "padded"
  | "decimal"
  | "fraction"
  | "negative"
  | "ignored"
  | "local"
  | "missing"
  | "empty";

const number = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i;

const local = /^[+-]?(?:\d+,\d+|\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:[.,]\d+)?\s?%)$/;

const missing = /^(?:-?nan|<na>|#n\/?a(?: n\/a)?|-?1\.#(?:ind|qnan))$/i;

const infinity = /^[+-]?inf(?:inity)?$/i;

function numberForm(text: string): LabelForm {
  const value = Number(text);
  if (value === ignoredLabel) return "ignored";
  if (!Number.isInteger(value)) return "fraction";
  if (value < 0) return "negative";
  if (/^(?:0|[1-9]\d*)$/.test(text)) return "classNumber";
  return /^\d+$/.test(text) ? "padded" : "decimal";
}

/** @param text without blanks around it */
export function labelForm(text: string): LabelForm {
  if (text === "") return "empty";
  if (number.test(text)) return numberForm(text);
  if (local.test(text)) return "local";
  return missing.test(text) ? "missing" : "name";
}

/** Whether a label is a number of any kind. */
export function isNumberForm(form: LabelForm): boolean {
  return form !== "name" && form !== "missing" && form !== "empty" && form !== "local";
}

/** Whether a cell can stand in a column of values: a number, or nothing where one is missing. */
export function isValueOrNothing(text: string): boolean {
  const form = labelForm(text);
  return isNumberForm(form) || form === "missing" || form === "empty" || infinity.test(text);
}
