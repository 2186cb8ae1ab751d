/** One place of a template: a special token's id, or the ids of the first or second text. */
export interface TemplatePart {
  readonly source: "first" | "second" | number;
  readonly tokenType: number;
}

/** The special tokens around one text or a pair. */
export interface Template {
  readonly single: readonly TemplatePart[];
  readonly pair: readonly TemplatePart[];
}

/** No special tokens; a second text has token type 1. */
export const bareTemplate: Template = {
  single: [{ source: "first", tokenType: 0 }],
  pair: [
    { source: "first", tokenType: 0 },
    { source: "second", tokenType: 1 },
  ],
};

/** The texts alone, in the template's order and with its token types. */
export function withoutSpecialTokens(template: Template): Template {
  const texts = (parts: readonly TemplatePart[]) => parts.filter(({ source }) => typeof source !== "number");
  return { single: texts(template.single), pair: texts(template.pair) };
}

/** Special tokens that the template adds. */
export function specialTokenCount(template: readonly TemplatePart[]): number {
  return template.filter((part) => typeof part.source === "number").length;
}

/** Tokens of one text: their ids and, where the text came in words, the word that each belongs to. */
export interface TextTokens {
  readonly ids: readonly number[];
  readonly words?: readonly number[] | undefined;
}

/** Puts texts and special tokens together. `wordIds` has null for special tokens. */
export function applyTemplate(
  template: readonly TemplatePart[],
  first: TextTokens,
  second: TextTokens | undefined,
): { inputIds: Int32Array; tokenTypeIds: Int32Array; wordIds: (number | null)[] } {
  const none: TextTokens = { ids: [] };
  const partOf = (source: TemplatePart["source"]): TextTokens =>
    source === "first" ? first : source === "second" ? (second ?? none) : { ids: [source] };
  const length = template.reduce((sum, { source }) => sum + partOf(source).ids.length, 0);
  const inputIds = new Int32Array(length);
  const tokenTypeIds = new Int32Array(length);
  const wordIds: (number | null)[] = [];
  let position = 0;
  for (const { source, tokenType } of template) {
    const { ids, words } = partOf(source);
    inputIds.set(ids, position);
    tokenTypeIds.fill(tokenType, position, position + ids.length);
    if (first.words) for (let i = 0; i < ids.length; i++) wordIds.push(words?.[i] ?? null);
    position += ids.length;
  }
  return { inputIds, tokenTypeIds, wordIds };
}
