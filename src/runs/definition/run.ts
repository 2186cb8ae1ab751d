import type { OptionTable } from "../../options/option-table.js";
import type { TrainingArgumentsOptions } from "../../training/index.js";
import type { dataOptions, runOptions } from "./options.js";

type Given<T extends OptionTable> = { readonly [F in keyof T]?: T[F]["default"] };

/** The settings of a run as they were given, by the library's names; nothing is filled in. */
export interface Run extends Given<typeof runOptions> {
  readonly data: Given<typeof dataOptions>;
  /**
   * Options of tuning methods by the method's name, e.g. `{ lora: { r: 16 } }`. With `method` the others are alternatives
   * that wait; without it there is one at most.
   */
  readonly methods: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  /** Options of TrainingArguments; `outputDir` is `output`. */
  readonly training: TrainingArgumentsOptions;
}

/** A run with what training cannot do without. */
export interface CompleteRun extends Run {
  readonly model: string;
  readonly output: string;
  readonly data: Run["data"] & { readonly train: string };
}

/** One setting, checked; without a field the section alone, which names a method. */
export interface Setting {
  readonly section: string;
  readonly field?: string;
  readonly value?: unknown;
}

/** Later settings win over earlier ones. */
export function runOf(settings: readonly Setting[]): Run {
  const methods: Record<string, Record<string, unknown>> = {};
  const top: Record<string, unknown> = {};
  const groups: { readonly [name: string]: Record<string, unknown> } = { "": top, data: {}, training: {} };
  for (const { section, field, value } of settings) {
    let group = groups[section] ?? methods[section];
    if (group === undefined) {
      group = {};
      methods[section] = group;
    }
    if (field !== undefined) group[field] = value;
  }
  return { ...top, data: groups.data, training: groups.training, methods } as unknown as Run;
}
