import { GraftError } from "../../errors.js";
import { isJsonObject, shown } from "../../json.js";
import { invalid } from "./stages/config.js";
import type { Normalizer } from "./stages/normalizers.js";
import type { Match } from "./stages/pieces.js";
import { unicodeSet } from "./unicode/classes.js";

/** A token that is found in texts before, or right after, they are normalised, by the Rust library's field names. */
export interface AddedToken {
  readonly content: string;
  readonly singleWord: boolean;
  readonly lstrip: boolean;
  readonly rstrip: boolean;
  readonly normalized: boolean;
  readonly special: boolean;
}

/** An added token of a file: where `normalized` is left out, whether it is special decides in the end. */
export type DraftToken = Omit<AddedToken, "normalized"> & { readonly normalized: boolean | undefined };

export function settled(token: DraftToken): AddedToken {
  return { ...token, normalized: token.normalized ?? !token.special };
}

/** @throws GraftError `invalid-tokenizer` */
export function readAddedToken(value: unknown): DraftToken {
  if (!isJsonObject(value) || typeof value.content !== "string") throw invalid(`${shown(value)} is no added token`);
  const flag = (name: string) => value[name] === true;
  return {
    content: value.content,
    singleWord: flag("single_word"),
    lstrip: flag("lstrip"),
    rstrip: flag("rstrip"),
    normalized: typeof value.normalized === "boolean" ? value.normalized : undefined,
    special: flag("special"),
  };
}

/** A part of a text that is an added token (with its id) or is not. */
export type AddedMatch = Match & { readonly id?: number };

const escaped = (text: string) => text.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");

/** Finds the leftmost, then longest, of some tokens. */
function finder(contents: readonly string[]): RegExp | undefined {
  const parts = contents.filter((content) => content !== "").sort((a, b) => b.length - a.length);
  return parts.length === 0 ? undefined : new RegExp(parts.map(escaped).join("|"), "gu");
}

/** Tokens beside the model's vocabulary, matched as the Rust library matches them. */
export class AddedVocabulary {
  private readonly byContent = new Map<string, number>();
  private readonly tokens = new Map<number, AddedToken>();
  private readonly patterns = new Map<number, string>();
  private readonly specials = new Set<string>();
  private finders: { readonly raw?: RegExp | undefined; readonly normalized?: RegExp | undefined } | undefined;
  private readonly ids = { raw: new Map<string, number>(), normalized: new Map<string, number>() };

  constructor(
    private readonly modelVocabulary: ReadonlyMap<string, number>,
    private readonly normalizer: Normalizer | undefined,
    private readonly splitSpecialTokens = false,
  ) {}

  /** Adds tokens in order; one that no vocabulary has gets the next id. */
  add(tokens: readonly AddedToken[]): void {
    const size = this.modelVocabulary.size;
    const most = Math.max(-1, ...this.tokens.keys());
    let next = most >= size || (size === 0 && most >= 0) ? most + 1 : size;
    for (const token of tokens) {
      if (token.content === "") continue;
      const id = this.idOf(token.content) ?? next++;
      this.byContent.set(token.content, id);
      if (token.special) this.specials.add(token.content);
      this.tokens.set(id, token);
      if (token.normalized && this.normalizer) this.patterns.set(id, this.normalizer.apply(token.content));
    }
    this.finders = undefined;
  }

  /** Adds, or makes special, tokens that are matched as they stand. */
  addSpecial(contents: readonly string[]): void {
    const flags = { singleWord: false, lstrip: false, rstrip: false, normalized: false, special: true };
    this.add(contents.map((content) => ({ content, ...flags })));
  }

  idOf(content: string): number | undefined {
    return this.byContent.get(content) ?? this.modelVocabulary.get(content);
  }

  all(): IterableIterator<AddedToken> {
    return this.tokens.values();
  }

  tokenIds(): IterableIterator<number> {
    return this.tokens.keys();
  }

  /** What a decoder gets for an id. */
  textOf(id: number): string | undefined {
    const token = this.tokens.get(id);
    return token && (this.patterns.get(id) ?? token.content);
  }

  isSpecial(text: string): boolean {
    return this.specials.has(text);
  }

  /** The added tokens in a text that is not normalised yet (`raw`), or that is. */
  split(text: string, stage: "raw" | "normalized"): AddedMatch[] {
    this.finders ??= this.makeFinders();
    const regex = this.finders[stage];
    if (!regex) return [{ start: 0, end: text.length, matched: false }];
    const out: AddedMatch[] = [];
    let from = 0;
    regex.lastIndex = 0;
    for (let found = regex.exec(text); found; found = regex.exec(text)) {
      const id = this.ids[stage].get(found[0])!;
      const token = this.tokens.get(id)!;
      let start = found.index;
      let end = start + found[0].length;
      if (this.splitSpecialTokens && this.specials.has(token.content)) continue;
      if (token.singleWord && !standsAlone(text, start, end)) continue;
      if (token.lstrip) start = Math.max(trimmedEnd(text, start), from);
      if (token.rstrip) end = trimmedStart(text, end);
      if (start > end) throw overlapping(token.content);
      if (from < start) out.push({ start: from, end: start, matched: false });
      out.push({ start, end, matched: true, id });
      from = end;
    }
    if (from < text.length) out.push({ start: from, end: text.length, matched: false });
    return out;
  }

  /** @throws GraftError `unsupported` for a token of which the normaliser leaves nothing: Rust then matches it everywhere */
  prepare(): void {
    for (const [id, { content, normalized }] of this.tokens) {
      if (!normalized || this.patterns.get(id) !== "") continue;
      throw new GraftError(
        "unsupported",
        `the normaliser leaves nothing of the added token ${JSON.stringify(content)}`,
        'Set "normalized" of the token to false in tokenizer.json.',
      );
    }
    this.finders ??= this.makeFinders();
  }

  private makeFinders() {
    this.ids.raw.clear();
    this.ids.normalized.clear();
    for (const [id, token] of this.tokens) {
      if (token.normalized) this.ids.normalized.set(this.patterns.get(id) ?? token.content, id);
      else this.ids.raw.set(token.content, id);
    }
    return { raw: finder([...this.ids.raw.keys()]), normalized: finder([...this.ids.normalized.keys()]) };
  }
}

/** The Rust library, too, gives up where a token's white space was taken by the token before it. */
function overlapping(content: string): GraftError {
  return new GraftError(
    "invalid-token",
    `the added token ${JSON.stringify(content)} begins in white space that the added token before it takes (rstrip)`,
    "Set its lstrip, or rstrip of the other, to false.",
  );
}

/** No word character right before or behind. */
function standsAlone(text: string, start: number, end: number): boolean {
  const word = unicodeSet("word");
  const low = text.charCodeAt(start - 1);
  const before = low >= 0xdc00 && low < 0xe000 ? text.codePointAt(start - 2) : low;
  if (start > 0 && before !== undefined && word.has(before)) return false;
  return end === text.length || !word.has(text.codePointAt(end)!);
}

function trimmedEnd(text: string, end: number): number {
  const space = unicodeSet("whiteSpace");
  let position = end;
  while (position > 0 && space.has(text.charCodeAt(position - 1))) position--;
  return position;
}

function trimmedStart(text: string, start: number): number {
  const space = unicodeSet("whiteSpace");
  let position = start;
  while (position < text.length && space.has(text.charCodeAt(position))) position++;
  return position;
}
