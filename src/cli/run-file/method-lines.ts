import { type Command, Option } from "commander";
import { nearest } from "../../nearest.js";
import { fieldOf, keyOf, type OptionTable } from "../../options/option-table.js";
import { tuners } from "../../peft/index.js";
import { defaultMethod } from "../../runs/definition/method.js";
import type { Setting } from "../../runs/definition/run.js";
import { keysOf, type Section, sections } from "../../runs/definition/sections.js";
import { flagOf } from "../spelling/spelling.js";
import { UsageError } from "../spelling/usage-error.js";
import { attributeOf, helpOf, optionValue } from "./values.js";

const methodSections = (): Section[] => sections().filter(({ isMethod }) => isMethod);

/** Adds one flag for each tuning method: all its options on one line. */
export function addMethodLines(command: Command): void {
  for (const { name, help } of tuners()) {
    const heading = "Methods, one line each (run files: a section of the name):";
    const line = new Option(`${flagOf(name)} <key=value,...>`, help).helpGroup(heading);
    // Given twice, the second line goes on where the first one ended.
    command.addOption(line.argParser((text: string, before?: string) => (before ? `${before},${text}` : text)));
  }
}

/** The options of the methods that have no flags of their own, for the end of a help. */
export function methodsHelp(): string {
  const others = methodSections().filter(({ name }) => name !== defaultMethod().name);
  const lines = others.map((section) => {
    const fields = Object.entries(section.options);
    const width = Math.max(...keysOf(section).map((key) => key.length));
    const rows = fields.map(
      ([field, option]) => `    ${keyOf(section.options, field).padEnd(width)}  ${helpOf(option)}`,
    );
    return `  ${flagOf(section.name)}\n${rows.join("\n")}`;
  });
  return lines.length === 0 ? "" : `\nOptions of the other methods:\n${lines.join("\n")}\n`;
}

/** The one option among some that a word means: the last word of its key, else the first, else any of them. */
function shorthand(options: OptionTable, word: string): string | undefined {
  // Nobody who writes "rank=3" means a table of ranks.
  const plain = Object.keys(options).filter((field) => options[field]?.kind !== "record");
  const all = plain.map((field) => ({ field, words: keyOf(options, field).split("_") }));
  const ways: ((words: readonly string[]) => boolean)[] = [
    (words) => words.at(-1) === word,
    (words) => words[0] === word || `${words[0]}s` === word,
    (words) => words.includes(word),
  ];
  for (const fits of ways) {
    const found = all.filter(({ words }) => fits(words));
    if (found.length === 1) return found[0]?.field;
  }
  return undefined;
}

/**
 * A method's options on one line: `r=16,alpha=16,targets=query,value`. An item without "=" continues the list before it;
 * a word of a key stands for the key where no other has it.
 * @throws UsageError naming the key
 */
export function settingsOfLine(method: string, line: string): Setting[] {
  const flag = flagOf(method);
  const section = methodSections().find(({ name }) => name === method);
  if (section === undefined) throw new UsageError(`there is no method "${method}"`, "graft train --help lists them.");
  const pairs: { key: string; text: string }[] = [];
  for (const item of line.split(",")) {
    const at = item.indexOf("=");
    const last = pairs.at(-1);
    if (at >= 0) pairs.push({ key: item.slice(0, at).trim(), text: item.slice(at + 1).trim() });
    else if (last) last.text += `,${item.trim()}`;
    else throw new UsageError(`${flag} ${line}: "${item}" has no "="`, `Write ${flag} key=value,key=value.`);
  }
  return pairs.map(({ key, text }): Setting => {
    const field = fieldOf(section.options, key) ?? shorthand(section.options, key);
    const option = field === undefined ? undefined : section.options[field];
    if (field === undefined || option === undefined) {
      const keys = keysOf(section);
      const near = nearest(key, keys, 1)[0];
      throw new UsageError(`${flag} has no key "${key}"`, `Did you mean "${near}"? Its keys: ${keys.join(", ")}.`);
    }
    return { section: method, field, value: optionValue(option, [text], `${flag} ${key}`) };
  });
}

/**
 * The settings of the method lines that flags gave, and the method that they name.
 * @throws UsageError for lines of two methods
 */
export function settingsOfLines(options: Readonly<Record<string, unknown>>): Setting[] {
  const given = methodSections().flatMap(({ name }) => {
    const line = options[attributeOf(flagOf(name))];
    return typeof line === "string" ? [{ name, line }] : [];
  });
  const [first, second] = given;
  if (first === undefined) return [];
  if (second !== undefined) {
    throw new UsageError(
      `${flagOf(first.name)} and ${flagOf(second.name)} are two methods`,
      "A run has one: leave one of them out.",
    );
  }
  const method: Setting[] = options.method === undefined ? [{ section: "", field: "method", value: first.name }] : [];
  return [...method, ...settingsOfLine(first.name, first.line)];
}
