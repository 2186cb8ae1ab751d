import { type Command, Option } from "commander";
import { keyOf } from "../../options/option-table.js";
import { defaultMethod, methodOf } from "../../runs/definition/method.js";
import { readRunFile } from "../../runs/definition/read.js";
import { type Run, runOf, type Setting } from "../../runs/definition/run.js";
import { type Section, sections, settingField } from "../../runs/definition/sections.js";
import { flagOf } from "../spelling/spelling.js";
import { UsageError } from "../spelling/usage-error.js";
import { settingsOfLines } from "./method-lines.js";
import { attributeOf, helpOf, isRepeated, optionValue, valueName } from "./values.js";

/** Sections whose options have flags of their own: all but those of the methods beside the default one. */
export function plainSections(): Section[] {
  const usual = defaultMethod().name;
  return sections().filter(({ isMethod, name }) => !isMethod || name === usual);
}

function headingOf({ name, isMethod }: Section): string {
  if (name === "") return "Run:";
  const source = isMethod ? "; names and defaults of PEFT" : name === "training" ? "; those of transformers" : "";
  return `${name[0]?.toUpperCase()}${name.slice(1)} (section ${name}${source}):`;
}

export interface RunFlags {
  /** Names of the sections. */
  readonly sections: readonly string[];
  /** The options that a verb takes, by field. Default: all of the sections. */
  readonly only?: ReadonlySet<string>;
  /** What options mean to a verb, where that is not what they mean to training. */
  readonly otherHelp?: Readonly<Record<string, string>>;
}

const collect = (text: string, before: readonly string[] | undefined): string[] => [...(before ?? []), text];

/** Adds one flag for each option of some sections. */
export function addRunFlags(command: Command, { sections: names, only, otherHelp = {} }: RunFlags): void {
  for (const section of plainSections().filter(({ name }) => names.includes(name))) {
    const heading = headingOf(section);
    for (const [field, option] of Object.entries(section.options)) {
      if (only && !only.has(field)) continue;
      const flag = flagOf(keyOf(section.options, field));
      const help = otherHelp[field] ?? helpOf(option);
      if (option.kind === "switch") {
        // Help shows the form that changes something; the other one exists for run files that say otherwise.
        const isOn = option.default === true;
        const off = new Option(flag.replace("--", "--no-"), `Turns off: ${option.help}`);
        command.addOption(new Option(flag, help).helpGroup(heading).hideHelp(isOn));
        command.addOption(off.helpGroup(heading).hideHelp(!isOn));
        continue;
      }
      const shown = new Option(`${flag} ${valueName(option)}`, help).helpGroup(heading);
      command.addOption(isRepeated(option) ? shown.argParser(collect) : shown);
    }
    if (only) continue;
    for (const key of section.oldKeys) command.addOption(new Option(`${flagOf(key)} [value]`).hideHelp());
  }
}

/** A flag of an old name: what it may be is for those to say who know the new one. */
function oldValue(given: unknown): unknown {
  if (typeof given !== "string") return given;
  if (given === "true" || given === "false") return given === "true";
  return given.trim() === "" || Number.isNaN(Number(given)) ? given : Number(given);
}

/** The settings that flags of their own gave. @throws UsageError for a value that an option does not take */
export function settingsOfFlags(options: Readonly<Record<string, unknown>>, names: readonly string[]): Setting[] {
  return plainSections().flatMap((section): Setting[] => {
    if (!names.includes(section.name)) return [];
    const plain = Object.entries(section.options).flatMap(([field, option]): Setting[] => {
      const key = keyOf(section.options, field);
      const given = options[attributeOf(flagOf(key))];
      if (given === undefined) return [];
      const texts = Array.isArray(given) ? (given as string[]) : [String(given)];
      const value = typeof given === "boolean" ? given : optionValue(option, texts, flagOf(key));
      return [{ section: section.name, field, value }];
    });
    const old = section.oldKeys.flatMap((key): Setting[] => {
      const given = options[attributeOf(flagOf(key))];
      const field = settingField(section, key);
      return given === undefined || field === undefined
        ? []
        : [{ section: section.name, field, value: oldValue(given) }];
    });
    return [...plain, ...old];
  });
}

/** A whole number above 0 from a flag. @throws UsageError */
export function countFlag(flag: string, text: string): number {
  const count = Number(text);
  if (Number.isInteger(count) && count > 0) return count;
  throw new UsageError(`${flag} ${text}`, `${flag} takes a whole number above 0.`);
}

/** Flags of another method than the run's would have no effect. @throws UsageError naming one of them */
function requireOfMethod(run: Run, fromFlags: readonly Setting[]): void {
  const methods = plainSections().filter(({ isMethod }) => isMethod);
  const given = fromFlags.filter(({ section }) => section !== "" && Object.hasOwn(run.methods, section));
  if (given.length === 0) return;
  const chosen = methodOf(run).name;
  const [stray] = given.filter(({ section }) => section !== chosen);
  if (stray === undefined) return;
  const table = methods.find(({ name }) => name === stray.section)?.options;
  const flag = table && stray.field !== undefined ? flagOf(keyOf(table, stray.field)) : flagOf(stray.section);
  throw new UsageError(
    `${flag} is of the method ${stray.section}, but the run's method is ${chosen}`,
    `Write ${flagOf(chosen)} key=value,..., or choose the method with --method ${stray.section}.`,
  );
}

/**
 * A run from a file, if one is named, and the flags, which win.
 * @param names of the sections that the verb has flags of
 */
export async function readRun(
  file: string | undefined,
  options: Readonly<Record<string, unknown>>,
  names: readonly string[],
): Promise<Run> {
  const fromFlags = [...settingsOfFlags(options, names), ...settingsOfLines(options)];
  const fromFile = file === undefined ? [] : await readRunFile(file);
  const run = runOf([...fromFile, ...fromFlags]);
  requireOfMethod(run, fromFlags);
  return run;
}
