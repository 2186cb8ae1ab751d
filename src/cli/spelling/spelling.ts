import { snakeCase } from "../../case.js";
import { keyOf } from "../../options/option-table.js";
import { defaultMethod } from "../../runs/definition/method.js";
import { sections } from "../../runs/definition/sections.js";

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
  label2id: "labels",
  id2label: "labels",
};

const isGiven = (argv: readonly string[], flag: string): boolean =>
  argv.some((word) => word === flag || word.startsWith(`${flag}=`));

/** The method whose options a message means, where several have one of that name. */
function methodIn(argv: readonly string[], names: readonly string[]): string {
  const at = argv.lastIndexOf("--method");
  const named = argv.findLast((word) => word.startsWith("--method="))?.slice("--method=".length) ?? argv[at + 1];
  const line = names.find((name) => isGiven(argv, flagOf(name)));
  return (at < 0 && !isGiven(argv, "--method") ? line : named) ?? defaultMethod().name;
}

interface Spelling {
  readonly key: string;
  readonly flag: string;
}

/** How an option of the library is called on the command line and in run files; undefined for what is no option there. */
function spellingOf(name: string, argv: readonly string[]): Spelling | undefined {
  const other = renamed[name];
  if (other !== undefined) return { key: other, flag: flagOf(other) };
  const all = sections();
  const methods = all.filter(({ isMethod }) => isMethod);
  const method = methodIn(
    argv,
    methods.map((section) => section.name),
  );
  const chosen = methods.filter((section) => section.name === method);
  const rest = methods.filter((section) => section.name !== method);
  for (const section of [...all.filter(({ isMethod }) => !isMethod), ...chosen, ...rest]) {
    const isOld = section.oldKeys.includes(snakeCase(name));
    if (!isOld && !Object.hasOwn(section.options, name)) continue;
    const key = isOld ? snakeCase(name) : keyOf(section.options, name);
    const isPlain = !section.isMethod || section.name === defaultMethod().name;
    return { key, flag: isPlain ? flagOf(key) : `${flagOf(section.name)} ${key}` };
  }
  return undefined;
}

/** A value as messages write it. */
const value = String.raw`true|false|null|-?\d[\w.-]*(?<!\.)|"[^"]*"|'[^']*'|\[[^\]]*\]`;

/** A word of running text in camelCase: no part of a path, of a longer name, or of something quoted; with a value after ": ". */
const camelWord = new RegExp(
  String.raw`(?<![\w./\\"'\x60-])([a-z]+[A-Z]\w*)(?![\w/\\"'\x60-]|\.\w)(?:: (${value}))?`,
  "g",
);

/** An option's name that messages mark, since it may be an ordinary word; "set `header` to false" with its value. */
const markedWord = /(?:\b([Ss]et) )?`([a-z]\w*)`(?: to (true|false)\b)?/g;

/** A value as the command line takes it: texts without quotes, lists with commas. */
function plainValue(text: string): string {
  const bare = text.replace(/^\[(.*)\]$/, "$1").replaceAll(/["']([^"'\s]*)["']/g, "$1");
  return text.startsWith("[") ? bare.replaceAll(", ", ",") : bare;
}

const offFlag = (flag: string): string => flag.replace("--", "--no-");

/**
 * A message of the library in the words of the command line: names of options become the flag, or the key where the
 * user wrote a run file and not the flag.
 * @param option the option that the message is about: its name may be an ordinary word ("r")
 * @param argv what follows the program's name
 */
export function userSpelling(text: string, option?: string, argv: readonly string[] = process.argv.slice(2)): string {
  const hasRunFile = argv.some((word) => /\.ya?ml$/i.test(word));
  const isInFile = (flag: string) => hasRunFile && !isGiven(argv, flag);
  const spelled = (name: string): string => {
    const spelling = spellingOf(name, argv);
    if (spelling === undefined) return name;
    return isInFile(spelling.flag) ? spelling.key : spelling.flag;
  };
  const assigned = (name: string, given: string): string => {
    const spelling = spellingOf(name, argv);
    if (spelling === undefined) return `${name}: ${given}`;
    const { key, flag } = spelling;
    if (isInFile(flag)) return `${key}: ${given}`;
    if (given === "true") return flag;
    return given === "false" ? offFlag(flag) : `${flag}${flag.includes(" ") ? "=" : " "}${plainValue(given)}`;
  };
  const marked = (whole: string, set: string | undefined, name: string, given: string | undefined): string => {
    const spelling = spellingOf(name, argv);
    if (spelling === undefined) return whole;
    const word = spelled(name);
    if (set === undefined || given === undefined || isInFile(spelling.flag)) return whole.replace(`\`${name}\``, word);
    return `${set === "Set" ? "Give" : "give"} ${given === "true" ? word : offFlag(word)}`;
  };
  const about = option !== undefined && /^\w+$/.test(option) && option === option.toLowerCase() ? option : undefined;
  const plain = text.replace(/^TrainingArguments: /, "").replace(/^TrainingArguments has both/, "there are both");
  const words = plain
    .replaceAll(camelWord, (_, name: string, given?: string) =>
      given === undefined ? spelled(name) : assigned(name, given),
    )
    .replaceAll(markedWord, marked);
  // An ordinary word is the option only where something is said about it.
  return about === undefined
    ? words
    : words.replace(new RegExp(`(?<![\\w./\\\\"'-])${about}(?= (is|must|has|names)\\b)`, "g"), (name) => spelled(name));
}
