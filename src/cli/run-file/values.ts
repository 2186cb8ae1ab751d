import { Option as Flag } from "commander";
import { shown } from "../../json.js";
import { type Option, type OptionKind, wordsOf } from "../../options/option-table.js";
import { userSpelling } from "../spelling/spelling.js";
import { UsageError } from "../spelling/usage-error.js";

const isPattern = (text: string): boolean => text === "all-linear" || /[\\^$*+?()[\]{}|]/.test(text);

const listOf = (texts: readonly string[]): string[] =>
  texts.flatMap((text) => text.split(",")).map((item) => item.trim());

/** A blank is no zero. */
const numberOf = ([text = ""]: readonly string[]): unknown => (text.trim() === "" ? text : Number(text));

const words: Readonly<Record<string, unknown>> = { true: true, false: false, null: null };

/** A text as JSON, or the text itself where it is none. */
function jsonOf([text = ""]: readonly string[]): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** What the texts of an option mean; only lists are made of several. */
const readings: { readonly [K in OptionKind]: (texts: readonly string[]) => unknown } = {
  switch: ([text = ""]) => (Object.hasOwn(words, text) ? words[text] : text),
  integer: numberOf,
  number: numberOf,
  text: ([text]) => text,
  choice: ([text]) => text,
  list: listOf,
  pattern: (texts) => (texts.length === 1 && isPattern(texts[0] ?? "") ? texts[0] : listOf(texts)),
  record: jsonOf,
  mixed: jsonOf,
};

/**
 * The value that texts of the command line give an option.
 * @param given every text that the flag was given; of those that are no list the last one counts
 * @param flag names it in messages
 * @throws UsageError for a value that the option does not take
 */
export function optionValue(option: Option, given: readonly string[], flag: string): unknown {
  const texts = isRepeated(option) ? given : given.slice(-1);
  const isNull = texts.length === 1 && texts[0] === "null" && option.schema.safeParse(null).success;
  const read = option.schema.safeParse(isNull ? null : readings[option.kind](texts));
  // Of several kinds, one may be any text: a column can be called "true".
  const result = read.success || option.kind !== "mixed" ? read : option.schema.safeParse(texts[0]);
  if (result.success) return result.data;
  throw new UsageError(
    `${flag} ${texts.join(" ")}: it must be ${userSpelling(option.expected)}`,
    `${flag}: ${option.help}.`,
  );
}

/** What commander calls the value of a flag: --text-column as textColumn. */
export function attributeOf(flag: string): string {
  return new Flag(`${flag} <value>`).attributeName();
}

/** Whether a flag may be given several times, each adding to the list. */
export function isRepeated({ kind }: Option): boolean {
  return kind === "list" || kind === "pattern";
}

/** Longer lists of words go into the description, so that the column of flags stays narrow. */
const LONGEST_CHOICES = 22;

const joinedWords = (option: Option): string => (option.kind === "choice" ? (wordsOf(option) ?? []).join("|") : "");

const valueNames: { readonly [K in Exclude<OptionKind, "switch" | "choice">]: string } = {
  integer: "<number>",
  number: "<number>",
  text: "<text>",
  list: "<a,b,...>",
  pattern: "<a,b,...>",
  record: "<json>",
  mixed: "<value>",
};

/** What stands for a flag's value in the help; "" for a switch. */
export function valueName(option: Option): string {
  if (option.kind === "switch") return "";
  if (option.kind !== "choice") return valueNames[option.kind];
  const choices = joinedWords(option);
  return choices.length <= LONGEST_CHOICES ? `<${choices}>` : "<word>";
}

/** What an option means, with its words where they are too long for the flag, and its default. */
export function helpOf(option: Option): string {
  const { default: usual, help } = option;
  const choices = joinedWords(option);
  const isPlain =
    usual === null || usual === undefined || (typeof usual === "object" && Object.keys(usual).length === 0);
  const said = isPlain ? help : `${help}. Default: ${typeof usual === "string" ? usual : shown(usual)}`;
  return choices.length > LONGEST_CHOICES ? `${choices.replaceAll("|", ", ")}. ${said}` : said;
}
