import type { Label2Id } from "../../data/index.js";
import { resolveFiles } from "../../hub/index.js";
import { type HeadName, headOfClass } from "../../models/index.js";
import { type LabelMaps, labelMaps } from "../../models/labels.js";

const isGeneric = (name: string): boolean => /^LABEL_\d+$/.test(name);

/** The labels of the model's own head; undefined for a model that was saved without one, or with another than `wanted`. */
export async function labelsOfHead(folder: string, wanted?: HeadName): Promise<LabelMaps | undefined> {
  const raw = await (await resolveFiles(folder, "model")).json("config.json", "the model's config");
  const head = Array.isArray(raw.architectures) ? headOfClass(String(raw.architectures[0])) : undefined;
  const isOther = head === undefined || head === "base" || (wanted !== undefined && head !== wanted);
  if (isOther || typeof raw.id2label !== "object") return undefined;
  return labelMaps({ id2label: raw.id2label as Record<number, string> }, folder);
}

/**
 * The classes that a model is trained for. The model's own head is kept where the data's classes are the head's; else
 * the data's classes make a new one.
 * @param label2id of the training data as its reader found it
 */
export async function trainingLabels(folder: string, head: HeadName, label2id: Label2Id): Promise<LabelMaps> {
  const fromData = labelMaps({ label2id }, "the training data") as LabelMaps;
  const own = await labelsOfHead(folder, head);
  if (own === undefined) return fromData;
  const names = Object.keys(label2id);
  const hasNumbers = names.every(isGeneric);
  const isOwn = hasNumbers
    ? own.numLabels === fromData.numLabels
    : names.every((name) => Object.hasOwn(own.label2id, name));
  return isOwn ? own : fromData;
}
