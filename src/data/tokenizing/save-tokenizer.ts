import { platform } from "#platform";
import { chatTemplateFolder } from "../../hub/index.js";
import { type JsonObject, stringifyPython } from "../../json.js";
import type { TextInputName } from "./padding.js";
import {
  inputNamesInFiles,
  type TokenizerFileName,
  type TokenizerFiles,
  tokenizerFileNames,
} from "./tokenizer-files.js";

/** What a caller set otherwise than the files say; saved as transformers saves what was passed to from_pretrained. */
export interface TokenizerChanges {
  readonly padToken?: string | undefined;
  readonly modelInputNames?: readonly TextInputName[] | undefined;
  /** The class that config.json says, where tokenizer_config.json names none: the new folder may have no config.json. */
  readonly tokenizerClass?: string | undefined;
}

function namesInFiles(names: readonly TextInputName[]): string[] {
  return Object.keys(inputNamesInFiles).filter((key) => names.includes(inputNamesInFiles[key] as TextInputName));
}

/** The content of each file after the changes; undefined for one that is as it was read. */
function changed(files: TokenizerFiles, { padToken, modelInputNames, tokenizerClass }: TokenizerChanges) {
  const { config, specialTokensMap } = files;
  const pad = padToken === undefined ? {} : { pad_token: padToken };
  const names = modelInputNames === undefined ? {} : { model_input_names: namesInFiles(modelInputNames) };
  const name = tokenizerClass === undefined ? {} : { tokenizer_class: tokenizerClass };
  const changes: JsonObject = { ...pad, ...names, ...name };
  const contents: { readonly [F in TokenizerFileName]?: JsonObject | undefined } = {
    "tokenizer_config.json": Object.keys(changes).length > 0 ? { ...config, ...changes } : undefined,
    "special_tokens_map.json":
      padToken !== undefined && Object.keys(specialTokensMap).length > 0 ? { ...specialTokensMap, ...pad } : undefined,
  };
  return contents;
}

/** What each file is to hold: what was read, to the character where nothing changed. */
function textsOf(files: TokenizerFiles, changes: TokenizerChanges): Map<TokenizerFileName, string> {
  const news = changed(files, changes);
  const originals: { readonly [F in TokenizerFileName]?: JsonObject | undefined } = {
    "tokenizer.json": files.tokenizer,
    "tokenizer_config.json": files.config,
    "special_tokens_map.json": files.specialTokensMap,
    "added_tokens.json": files.addedTokens,
  };
  const texts = new Map<TokenizerFileName, string>();
  for (const name of tokenizerFileNames) {
    const content = news[name];
    const original = originals[name];
    if (content) texts.set(name, stringifyPython(content));
    else if (files.texts?.[name] !== undefined) texts.set(name, files.texts[name]);
    else if (!files.texts && original && Object.keys(original).length > 0) texts.set(name, stringifyPython(original));
  }
  return texts;
}

/**
 * Writes a tokenizer's files into a folder, which is created where it is missing.
 * @throws GraftError `file-access`, `disk-full`
 */
export async function saveTokenizerFiles(
  folder: string,
  files: TokenizerFiles,
  changes: TokenizerChanges,
): Promise<void> {
  await platform.makeDirectory(folder);
  for (const [name, text] of textsOf(files, changes)) {
    await platform.writeFileAtomic(platform.join(folder, name), text);
  }
  const { sentencePiece } = files;
  if (sentencePiece) await platform.writeFileAtomic(platform.join(folder, sentencePiece.name), sentencePiece.bytes);
  const named = Object.entries(files.chatTemplates ?? {}).filter(([name]) => name !== "default");
  if (named.length === 0) return;
  const inner = platform.join(folder, chatTemplateFolder);
  await platform.makeDirectory(inner);
  for (const [name, text] of named) await platform.writeFileAtomic(platform.join(inner, `${name}.jinja`), text);
}
