import { platform } from "#platform";
import { GraftError } from "../../errors.js";
import { isJsonObject, type JsonObject, readJsonObject } from "../json-file.js";
import type { TextInputName } from "./padding.js";

/** What a tokenizer folder holds: tokenizer.json and, where they are there, the two smaller files. */
export interface TokenizerFiles {
  readonly tokenizer: JsonObject;
  readonly config: JsonObject;
  readonly specialTokensMap: JsonObject;
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
  const tokenizer = await readJsonObject(path, "invalid-tokenizer");
  if (!isJsonObject(tokenizer.model)) {
    throw new GraftError("invalid-tokenizer", `${path} has no "model"`, "The file is damaged: fetch it again.");
  }
  refuseSingleWord(tokenizer, path);
  return {
    tokenizer,
    config: await readIfPresent(platform.join(folder, "tokenizer_config.json")),
    specialTokensMap: await readIfPresent(platform.join(folder, "special_tokens_map.json")),
  };
}

async function readIfPresent(path: string): Promise<JsonObject> {
  return (await platform.exists(path)) ? readJsonObject(path, "invalid-tokenizer") : {};
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

/** The pad token that tokenizer.json itself names. */
export function paddingOf(files: TokenizerFiles): JsonObject {
  return isJsonObject(files.tokenizer.padding) ? files.tokenizer.padding : {};
}

const inputNames: { readonly [key: string]: TextInputName } = {
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
    return listed.map((name) => inputNames[String(name)]).filter((name) => name !== undefined);
  }
  const className = files.config.tokenizer_class;
  const byClass = typeof className === "string" && classesWithoutTokenTypes.test(className);
  return templateHasTypes && !byClass ? ["inputIds", "attentionMask", "tokenTypeIds"] : ["inputIds", "attentionMask"];
}
