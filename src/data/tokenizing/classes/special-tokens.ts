import { isJsonObject, type JsonObject, shown } from "../../../json.js";
import { type AddedToken, type DraftToken, readAddedToken, settled } from "../added-vocabulary.js";
import { invalid } from "../stages/config.js";
import type { TokenizerFiles } from "../tokenizer-files.js";
import { classTable } from "./class-table.js";
import type { ClassName } from "./resolve-class.js";

export const specialTokenNames = [
  "bos_token",
  "eos_token",
  "unk_token",
  "sep_token",
  "pad_token",
  "cls_token",
  "mask_token",
] as const;
export type SpecialTokenName = (typeof specialTokenNames)[number];

/** A special token as files have it: a text, or a token with its own flags. */
interface NamedToken {
  readonly content: string;
  /** Undefined for a mere text, which becomes special and is not normalised. */
  readonly token?: DraftToken | undefined;
}

export type SpecialTokens = { readonly [N in SpecialTokenName]?: NamedToken };

/** Special tokens of a tokenizer, and what is added to its vocabulary, in order. */
export interface TokenPlan {
  readonly special: SpecialTokens;
  /** Named tokens of the model's own ("image_token") and `extra_special_tokens`. */
  readonly extra: readonly NamedToken[];
  /** Tokens of added_tokens_decoder, added_tokens.json and tokenizer.json by id. */
  readonly byId: ReadonlyMap<number, DraftToken>;
}

/** transformers' AddedToken(**fields, special=True). */
function specialOf(value: JsonObject): DraftToken {
  return readAddedToken({ ...value, special: true });
}

function namedToken(value: unknown, where: string): NamedToken {
  if (typeof value === "string") return { content: value };
  if (!isJsonObject(value) || typeof value.content !== "string")
    throw invalid(`${where} is ${shown(value)}, not a token`);
  return { content: value.content, token: readAddedToken(value) };
}

/** What the files say about added tokens, by id, as transformers collects them. */
function tokensById({ config, addedTokens, tokenizer }: TokenizerFiles, specials: ReadonlySet<string>) {
  const byId = new Map<number, DraftToken>();
  if (config.added_tokens_decoder !== undefined) {
    if (!isJsonObject(config.added_tokens_decoder))
      throw invalid("added_tokens_decoder of tokenizer_config.json is no object");
    for (const [id, token] of Object.entries(config.added_tokens_decoder)) byId.set(Number(id), readAddedToken(token));
    return byId;
  }
  for (const [content, id] of Object.entries(addedTokens ?? {})) {
    const special = specials.has(content);
    byId.set(Number(id), { content, singleWord: false, lstrip: false, rstrip: false, normalized: !special, special });
  }
  for (const token of Array.isArray(tokenizer.added_tokens) ? tokenizer.added_tokens : []) {
    if (isJsonObject(token)) byId.set(Number(token.id), readAddedToken(token));
  }
  return byId;
}

/** tokenizer_config.json, and special_tokens_map.json over it unless added_tokens_decoder takes its place. */
function namedIn({ config, specialTokensMap }: TokenizerFiles): JsonObject {
  return config.added_tokens_decoder === undefined ? { ...config, ...specialTokensMap } : config;
}

const standard: readonly string[] = specialTokenNames;

/** A padding section of tokenizer.json names the pad token where nothing else does. */
function padTokenOf(tokenizer: JsonObject): string | undefined {
  return isJsonObject(tokenizer.padding) && typeof tokenizer.padding.pad_token === "string"
    ? tokenizer.padding.pad_token
    : undefined;
}

export function planTokens(
  files: TokenizerFiles,
  className: ClassName | undefined,
  padToken: string | undefined,
  defaultExtras: readonly (string | JsonObject)[],
): TokenPlan {
  const values = namedIn(files);
  const defaults: { readonly [N in SpecialTokenName]?: string } = className ? classTable[className].tokens : {};
  const listed = [values.extra_special_tokens, values.additional_special_tokens];
  const list = listed.find((value) => Array.isArray(value) && value.length > 0);
  const specials = new Set(standard.map((name) => textOf(values[name])).filter((text) => text !== undefined));
  if (Array.isArray(list)) for (const token of list) specials.add(textOf(token) ?? "");
  const byId = tokensById(files, specials);
  const known = new Map([...byId.values()].map((token) => [token.content, token]));

  const special: { [N in SpecialTokenName]?: NamedToken } = {};
  for (const name of specialTokenNames) {
    const value = name === "pad_token" && padToken !== undefined ? padToken : values[name];
    if (value === null) continue;
    if (value === undefined) {
      const content = defaults[name] ?? (name === "pad_token" ? padTokenOf(files.tokenizer) : undefined);
      if (content !== undefined) special[name] = classDefault(className, name, content);
      continue;
    }
    const fromMap = values !== files.config && isJsonObject(value) && files.specialTokensMap[name] === value;
    const named = fromMap ? { content: String(value.content), token: specialOf(value) } : namedToken(value, name);
    special[name] = { content: named.content, token: known.get(named.content) ?? named.token };
  }
  const own = Object.entries(files.config).filter(
    ([name, value]) => name.endsWith("_token") && !standard.includes(name) && typeof value === "string",
  );
  const dictionary = listed.find(isJsonObject) ?? {};
  const extra = [
    ...[...own, ...Object.entries(dictionary)].map(([name, value]) => namedToken(value, name)),
    ...(Array.isArray(list) ? list : defaultExtras).map((value) => namedToken(value, "a special token")),
  ];
  return { special, extra, byId };
}

function textOf(value: unknown): string | undefined {
  if (typeof value === "string") return value;
  return isJsonObject(value) && typeof value.content === "string" ? value.content : undefined;
}

/** MPNet and CamemBERT give their tokens flags of their own. */
function classDefault(className: ClassName | undefined, name: SpecialTokenName, content: string): NamedToken {
  const flags = { content, single_word: false, rstrip: false };
  if (className === "MPNetTokenizer")
    return { content, token: readAddedToken({ ...flags, lstrip: name === "mask_token" }) };
  if (className === "CamembertTokenizer" && name === "mask_token") {
    return { content, token: readAddedToken({ ...flags, lstrip: true, special: true }) };
  }
  return { content };
}

/** The tokens to add in transformers' order: those with an id, then special ones that are not there yet. */
export function tokensToAdd(plan: TokenPlan, present: Iterable<AddedToken>): AddedToken[] {
  const same = (a: AddedToken, b: AddedToken) => JSON.stringify(a) === JSON.stringify(b);
  const there = [...present];
  const out: DraftToken[] = [];
  for (const [, token] of [...plan.byId].sort(([a], [b]) => a - b)) {
    if (!there.some((other) => same(other, settled(token)))) out.push(token);
  }
  const contents = new Set([...there, ...out].map(({ content }) => content));
  const names = new Set(Object.values(plan.special).map((named) => named?.content));
  for (const named of [...specialTokenNames.flatMap((name) => plan.special[name] ?? []), ...plan.extra]) {
    if (contents.has(named.content)) continue;
    contents.add(named.content);
    out.push(named.token ?? specialOf({ content: named.content }));
  }
  return out.map((token) => settled(names.has(token.content) ? { ...token, special: true } : token));
}
