import type { Label2Id, LabelsAre } from "../../data/index.js";
import type { ProblemType } from "../../problem-type.js";
import type { DataOptions } from "../../tasks/index.js";
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
