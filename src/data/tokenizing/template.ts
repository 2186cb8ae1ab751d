import type { Tokenizer as StagedTokenizer } from "@huggingface/tokenizers";
import { GraftError } from "../../errors.js";

/** One place of a template: a special token's id, or the ids of the first or second text. */
interface TemplatePart {
  readonly source: "first" | "second" | number;
  readonly tokenType: number;
}

/** The special tokens around one text or a pair. */
export interface Template {
  readonly single: readonly TemplatePart[];
  readonly pair: readonly TemplatePart[];
}

// Private-use strings that no vocabulary holds, so that they can be found again in the processor's output.
const FIRST = "\ue000first";
const SECOND = "\ue000second";

/**
 * Reads the template off the post-processor by handing it marked tokens. Keeping it apart from the texts lets truncation
 * happen before special tokens are added, as Hugging Face does it, and lets an empty second text stay a pair.
 */
export function readTemplate(tokenizer: StagedTokenizer): Template {
  return {
    single: parts(tokenizer, [FIRST], null),
    pair: parts(tokenizer, [FIRST], [SECOND]),
  };
}

function parts(tokenizer: StagedTokenizer, first: string[], second: string[] | null): TemplatePart[] {
  const bare: TemplatePart[] = [{ source: "first", tokenType: 0 }];
  // Without a processor that says otherwise, a second text has token type 1.
  if (second !== null) bare.push({ source: "second", tokenType: 1 });
  const out = tokenizer.post_processor?.post_process(first, second, true);
  if (out === undefined || (second !== null && !out.tokens.includes(SECOND))) return bare;
  return out.tokens.map((token, i) => {
    const tokenType = out.token_type_ids?.[i] ?? 0;
    if (token === FIRST) return { source: "first", tokenType };
    if (token === SECOND) return { source: "second", tokenType };
    const id = tokenizer.token_to_id(token);
    if (id === undefined) {
      throw new GraftError(
        "invalid-tokenizer",
        `the tokenizer's post-processor adds "${token}", which is not in its vocabulary`,
        "tokenizer.json is inconsistent: fetch it again.",
      );
    }
    return { source: id, tokenType };
  });
}

/** Special tokens that the template adds. */
export function specialTokenCount(template: readonly TemplatePart[]): number {
  return template.filter((part) => typeof part.source === "number").length;
}

/** Puts texts and special tokens together. */
export function applyTemplate(
  template: readonly TemplatePart[],
  first: readonly number[],
  second: readonly number[],
): { inputIds: Int32Array; tokenTypeIds: Int32Array } {
  let length = 0;
  for (const { source } of template) {
    length += source === "first" ? first.length : source === "second" ? second.length : 1;
  }
  const inputIds = new Int32Array(length);
  const tokenTypeIds = new Int32Array(length);
  let position = 0;
  for (const { source, tokenType } of template) {
    const ids = source === "first" ? first : source === "second" ? second : [source];
    inputIds.set(ids, position);
    tokenTypeIds.fill(tokenType, position, position + ids.length);
    position += ids.length;
  }
  return { inputIds, tokenTypeIds };
}
