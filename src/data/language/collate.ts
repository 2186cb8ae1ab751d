import { GraftError } from "../../errors.js";
import { ignoredLabel } from "../../problem-type.js";
import { tensorData } from "../../tensor-data.js";
import type { BatchTensors } from "../loading/batch.js";
import { requireCount } from "../require-count.js";
import type { Tokenizer } from "../tokenizing/tokenizer.js";
import type { LanguageRow } from "./fit.js";

/** Options of `DataCollatorForLanguageModeling`. */
export interface LanguageCollatorOptions {
  /** Masked language modelling is not built: false. */
  readonly mlm?: false;
  /** Rounds the length of a batch up to a multiple, e.g. 8. */
  readonly padToMultipleOf?: number;
}

/** A row as a caller may have it: without labels all of its tokens are learnt but padding, as in transformers. */
export type LanguageRowInput = Pick<LanguageRow, "inputIds"> & Partial<LanguageRow>;

/**
 * Stacks rows of tokens: inputIds, attentionMask and labels, int32 [batch, sequence], padded on the right, labels with
 * -100; packs bring segmentIds and positionIds besides. The labels are the ids themselves: models shift them.
 * @throws GraftError `unsupported` for masked language modelling
 */
export function DataCollatorForLanguageModeling(
  tokenizer: Tokenizer,
  { mlm = false, padToMultipleOf = 1 }: LanguageCollatorOptions = {},
): (rows: readonly LanguageRowInput[]) => BatchTensors {
  requireCount("padToMultipleOf", padToMultipleOf);
  if (mlm) {
    throw new GraftError("unsupported", "mlm: masked language modelling is not built", "Set mlm to false.");
  }
  // Padding is seen by none and learnt by none: any token will do.
  const pad = tokenizer.padTokenId ?? 0;
  return (rows) => {
    const longest = rows.reduce((most, { inputIds }) => Math.max(most, inputIds.length), 1);
    const sequence = Math.ceil(longest / padToMultipleOf) * padToMultipleOf;
    const shape = [rows.length, sequence];
    const stack = (fill: number, valuesOf: (row: LanguageRowInput) => ArrayLike<number>) => {
      const data = new Int32Array(rows.length * sequence).fill(fill);
      for (const [index, row] of rows.entries()) data.set(valuesOf(row), index * sequence);
      return tensorData("int32", shape, data);
    };
    const learnt = ({ inputIds }: LanguageRowInput): Int32Array =>
      Int32Array.from(inputIds, (id) => (id === tokenizer.padTokenId ? ignoredLabel : id));
    const isPacked = rows.some(({ segmentIds }) => segmentIds !== undefined);
    const zeros = ({ inputIds }: LanguageRowInput) => new Int32Array(inputIds.length);
    const counted = ({ inputIds }: LanguageRowInput) => Int32Array.from(inputIds, (_, index) => index);
    return {
      inputIds: stack(pad, ({ inputIds }) => inputIds),
      attentionMask: stack(0, ({ inputIds }) => new Int32Array(inputIds.length).fill(1)),
      ...(isPacked && {
        segmentIds: stack(0, (row) => row.segmentIds ?? zeros(row)),
        positionIds: stack(0, (row) => row.positionIds ?? counted(row)),
      }),
      labels: stack(ignoredLabel, (row) => row.labels ?? learnt(row)),
    };
  };
}
