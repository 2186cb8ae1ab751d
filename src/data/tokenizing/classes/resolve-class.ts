import { GraftError } from "../../../errors.js";
import {
  classAliases,
  classesNotRead,
  classOfModelType,
  classTable,
  plainModelTypes,
  wronglyPublished,
} from "./class-table.js";

export type ClassName = keyof typeof classTable;

/** Names that say no more than that tokenizer.json counts. */
const plainClasses = ["PreTrainedTokenizer", "TokenizersBackend", "PythonBackend", "BloomTokenizer"];

/**
 * The tokenizer class that transformers' AutoTokenizer takes; undefined for tokenizer.json as it is.
 * @param named `tokenizer_class` of tokenizer_config.json, else of config.json
 * @param modelType `model_type` of config.json
 * @throws GraftError `unsupported` for a class whose stages are not known here
 */
export function resolveClass(named: string | undefined, modelType: string | undefined): ClassName | undefined {
  const name = named?.replace(/Fast$/, "");
  const ofModel = modelType === undefined ? undefined : lookUp(classOfModelType, modelType)?.replace(/Fast$/, "");
  if (name === undefined) return ofModel === undefined ? undefined : known(ofModel);
  if (modelType !== undefined && plainModelTypes.includes(modelType)) return undefined;
  if (ofModel !== undefined && ofModel !== name && wronglyPublished.includes(modelType ?? "")) return known(ofModel);
  return known(name);
}

/** The name to write into tokenizer_config.json so that it gives the class without a config.json; undefined if it does. */
export function classToSave(named: string | undefined, className: ClassName | undefined): string | undefined {
  const refused = named !== undefined && classesNotRead.includes(named.replace(/Fast$/, ""));
  if (!refused && resolveClass(named, undefined) === className) return undefined;
  return className ?? "PreTrainedTokenizerFast";
}

function known(name: string): ClassName | undefined {
  if (plainClasses.includes(name)) return undefined;
  const own = lookUp(classAliases, name) ?? name;
  if (Object.hasOwn(classTable, own)) return own as ClassName;
  if (!classesNotRead.includes(own)) return undefined;
  throw new GraftError(
    "unsupported",
    `the tokenizer class ${name} builds its stages in Python code that is not known here`,
    'If tokenizer.json alone is right for the model, write "tokenizer_class": "PreTrainedTokenizerFast" into tokenizer_config.json.',
  );
}

function lookUp(table: { readonly [key: string]: string }, key: string): string | undefined {
  return Object.hasOwn(table, key) ? table[key] : undefined;
}
