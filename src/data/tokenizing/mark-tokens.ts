import { GraftError } from "../../errors.js";
import type { Pipeline } from "./pipeline.js";
import { markPrefixes, markSpans, type Span, tokenPlaces } from "./token-places.js";

/**
 * 1 for each token of a text that stands for some of what the spans hold.
 * @throws GraftError `unsupported` where the tokens do not spell the text and a span's edge is none between tokens
 */
export function markTokens(
  pipeline: Pipeline,
  unknown: string | undefined,
  text: string,
  spans: readonly Span[],
): Int32Array {
  const ids = pipeline.ids(text);
  const surfaces = ids.map((id) => {
    const token = pipeline.tokenOf(id) ?? "";
    return { token, isAdded: pipeline.added.textOf(id) !== undefined, isUnknown: token === unknown };
  });
  const places = tokenPlaces(text, surfaces, pipeline.isByteLevel);
  const mask = places ? markSpans(text, places, spans) : markPrefixes(text, ids, spans, (part) => pipeline.ids(part));
  if (mask) return mask;
  throw new GraftError(
    "unsupported",
    "it cannot be told which tokens the answers are: the tokenizer changes the text, and joins it across their edges",
    "Train on whole texts (assistantOnly false), or mark answers in the template where a token ends.",
  );
}
