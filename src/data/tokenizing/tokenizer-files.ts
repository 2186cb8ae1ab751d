import { GraftError } from "../../errors.js";
import { type HubOptions, resolveFiles } from "../../hub/index.js";
import { isJsonObject, type JsonObject, parseJsonObject } from "../../json.js";
import type { TextInputName } from "./padding.js";

/** Files of a tokenizer, in the order in which they are written. */
export const tokenizerFileNames = [
  "tokenizer.json",
  "tokenizer_config.json",
  "special_tokens_map.json",
  "added_tokens.json",
  "vocab.txt",
  "vocab.json",
  "merges.txt",
] as const;
export type TokenizerFileName = (typeof tokenizerFileNames)[number];

/** What a tokenizer folder holds. */
export interface TokenizerFiles {
  /** tokenizer.json; empty where the vocabulary stands in files of its own. */
  readonly tokenizer: JsonObject;
  /** tokenizer_config.json */
  readonly config: JsonObject;
  readonly specialTokensMap: JsonObject;
  /** added_tokens.json: {token: id} */
  readonly addedTokens?: JsonObject;
  /** config.json of the model, which says the tokenizer's class where tokenizer_config.json does not. */
  readonly modelConfig?: JsonObject;
  /** The files as they were read, where they came from a folder. */
  readonly texts?: { readonly [F in TokenizerFileName]?: string };
}

/** @throws GraftError `file-not-found`, `invalid-json`, and as `resolveFiles` */
export async function readTokenizerFiles(folder: string, options: HubOptions = {}): Promise<TokenizerFiles> {
  const files = await resolveFiles(folder, undefined, options);
  const texts: { [F in TokenizerFileName]?: string } = {};
  const readText = async (name: TokenizerFileName): Promise<void> => {
    if (await files.has(name)) texts[name] = await files.text(name, "the tokenizer");
  };
  const parse = (name: TokenizerFileName): JsonObject => {
    const text = texts[name];
    return text === undefined ? {} : parseJsonObject(text, files.place(name));
  };
  for (const name of [
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
  ] as const) {
    await readText(name);
  }
  if (texts["tokenizer.json"] === undefined) {
    for (const name of ["vocab.txt", "vocab.json", "merges.txt"] as const) await readText(name);
    if (texts["vocab.txt"] === undefined && texts["vocab.json"] === undefined) {
      throw new GraftError(
        "file-not-found",
        `${folder} holds no tokenizer.json, and no vocab.txt or vocab.json in its place`,
        "Where there is only a SentencePiece model: AutoTokenizer.from_pretrained(...).save_pretrained(folder) in Python writes tokenizer.json.",
      );
    }
  }
  return {
    tokenizer: parse("tokenizer.json"),
    config: parse("tokenizer_config.json"),
    specialTokensMap: parse("special_tokens_map.json"),
    addedTokens: parse("added_tokens.json"),
    modelConfig: (await files.has("config.json")) ? await files.json("config.json", "the tokenizer's class") : {},
    texts,
  };
}

/** A text of a JSON object, if it is there and is one. */
export function textField(object: JsonObject | undefined, name: string): string | undefined {
  const value = object?.[name];
  return typeof value === "string" ? value : undefined;
}

/** A section of tokenizer.json ("padding", "truncation"), empty where it is null. */
export function section(files: TokenizerFiles, name: string): JsonObject {
  const value = files.tokenizer[name];
  return isJsonObject(value) ? value : {};
}

/** Input names as tokenizer_config.json has them. */
export const inputNamesInFiles: { readonly [key: string]: TextInputName } = {
  input_ids: "inputIds",
  attention_mask: "attentionMask",
  token_type_ids: "tokenTypeIds",
};
