import * as z from "zod";
import { snakeCase } from "../case.js";
import { GraftError } from "../errors.js";
import { shown } from "../json.js";

/** What the values of an option look like, for whoever reads them from a text: a command line, a form. */
export type OptionKind =
  | "switch"
  | "integer"
  | "number"
  | "text"
  /** One of the words that the schema lists. */
  | "choice"
  /** Texts. */
  | "list"
  /** Texts, or one text with a meaning of its own (a regular expression, "all-linear"). */
  | "pattern"
  /** Texts to values. */
  | "record"
  /** Values of several kinds, each written as in JSON. */
  | "mixed";

/** One option: everything that is known of it stands here, and nowhere else. */
export interface Option<T = unknown> {
  readonly schema: z.ZodType<T>;
  readonly default: T;
  readonly kind: OptionKind;
  /** What it means, for people who look for it. */
  readonly help: string;
  /** What it may be: "ranks are ...", the hint of an error. */
  readonly expected: string;
  /** Its name in JSON and YAML; the field's name in snake_case where it is not given. */
  readonly key?: string;
}

/** The options of a config by their names in TypeScript. */
export type OptionTable = { readonly [field: string]: Option };

/** The values of a table's options, all filled in. */
export type OptionValues<T extends OptionTable> = { readonly [F in keyof T]: T[F]["default"] };

/** The words of a choice. */
export function wordsOf({ schema }: Pick<Option, "schema">): readonly string[] | undefined {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodNullable) {
    return wordsOf({ schema: schema.unwrap() as z.ZodType });
  }
  return schema instanceof z.ZodEnum ? schema.options.map(String) : undefined;
}

/** Declares an option. */
export function option<T>(
  kind: OptionKind,
  schema: z.ZodType<T>,
  usual: NoInfer<T>,
  { help, expected, key }: { help: string; expected?: string; key?: string },
): Option<T> {
  const words = kind === "choice" ? wordsOf({ schema })?.map((word) => JSON.stringify(word)) : undefined;
  const stated = expected ?? words?.join(", ") ?? defaultExpectation[kind];
  return { schema, default: usual, kind, help, expected: stated, ...(key === undefined ? {} : { key }) };
}

const defaultExpectation: { readonly [K in OptionKind]: string } = {
  switch: "true or false",
  integer: "a whole number",
  number: "a number",
  text: "a text",
  choice: "one of its words",
  list: "a list of texts",
  pattern: "a list of names, or one text",
  record: "an object",
  mixed: "one of the values that its description names",
};

/** The JSON name of an option. */
export function keyOf(table: OptionTable, field: string): string {
  return table[field]?.key ?? snakeCase(field);
}

/** The option that a JSON name belongs to; undefined for none. */
export function fieldOf(table: OptionTable, key: string): string | undefined {
  return Object.keys(table).find((field) => keyOf(table, field) === key);
}

/** The defaults of a table. */
export function defaultsOf<T extends OptionTable>(table: T): OptionValues<T> {
  return Object.fromEntries(
    Object.entries(table).map(([field, { default: usual }]) => [field, usual]),
  ) as OptionValues<T>;
}

/**
 * All options of a table: those given, checked, and the defaults.
 * @param given options by field; undefined counts as not given
 * @param where names the config in messages
 * @param spell how a field is called where the options come from: a file has JSON names
 * @throws GraftError `invalid-config` with the field as its `option`
 */
export function checkedOptions<T extends OptionTable>(
  table: T,
  given: Readonly<Record<string, unknown>>,
  where: string,
  spell: (field: string) => string = (field) => field,
): OptionValues<T> {
  const unknown = Object.keys(given).filter((field) => given[field] !== undefined && !Object.hasOwn(table, field));
  if (unknown.length > 0) {
    throw new GraftError(
      "invalid-config",
      `${where} has no option ${unknown.map((field) => JSON.stringify(field)).join(", ")}`,
      `Its options: ${Object.keys(table).join(", ")}.`,
    );
  }
  const values: Record<string, unknown> = { ...defaultsOf(table) };
  for (const [field, { schema, expected }] of Object.entries(table)) {
    const value = given[field];
    if (value === undefined) continue;
    const result = schema.safeParse(value);
    if (!result.success) {
      throw new GraftError(
        "invalid-config",
        `${where}: ${spell(field)} is ${shown(value)}`,
        `${spell(field)} must be ${expected}.`,
        { option: field },
      );
    }
    values[field] = result.data;
  }
  return values as OptionValues<T>;
}
