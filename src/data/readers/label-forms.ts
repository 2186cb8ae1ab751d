import { ignoredLabel } from "../../problem-type.js";

/**
 * How a label is written, as far as that says what it means.
 * - `classNumber`: 0, 1, 17; `padded`: 007; `decimal`: 1.0, 2e1, +1; all of them whole
 * - `fraction`: 0.5; `negative`: -1; `ignored`: -100, which PyTorch's losses leave out
 * - `missing`: nan, <NA>: what pandas writes where there was nothing
 */
export type LabelForm =
  | "name"
  | "classNumber"
  | "padded"
  | "decimal"
  | "fraction"
  | "negative"
  | "ignored"
  | "missing"
  | "empty";

const number = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i;

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
  return /^(?:nan|<na>)$/i.test(text) ? "missing" : "name";
}

/** Whether a label is a number of any kind. */
export function isNumberForm(form: LabelForm): boolean {
  return form !== "name" && form !== "missing" && form !== "empty";
}
