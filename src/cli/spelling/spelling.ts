import { camelCase, snakeCase } from "../../case.js";
import { keyOf } from "../../options/option-table.js";
import { LoraConfig } from "../../peft/index.js";
import { dataKeys, runKeys } from "../../runs/definition/fields.js";
import { argumentAliases, trainingArgumentFields } from "../../training/arguments/index.js";

/** The flag of a key: text_column -> --text-column. */
export function flagOf(key: string): string {
  return `--${key.replaceAll("_", "-")}`;
}

/** Names of the library whose key or flag is called otherwise on the command line. */
const renamed: Readonly<Record<string, string>> = {
  outputDir: "output",
  resumeFromCheckpoint: "resume",
  trainDataset: "train",
  evalDataset: "eval",
};

/** The key of every option of the library, by the name that the library's messages use. */
const keys: ReadonlyMap<string, string> = new Map([
  ...[...Object.keys(runKeys), ...Object.keys(dataKeys)].map((key) => [camelCase(key), key] as const),
  ...Object.keys(LoraConfig.options).map((field) => [field, keyOf(LoraConfig.options, field)] as const),
  ...[...Object.keys(trainingArgumentFields), ...Object.keys(argumentAliases)].map(
    (name) => [name, snakeCase(name)] as const,
  ),
  ...Object.entries(renamed),
]);

/** Names that only the library has; words such as "bias" or "seed" are the same everywhere. */
const names = [...keys.keys()].filter((name) => /[A-Z]/.test(name)).sort((a, b) => b.length - a.length);

/** A name in running text (no part of a path, of a longer name, or of something quoted), with ": " before a value. */
const mention = new RegExp(
  `(?<![\\w./\\\\"'-])(${names.join("|")})(?![\\w/\\\\"'-]|\\.\\w)(: (?=[["'\\d]|true|false|null))?`,
  "g",
);

const isGiven = (argv: readonly string[], flag: string): boolean =>
  argv.some((word) => word === flag || word.startsWith(`${flag}=`));

/**
 * A message of the library in the words of the command line: names of options become the flag, or the key where the
 * user wrote a run file and not the flag. `key: value` stays a line of a run file.
 * @param argv what follows the program's name
 */
export function userSpelling(text: string, argv: readonly string[] = process.argv.slice(2)): string {
  const hasRunFile = argv.some((word) => /\.ya?ml$/i.test(word));
  return text.replaceAll(/\bTrainingArguments: /g, "").replaceAll(mention, (_, name: string, colon: string = "") => {
    const key = keys.get(name) ?? name;
    const flag = flagOf(key);
    const isKey = colon !== "" || (hasRunFile && !isGiven(argv, flag));
    return (isKey ? key : flag) + colon;
  });
}
