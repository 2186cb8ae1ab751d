import type * as z from "zod";
import type { dataKeys, runKeys, SectionName } from "./fields.js";

type Given<S extends Record<string, z.ZodType>> = { readonly [K in keyof S]?: z.output<S[K]> };

/** The settings of a run as they were given, in run-file spelling; nothing is filled in. */
export interface Run extends Given<typeof runKeys> {
  readonly data: Given<typeof dataKeys>;
  /** PEFT's keys. */
  readonly lora: Readonly<Record<string, unknown>>;
  /** TrainingArguments' names in snake_case. */
  readonly training: Readonly<Record<string, unknown>>;
}

/** A run with what training cannot do without. */
export interface CompleteRun extends Run {
  readonly model: string;
  readonly output: string;
  readonly data: Run["data"] & { readonly train: string };
}

/** One setting, checked. */
export interface Setting {
  readonly section: SectionName;
  readonly key: string;
  readonly value: unknown;
}

/** Later settings win over earlier ones. */
export function runOf(settings: readonly Setting[]): Run {
  const run: Record<string, unknown> & { data: object; lora: object; training: object } = {
    data: {},
    lora: {},
    training: {},
  };
  for (const { section, key, value } of settings) {
    const target = (section === "" ? run : run[section]) as Record<string, unknown>;
    target[key] = value;
  }
  return run as unknown as Run;
}
