import type { Label2Id } from "../../data/index.js";
import { resolveFiles } from "../../hub/index.js";
import { type HeadName, headOfClass } from "../../models/index.js";
import { type LabelMaps, labelMaps } from "../../models/labels.js";
import { type ProblemType, problemTypes } from "../../problem-type.js";

const isGeneric = (name: string): boolean => /^LABEL_\d+$/.test(name);

const configOf = async (folder: string) =>
  (await resolveFiles(folder, "model")).json("config.json", "the model's config");

/** The labels of the model's own head; undefined for a model that was saved without one, or with another than `wanted`. */
export async function labelsOfHead(folder: string, wanted?: HeadName): Promise<LabelMaps | undefined> {
  const raw = await configOf(folder);
  const head = Array.isArray(raw.architectures) ? headOfClass(String(raw.architectures[0])) : undefined;
  const isOther = head === undefined || head === "base" || (wanted !== undefined && head !== wanted);
  if (isOther || typeof raw.id2label !== "object") return undefined;
  return labelMaps({ id2label: raw.id2label as Record<number, string> }, folder);
}

/** The problem type that a model's config.json names; undefined where it names none. */
export async function problemTypeOfConfig(folder: string): Promise<ProblemType | undefined> {
  const { problem_type: given } = await configOf(folder);
  return problemTypes.find((name) => name === given);
}

/** The classes that a model is trained for. */
export interface TrainingLabels {
  readonly labels: LabelMaps;
  /** Whether the head in the model's file is of other classes, so that a new one begins even where shapes are equal. */
  readonly isNewHead: boolean;
  /** What was decided and might surprise. */
  readonly note?: string;
}

const fold = (name: string): string => name.trim().toLowerCase();

const shown = ({ id2label }: LabelMaps): string => Object.values(id2label).slice(0, 10).join(", ");

/** Whether the head's names are all different where case does not count. */
const isFoldable = ({ id2label, numLabels }: LabelMaps): boolean =>
  new Set(Object.values(id2label).map(fold)).size === numLabels;

/** How the data's classes stand to the head's: the same numbers, the same names, or neither. */
function sameClasses(own: LabelMaps, data: LabelMaps): "exact" | "folded" | undefined {
  const names = Object.values(data.id2label);
  if (names.every(isGeneric) && own.numLabels === data.numLabels) return "exact";
  if (names.every((name) => Object.hasOwn(own.label2id, name))) return "exact";
  const folded = new Set(Object.values(own.id2label).map(fold));
  return isFoldable(own) && names.every((name) => folded.has(fold(name))) ? "folded" : undefined;
}

/**
 * The classes that a model is trained for. The model's own head and the order of its classes are kept where the data's
 * classes are the head's, whatever their case; else the data's classes make a new one.
 * @param label2id of the training data as its reader found it
 */
export async function trainingLabels(folder: string, head: HeadName, label2id: Label2Id): Promise<TrainingLabels> {
  const fromData = labelMaps({ label2id }, "the training data") as LabelMaps;
  const own = await labelsOfHead(folder, head);
  if (own === undefined) return { labels: fromData, isNewHead: false };
  const same = sameClasses(own, fromData);
  if (same === undefined) return { labels: fromData, isNewHead: true };
  const isReordered = Object.entries(label2id).some(([name, id]) => own.id2label[id] !== name);
  const isNamed = !Object.keys(label2id).every(isGeneric);
  const isTold = isNamed && (same === "folded" || isReordered);
  return {
    labels: own,
    isNewHead: false,
    ...(isTold && { note: `the model's head and the order of its classes are kept: ${shown(own)}` }),
  };
}

/** Classes that a run names itself: the head is kept where it has as many without names, or the same by every id. */
export async function namedLabels(folder: string, head: HeadName, labels: LabelMaps): Promise<TrainingLabels> {
  const own = await labelsOfHead(folder, head);
  const names = Object.values(own?.id2label ?? {});
  const isSame = Object.entries(labels.id2label).every(([id, name]) => own?.id2label[Number(id)] === name);
  const isUnnamed = [names, Object.values(labels.id2label)].some((some) => some.every(isGeneric));
  return { labels, isNewHead: own !== undefined && !isSame && !isUnnamed };
}
