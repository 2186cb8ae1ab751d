import { platform } from "#platform";
import { GraftError } from "../../errors.js";
import { chatTemplateFolder, type HubOptions, type ModelFiles, resolveFiles } from "../../hub/index.js";
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
  "chat_template.jinja",
] as const;
export type TokenizerFileName = (typeof tokenizerFileNames)[number];

/** Names of SentencePiece models, the one that counts first. */
const sentencePieceNames = ["tokenizer.model", "spm.model", "spiece.model", "sentencepiece.bpe.model"] as const;

/** A SentencePiece model as it lies in a folder. */
export interface SentencePieceFile {
  readonly name: (typeof sentencePieceNames)[number];
  readonly bytes: Uint8Array;
}

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
  /** The SentencePiece model, where it is the vocabulary. */
  readonly sentencePiece?: SentencePieceFile | undefined;
  /** Texts of chat_template.jinja ("default") and of additional_chat_templates/NAME.jinja, by name. */
  readonly chatTemplates?: { readonly [name: string]: string };
  /** The files as they were read, where they came from a folder. */
  readonly texts?: { readonly [F in TokenizerFileName]?: string };
}

async function readSentencePieceFile(files: ModelFiles): Promise<SentencePieceFile | undefined> {
  for (const name of sentencePieceNames) {
    if (await files.has(name))
      return { name, bytes: await platform.readFile(await files.path(name, "the vocabulary")) };
  }
  return undefined;
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
  let sentencePiece: SentencePieceFile | undefined;
  if (texts["tokenizer.json"] === undefined) {
    for (const name of ["vocab.txt", "vocab.json", "merges.txt"] as const) await readText(name);
    const isListed = texts["vocab.txt"] !== undefined || texts["vocab.json"] !== undefined;
    sentencePiece = isListed ? undefined : await readSentencePieceFile(files);
    if (!isListed && !sentencePiece) {
      throw new GraftError(
        "file-not-found",
        `${folder} holds no tokenizer.json, and no vocab.txt, vocab.json or SentencePiece model in its place`,
        "Copy the tokenizer's files from the model's repository, or save it there with transformers.",
      );
    }
  }
  await readText("chat_template.jinja");
  const single = texts["chat_template.jinja"];
  return {
    chatTemplates: { ...(single !== undefined && { default: single }), ...(await namedTemplates(files)) },
    tokenizer: parse("tokenizer.json"),
    config: parse("tokenizer_config.json"),
    specialTokensMap: parse("special_tokens_map.json"),
    addedTokens: parse("added_tokens.json"),
    modelConfig: (await files.has("config.json")) ? await files.json("config.json", "the model's config") : {},
    sentencePiece,
    texts,
  };
}

async function namedTemplates(files: ModelFiles): Promise<{ [name: string]: string }> {
  const names = (await files.list(chatTemplateFolder)).filter((name) => /^[^/]+\.jinja$/.test(name));
  const read = async (name: string): Promise<[string, string]> => [
    name.slice(0, -".jinja".length),
    await files.text(`${chatTemplateFolder}/${name as `${string}.jinja`}`, "a chat template"),
  ];
  return Object.fromEntries(await Promise.all(names.map(read)));
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
