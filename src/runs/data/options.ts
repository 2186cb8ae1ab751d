import type { Label2Id, LabelsAre } from "../../data/index.js";
import type { ProblemType } from "../../problem-type.js";
import type { DataOptions, LanguageOptions } from "../../tasks/index.js";
import type { Run } from "../definition/run.js";

/** The keys of the section data that say how any file is read. */
const readingKeys = [
  "format",
  "delimiter",
  "quoting",
  "header",
  "textColumn",
  "textPairColumn",
  "labelColumn",
  "labelSeparator",
] as const satisfies readonly (keyof Run["data"])[];

/** The keys of the section data that say what a language model learns. */
const languageKeys = [
  "assistantOnly",
  "completionOnly",
  "packing",
  "tooLong",
  "chatTemplate",
] as const satisfies readonly (keyof Run["data"] & keyof LanguageOptions)[];

/** A run's word on what a language model learns; undefined where it says nothing. */
export function languageOptions(keys: Run["data"]): LanguageOptions | undefined {
  const given = languageKeys.flatMap((key) => (keys[key] === undefined ? [] : [[key, keys[key]] as const]));
  return given.length === 0 ? undefined : (Object.fromEntries(given) as LanguageOptions);
}

/** What is not said by keys of the section data. */
export interface ReadingOptions {
  readonly limit?: number | undefined;
  readonly label2id?: Label2Id | undefined;
  readonly labelsAre?: LabelsAre | undefined;
  readonly problemType?: ProblemType | undefined;
  readonly onInfo?: ((line: string) => void) | undefined;
}

/** A run's keys as a task's reader takes them. */
export function dataOptions(keys: Run["data"], options: ReadingOptions = {}): DataOptions {
  const given = [...readingKeys.map((key) => [key, keys[key]] as const), ...Object.entries(options)];
  return Object.fromEntries(given.filter(([, value]) => value !== undefined)) as DataOptions;
}
