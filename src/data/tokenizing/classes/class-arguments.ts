import { isJsonObject, type JsonObject, shown } from "../../../json.js";
import { invalid } from "../stages/config.js";
import type { SpecialTokenName, SpecialTokens } from "./special-tokens.js";

/** What a tokenizer class is made from: the vocabulary, tokenizer_config.json and the special tokens. */
export class ClassArguments {
  constructor(
    /** {token: id}, or [token, score] pairs of a Unigram model. */
    readonly vocabulary: JsonObject | readonly unknown[],
    readonly merges: readonly unknown[],
    /** The rules of a Precompiled normaliser of tokenizer.json, if there is one. */
    readonly charsMap: string | undefined,
    private readonly config: JsonObject,
    private readonly tokens: SpecialTokens,
  ) {}

  /** A flag of tokenizer_config.json. Null is no flag, as in Python, unless a class takes it. */
  flag(name: string, fallback: boolean): boolean {
    return this.optionalFlag(name, fallback) ?? false;
  }

  optionalFlag(name: string, fallback: boolean | null): boolean | null {
    const value = this.config[name] === undefined ? fallback : this.config[name];
    if (typeof value === "boolean" || value === null) return value;
    throw invalid(`"${name}" of tokenizer_config.json is ${shown(value)}, not true or false`);
  }

  count(name: string, fallback: number): number {
    const value = this.config[name] ?? fallback;
    if (Number.isSafeInteger(value)) return Number(value);
    throw invalid(`"${name}" of tokenizer_config.json is ${shown(value)}, not a whole number`);
  }

  /** The text of a special token that the class cannot do without. */
  token(name: SpecialTokenName): string {
    const token = this.tokens[name];
    if (token === undefined)
      throw invalid(`the tokenizer class needs "${name}", which tokenizer_config.json sets to null`);
    return token.content;
  }

  /** {token: id} of a model that is no Unigram one. */
  words(): JsonObject {
    if (isJsonObject(this.vocabulary)) return this.vocabulary;
    throw invalid("the tokenizer class needs a vocabulary of tokens and ids, and the model has scores");
  }

  /** [token, score] pairs. */
  scores(): readonly unknown[] {
    if (!isJsonObject(this.vocabulary)) return this.vocabulary;
    throw invalid("the tokenizer class needs a Unigram vocabulary with scores, and the model has none");
  }

  /** The place of a token in a Unigram vocabulary, where its score fits. */
  placeOf(token: string, score?: number): number | undefined {
    const at = this.scores().findIndex(
      (entry) => Array.isArray(entry) && entry[0] === token && (score === undefined || entry[1] === score),
    );
    return at < 0 ? undefined : at;
  }
}
