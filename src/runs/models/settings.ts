import * as z from "zod";
import { camelCase, snakeCase } from "../../case.js";
import { checked } from "../../checked.js";
import type { LabelsAre } from "../../data/index.js";
import { tooLongChoices } from "../../data/index.js";
import { outputPath, resolveFiles, writeJson } from "../../hub/index.js";
import { type LabelMaps, labelMaps } from "../../models/labels.js";
import { type ProblemType, problemTypes } from "../../problem-type.js";
import { type LanguageOptions, type TaskName, taskNames } from "../../tasks/index.js";

/** The file beside an adapter that holds what PEFT's files have no place for. */
export const SETTINGS_FILE = "graft.json";

/** What prediction needs to know of the training run: the names of the classes above all. */
export interface Settings {
  readonly task: TaskName;
  readonly problemType: ProblemType;
  readonly labels: LabelMaps | undefined;
  /** How labels were read that are class names and class numbers at once. */
  readonly labelsAre?: LabelsAre | undefined;
  readonly maxLength: number | undefined;
  /** How pictures were prepared, where the run said so. */
  readonly transforms: "resize" | "augment" | undefined;
  /** What of its texts a language model learnt, where the run said so. */
  readonly language: LanguageOptions | undefined;
}

const schema = z.object({
  task: z.enum(taskNames),
  problem_type: z.enum(problemTypes).default("single_label_classification"),
  id2label: z.record(z.string(), z.string()).nullish(),
  label2id: z.record(z.string(), z.int()).nullish(),
  labels_are: z.enum(["names", "numbers"]).nullish(),
  max_length: z.int().positive().nullish(),
  transforms: z.enum(["resize", "augment"]).nullish(),
  language: z
    .object({
      assistant_only: z.boolean().optional(),
      completion_only: z.boolean().optional(),
      packing: z.boolean().optional(),
      too_long: z.enum(tooLongChoices).optional(),
      chat_template: z.string().optional(),
    })
    .nullish(),
});

const inCase = (object: object, spell: (name: string) => string): Record<string, unknown> =>
  Object.fromEntries(Object.entries(object).map(([name, value]) => [spell(name), value]));

/** Writes graft.json into a folder. id2label and label2id are written as in config.json. */
export async function writeSettings(folder: string, settings: Settings): Promise<void> {
  const { task, problemType, labels, labelsAre, maxLength, transforms, language } = settings;
  await writeJson(outputPath(folder, SETTINGS_FILE), {
    task,
    problem_type: problemType,
    ...(labels && { id2label: labels.id2label, label2id: labels.label2id }),
    ...(labelsAre && { labels_are: labelsAre }),
    ...(maxLength !== undefined && { max_length: maxLength }),
    ...(transforms !== undefined && { transforms }),
    ...(language && { language: inCase(language, snakeCase) }),
  });
}

/** Reads graft.json; undefined where the folder has none. @throws GraftError `invalid-json`, `invalid-config` */
export async function readSettings(folder: string): Promise<Settings | undefined> {
  const files = await resolveFiles(folder);
  if (!(await files.has(SETTINGS_FILE))) return undefined;
  const path = files.place(SETTINGS_FILE);
  const hint = "Restore the file that graft train wrote, or remove it and name the labels with --labels.";
  const raw = checked(schema, await files.json(SETTINGS_FILE, "settings of the training run"), path, hint);
  const { task, problem_type: problemType, id2label, label2id, transforms } = raw;
  const maps = { ...(id2label && { id2label }), ...(label2id && { label2id }) };
  const labels = labelMaps(maps, path);
  return {
    task,
    problemType,
    labels,
    labelsAre: raw.labels_are ?? undefined,
    maxLength: raw.max_length ?? undefined,
    transforms: transforms ?? undefined,
    language: raw.language ? (inCase(raw.language, camelCase) as LanguageOptions) : undefined,
  };
}
