import { GraftError } from "../../errors.js";
import { type TensorData, tensorData } from "../../tensor-data.js";
import { requireCount } from "../require-count.js";

/** Names of the tensors that a text model takes, in camelCase. */
export type TextInputName = "inputIds" | "attentionMask" | "tokenTypeIds";

/** One tokenised text or pair; all arrays have the same length. */
export interface Encoding {
  readonly inputIds: Int32Array;
  /** 1 for every token; only padding, which `padBatch` adds, has 0. */
  readonly attentionMask?: Int32Array;
  /** 0 for the first text, 1 for the second, where the model tells them apart. */
  readonly tokenTypeIds?: Int32Array;
}

/** int32 tensors of shape [batch, sequence]. */
export type PaddedBatch = { readonly inputIds: TensorData<"int32"> } & {
  readonly [name in TextInputName]?: TensorData<"int32">;
};

/** How long padded rows are. */
export interface PaddingOptions {
  /** Rounds the sequence length up to a multiple, e.g. 8. */
  readonly padToMultipleOf?: number;
  /** Pads to this length rather than to the longest row. */
  readonly maxLength?: number;
}

export interface PaddingTokens {
  readonly padTokenId: number;
  readonly side: "right" | "left";
}

/**
 * Stacks encodings into [batch, sequence], filling up with the pad token (mask 0).
 * @throws GraftError `invalid-argument` for no rows, a row longer than `maxLength`, or options that are no whole numbers.
 */
export function padEncodings(
  encodings: readonly Encoding[],
  names: readonly TextInputName[],
  tokens: PaddingTokens,
  { padToMultipleOf = 1, maxLength }: PaddingOptions,
): PaddedBatch {
  requireCount("padToMultipleOf", padToMultipleOf);
  requireCount("maxLength", maxLength);
  if (encodings.length === 0) {
    throw new GraftError("invalid-argument", "a batch of no rows cannot be padded", "Give at least one encoding.");
  }
  const longest = encodings.reduce((length, { inputIds }) => Math.max(length, inputIds.length), 0);
  if (maxLength !== undefined && longest > maxLength) {
    throw new GraftError(
      "invalid-argument",
      `a row of ${longest} tokens does not fit maxLength ${maxLength}`,
      "Encode with truncation and the same maxLength.",
    );
  }
  const sequence = Math.ceil(Math.max(maxLength ?? longest, 1) / padToMultipleOf) * padToMultipleOf;
  const columns: { [name in TextInputName]: (encoding: Encoding) => Int32Array } = {
    inputIds: (encoding) => encoding.inputIds,
    attentionMask: (encoding) => encoding.attentionMask ?? new Int32Array(encoding.inputIds.length).fill(1),
    tokenTypeIds: (encoding) => encoding.tokenTypeIds ?? new Int32Array(encoding.inputIds.length),
  };
  const fill: { [name in TextInputName]: number } = {
    inputIds: tokens.padTokenId,
    attentionMask: 0,
    tokenTypeIds: 0,
  };
  const stack = (name: TextInputName) => {
    const data = new Int32Array(encodings.length * sequence).fill(fill[name]);
    encodings.forEach((encoding, row) => {
      const values = columns[name](encoding);
      data.set(values, row * sequence + (tokens.side === "right" ? 0 : sequence - values.length));
    });
    return tensorData("int32", [encodings.length, sequence], data);
  };
  const others = names.filter((name) => name !== "inputIds").map((name) => [name, stack(name)] as const);
  return { inputIds: stack("inputIds"), ...Object.fromEntries(others) };
}
