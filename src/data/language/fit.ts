import { GraftError } from "../../errors.js";
import { ignoredLabel } from "../../problem-type.js";
import type { EncodedExample } from "./encode.js";

/** What becomes of prompts and chats that are longer than the model reads. */
export const tooLongChoices = ["cut", "skip", "error"] as const;
export type TooLong = (typeof tooLongChoices)[number];

/** One row as the model reads it, or several in a pack. */
export interface LanguageRow {
  readonly inputIds: Int32Array;
  /** -100 where nothing is learnt. */
  readonly labels: Int32Array;
  /** For packs: which row a token is of, from 0, and its place in that row. */
  readonly segmentIds?: Int32Array;
  readonly positionIds?: Int32Array;
}

/** What fitting did, in numbers. */
export interface FitReport {
  /** Texts that became several rows. */
  readonly chunked: number;
  /** Rows whose end was cut off, and those of them in which that was part of what is learnt. */
  readonly cut: number;
  readonly cutAnswers: number;
  readonly skipped: number;
}

const learns = (labels: Int32Array): boolean => labels.some((label, index) => index > 0 && label !== ignoredLabel);

function chunks({ inputIds, labels }: EncodedExample, maxLength: number): LanguageRow[] {
  const rows: LanguageRow[] = [];
  for (let start = 0; start < inputIds.length; start += maxLength) {
    const row = { inputIds: inputIds.slice(start, start + maxLength), labels: labels.slice(start, start + maxLength) };
    // A last token alone is predicted by none.
    if (learns(row.labels)) rows.push(row);
  }
  return rows;
}

/**
 * Makes examples fit: running texts are cut into rows of `maxLength`, of others the end is cut off, or they are left out.
 * @throws GraftError `invalid-argument` naming an example of which nothing that is learnt would be left, or with "error"
 *   the first that is too long
 */
export function fitExamples(
  examples: readonly EncodedExample[],
  maxLength: number,
  tooLong: TooLong,
): { readonly rows: readonly LanguageRow[]; readonly report: FitReport } {
  const report = { chunked: 0, cut: 0, cutAnswers: 0, skipped: 0 };
  const rows = examples.flatMap((example): LanguageRow[] => {
    const { place, inputIds, labels, isText } = example;
    const row = { inputIds, labels };
    if (inputIds.length <= maxLength) return [row];
    if (isText) {
      report.chunked++;
      return chunks(example, maxLength);
    }
    if (tooLong === "skip") {
      report.skipped++;
      return [];
    }
    const kept = labels.slice(0, maxLength);
    if (tooLong === "error" || !learns(kept)) {
      throw new GraftError(
        "invalid-argument",
        `${place} has ${inputIds.length} tokens, and rows may have ${maxLength}${tooLong === "cut" ? "; its prompt alone fills them" : ""}`,
        'Raise maxLength where the model reads more, shorten the row, or set tooLong to "skip", which leaves such rows out.',
        { option: "tooLong" },
      );
    }
    report.cut++;
    if (labels.some((label, index) => index >= maxLength && label !== ignoredLabel)) report.cutAnswers++;
    return [{ inputIds: inputIds.slice(0, maxLength), labels: kept }];
  });
  return { rows, report };
}
