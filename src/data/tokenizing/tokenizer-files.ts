import { platform } from "#platform";
import { GraftError } from "../../errors.js";
import { isJsonObject, type JsonObject, parseJsonObject } from "../../json.js";
import type { TextInputName } from "./padding.js";

export const tokenizerFileNames = ["tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"] as const;
export type TokenizerFileName = (typeof tokenizerFileNames)[number];

/** What a tokenizer folder holds: tokenizer.json and, where they are there, the two smaller files. */
export interface TokenizerFiles {
  readonly tokenizer: JsonObject;
  readonly config: JsonObject;
  readonly specialTokensMap: JsonObject;
  /** The files as they were read, where they came from a folder. */
  readonly texts?: { readonly [F in TokenizerFileName]?: string };
}

/** @throws GraftError `file-not-found`, `invalid-json`, `invalid-tokenizer`, `unsupported`. */
export async function readTokenizerFiles(folder: string): Promise<TokenizerFiles> {
  const path = platform.join(folder, "tokenizer.json");
  if (!(await platform.exists(path))) {
    throw new GraftError(
      "file-not-found",
      `${folder} holds no tokenizer.json`,
      "Graft reads fast tokenizers. In Python, AutoTokenizer.from_pretrained(...).save_pretrained(folder) writes the file.",
    );
  }
  const texts: { [F in TokenizerFileName]?: string } = {};
  const read = async (name: TokenizerFileName): Promise<JsonObject> => {
    const file = platform.join(folder, name);
    if (!(await platform.exists(file))) return {};
    const text = await platform.readText(file);
    texts[name] = text;
    return parseJsonObject(text, file);
  };
  const tokenizer = await read("tokenizer.json");
  if (!isJsonObject(tokenizer.model)) {
    throw new GraftError("invalid-tokenizer", `${path} has no "model"`, "The file is damaged: fetch it again.");
  }
  refuseSingleWord(tokenizer, path);
  return {
    tokenizer,
    config: await read("tokenizer_config.json"),
    specialTokensMap: await read("special_tokens_map.json"),
    texts,
  };
}

function refuseSingleWord(tokenizer: JsonObject, path: string): void {
  const added = Array.isArray(tokenizer.added_tokens) ? tokenizer.added_tokens : [];
  const single = added.find((token) => isJsonObject(token) && token.single_word === true);
  if (isJsonObject(single)) {
    throw new GraftError(
      "unsupported",
      `${path}: added token "${String(single.content)}" has single_word = true`,
      "Graft does not match added tokens at word boundaries yet; remove the flag if the token never stands inside a word.",
    );
  }
}

/** A special token's text: configs hold it as a string or as an added-token object. */
export function specialToken(files: TokenizerFiles, name: string): string | undefined {
  for (const source of [files.config, files.specialTokensMap]) {
    const value = source[name];
    if (typeof value === "string") return value;
    if (isJsonObject(value) && typeof value.content === "string") return value.content;
  }
  return undefined;
}

/** The unknown token of a WordLevel model. */
export function wordLevelUnknown({ tokenizer: { model } }: TokenizerFiles): string | undefined {
  const isWordLevel = isJsonObject(model) && model.type === "WordLevel";
  return isWordLevel && typeof model.unk_token === "string" ? model.unk_token : undefined;
}

/** The pad token that tokenizer.json itself names. */
export function paddingOf(files: TokenizerFiles): JsonObject {
  return isJsonObject(files.tokenizer.padding) ? files.tokenizer.padding : {};
}

/** Input names as tokenizer_config.json has them. */
export const inputNamesInFiles: { readonly [key: string]: TextInputName } = {
  input_ids: "inputIds",
  attention_mask: "attentionMask",
  token_type_ids: "tokenTypeIds",
};

/** Tokenizer classes whose models take no token types although a pair template may mark them. */
const classesWithoutTokenTypes = /^(Roberta|XLMRoberta|DistilBert|GPT2|Bart|Camembert|MPNet|Llama|CodeLlama|T5|Qwen2)/;

/**
 * The tensors that the tokenizer's models take: `model_input_names` if the config lists them, else by the tokenizer's
 * class, else with token types where the pair template tells the two texts apart.
 */
export function modelInputNames(files: TokenizerFiles, templateHasTypes: boolean): TextInputName[] {
  const listed = files.config.model_input_names;
  if (Array.isArray(listed)) {
    return listed.map((name) => inputNamesInFiles[String(name)]).filter((name) => name !== undefined);
  }
  const className = files.config.tokenizer_class;
  const byClass = typeof className === "string" && classesWithoutTokenTypes.test(className);
  return templateHasTypes && !byClass ? ["inputIds", "attentionMask", "tokenTypeIds"] : ["inputIds", "attentionMask"];
}
