import { type Command, Option } from "commander";
import * as z from "zod";
import { camelCase, snakeCase } from "../../case.js";
import { type SectionName, sections } from "../../runs/definition/fields.js";
import { readRunFile } from "../../runs/definition/read.js";
import { type Run, runOf, type Setting } from "../../runs/definition/run.js";
import { argumentAliases } from "../../training/arguments/index.js";
import { flagOf, userSpelling } from "../spelling/spelling.js";
import { UsageError } from "../spelling/usage-error.js";

const headings: { readonly [S in SectionName]: string } = {
  "": "Run:",
  data: "Data (section data):",
  lora: "LoRA (section lora; names and defaults of PEFT):",
  training: "Training (section training; names and defaults of transformers):",
};

const takes = (schema: z.ZodType, value: unknown): boolean => schema.safeParse(value).success;
const isSwitch = (schema: z.ZodType): boolean => takes(schema, true) && !takes(schema, "gaussian");
const isList = (schema: z.ZodType): boolean => takes(schema, ["accuracy"]);
const isPattern = (text: string): boolean => text === "all-linear" || /[\\^$*+?()[\]{}|]/.test(text);

/** A flag's text as the value that the key takes: a number, a list ("query,value"), or the text itself. */
function parsedFlag(schema: z.ZodType, text: string, flag: string): unknown {
  const words: Readonly<Record<string, unknown>> = { true: true, false: false, null: null };
  const number = text.trim() === "" ? Number.NaN : Number(text);
  const list = text.split(",").map((item) => item.trim());
  const candidates: unknown[] = [
    ...(isList(schema) && !(takes(schema, text) && isPattern(text)) ? [list] : []),
    ...(Object.hasOwn(words, text) ? [words[text]] : []),
    ...(Number.isFinite(number) ? [number] : []),
    text,
  ];
  const fitting = candidates.find((candidate) => takes(schema, candidate));
  if (fitting !== undefined) return fitting;
  const reason = schema.safeParse(candidates[0]).error?.issues[0]?.message ?? "invalid";
  throw new UsageError(`${flag} ${text}: ${reason}`, `${flag}: ${described(schema)}.`);
}

/** The words that a key takes; undefined where it takes others too. */
function choicesOf(schema: z.ZodType): readonly string[] | undefined {
  const inner = schema instanceof z.ZodDefault ? (schema.def.innerType as z.ZodType) : schema;
  return inner instanceof z.ZodEnum ? inner.options.map(String) : undefined;
}

/** Longer lists of words go into the description, so that the column of flags stays narrow. */
const LONGEST_CHOICES = 22;

/** What a key means, with options as flags. */
const described = (schema: z.ZodType): string => userSpelling(schema.description ?? "", []);

function helpOf(schema: z.ZodType): string {
  const words = (choicesOf(schema) ?? []).join(", ");
  const help = described(schema);
  return words.length > LONGEST_CHOICES ? `${words}. ${help}` : help;
}

/** The name that stands for a flag's value in the help. */
function valueName(schema: z.ZodType): string {
  const choices = choicesOf(schema);
  if (choices && choices.join("|").length <= LONGEST_CHOICES) return `<${choices.join("|")}>`;
  if (isList(schema)) return "<a,b,...>";
  const isText = takes(schema, "x");
  const isNumber = takes(schema, 1) || takes(schema, 0.5);
  return isText && !isNumber ? "<text>" : isNumber && !isText ? "<number>" : "<value>";
}

/** Names of older transformers, which run files may use as well. Help leaves them out. */
const oldKeys: { readonly [S in SectionName]: readonly string[] } = {
  "": [],
  data: [],
  lora: [],
  training: Object.keys(argumentAliases).map(snakeCase),
};
const oldValue = z.union([z.boolean(), z.number(), z.string()]);

/**
 * Adds one flag for each key of some sections.
 * @param otherHelp what keys mean to this command, where that is not what they mean to training
 */
