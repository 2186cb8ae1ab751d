import type { HeadName } from "../models/index.js";
import { imageClassification } from "./image-classification.js";
import type { Task } from "./task.js";
import { textClassification } from "./text-classification.js";
import { textGeneration } from "./text-generation.js";
import { tokenClassification } from "./token-classification.js";

/** Every task by its name; a new one is a file and a row here. */
export const tasks = {
  "text-classification": textClassification,
  "image-classification": imageClassification,
  "token-classification": tokenClassification,
  "text-generation": textGeneration,
} as const satisfies Readonly<Record<string, Task>>;

export type TaskName = keyof typeof tasks;
export const taskNames = Object.keys(tasks) as [TaskName, ...TaskName[]];

/** The task of models with a head; undefined for a head that belongs to none. */
export function taskOfHead(head: HeadName): TaskName | undefined {
  return taskNames.find((name) => tasks[name].head === head);
}

/** The formats of all tasks' data. */
export const dataFormats = [...new Set(taskNames.flatMap((name) => tasks[name].formats))];

export type {
  Cell,
  DataOptions,
  LanguageOptions,
  PredictInputs,
  Prediction,
  PredictionOptions,
  Processing,
  ProcessingOptions,
  Task,
  TaskData,
  TaskMetrics,
} from "./task.js";