export function addRunFlags(
  command: Command,
  names: readonly SectionName[],
  only?: ReadonlySet<string>,
  otherHelp: Readonly<Record<string, string>> = {},
): void {
  for (const section of names) {
    for (const [key, schema] of Object.entries(sections[section])) {
      if (only && !only.has(key)) continue;
      const flag = flagOf(key);
      const help = otherHelp[key] ?? helpOf(schema);
      if (isSwitch(schema)) {
        // Help shows the form that changes something; the other one exists for run files that say otherwise.
        const isOn = /Default: true$/.test(help);
        const turnsOff = `Turns off: ${help.replace(/\. Default: true$/, "")}`;
        const [on, off] = [new Option(flag, help), new Option(flag.replace("--", "--no-"), turnsOff)];
        command.addOption(on.helpGroup(headings[section]).hideHelp(isOn));
        command.addOption(off.helpGroup(headings[section]).hideHelp(!isOn));
      } else {
        command.addOption(new Option(`${flag} ${valueName(schema)}`, help).helpGroup(headings[section]));
      }
    }
    if (only) continue;
    for (const key of oldKeys[section]) command.addOption(new Option(`${flagOf(key)} [value]`).hideHelp());
  }
}

/** The settings that flags gave. @throws UsageError for a value that a key does not take */
export function settingsOfFlags(options: Readonly<Record<string, unknown>>, names: readonly SectionName[]): Setting[] {
  return names.flatMap((section) => {
    const old = oldKeys[section].map((key): [string, z.ZodType] => [key, oldValue]);
    return [...Object.entries(sections[section]), ...old].flatMap(([key, schema]): Setting[] => {
      const given = options[camelCase(key)];
      if (given === undefined) return [];
      const value = typeof given === "string" ? parsedFlag(schema, given, flagOf(key)) : given;
      return [{ section, key, value }];
    });
  });
}

const shorthands: Readonly<Record<string, string>> = {
  alpha: "lora_alpha",
  dropout: "lora_dropout",
  targets: "target_modules",
  exclude: "exclude_modules",
  save: "modules_to_save",
  init: "init_lora_weights",
  rslora: "use_rslora",
};

/**
 * A LoRA config on one line: `r=16,alpha=16,targets=query,value`. An item without "=" continues the list before it.
 * @throws UsageError naming the key
 */
export function settingsOfLoraLine(line: string): Setting[] {
  const pairs: { key: string; text: string }[] = [];
  for (const item of line.split(",")) {
    const at = item.indexOf("=");
    const last = pairs.at(-1);
    if (at >= 0) pairs.push({ key: item.slice(0, at).trim(), text: item.slice(at + 1).trim() });
    else if (last) last.text += `,${item.trim()}`;
    else
      throw new UsageError(`--lora ${line}: "${item}" has no "="`, "Write --lora r=16,alpha=16,targets=query,value.");
  }
  return pairs.map(({ key, text }): Setting => {
    const full = shorthands[key] ?? key;
    const schema = Object.hasOwn(sections.lora, full) ? sections.lora[full] : undefined;
    if (schema === undefined) {
      const known = [...Object.keys(sections.lora), ...Object.keys(shorthands)].join(", ");
      throw new UsageError(`--lora has no key "${key}"`, `Its keys: ${known}.`);
    }
    return { section: "lora", key: full, value: parsedFlag(schema, text, `--lora ${key}`) };
  });
}

/** A whole number above 0 from a flag. @throws UsageError */
export function countFlag(flag: string, text: string): number {
  const count = Number(text);
  if (Number.isInteger(count) && count > 0) return count;
  throw new UsageError(`${flag} ${text}`, `${flag} takes a whole number above 0.`);
}

/** A run from a file, if one is named, and the flags, which win. */
export async function readRun(
  file: string | undefined,
  options: Readonly<Record<string, unknown>>,
  names: readonly SectionName[],
): Promise<Run> {
  const fromFlags = settingsOfFlags(options, names);
  const fromFile = file === undefined ? [] : await readRunFile(file);
  return runOf([...fromFile, ...fromFlags]);
}
