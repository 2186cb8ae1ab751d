import { GraftError } from "../../errors.js";
import type { Metric, TagSequences } from "./metric.js";

/** A run of words that is one entity; `end` is its last word. */
export interface Entity {
  readonly type: string;
  readonly start: number;
  readonly end: number;
}

/** "B-PER" as ["B", "PER"]; a tag without a type has the type "_". */
function parts(tag: string): [position: string, type: string] {
  const rest = tag.slice(1);
  return [tag.slice(0, 1), rest.slice(rest.indexOf("-") + 1) || "_"];
}

const isOutside = (position: string): boolean => position === "O" || position === ".";
const isIn = (positions: string, position: string): boolean => position !== "" && positions.includes(position);

function endsBefore(before: string, position: string, isSameType: boolean): boolean {
  if (isIn("ES", before)) return true;
  if (before === "B" && isIn("BSO", position)) return true;
  if (before === "I" && isIn("BSO", position)) return true;
  return !isOutside(before) && !isSameType;
}

function startsAt(before: string, position: string, isSameType: boolean): boolean {
  if (isIn("BS", position)) return true;
  if (isIn("ESO", before) && isIn("EI", position)) return true;
  return !isOutside(position) && !isSameType;
}

/**
 * The entities of a sentence's tags, as seqeval's default mode finds them: an I- that follows no word of its type begins
 * an entity of its own.
 */
export function entitiesOf(tags: readonly string[]): Entity[] {
  const entities: Entity[] = [];
  let [before, beforeType] = ["O", ""];
  let start = 0;
  for (let i = 0; i <= tags.length; i++) {
    const [position, type] = parts(tags[i] ?? "O");
    const isSameType = type === beforeType;
    if (endsBefore(before, position, isSameType)) entities.push({ type: beforeType, start, end: i - 1 });
    if (startsAt(before, position, isSameType)) start = i;
    [before, beforeType] = [position, type];
  }
  return entities;
}

/** Scores of the entities of one type, and how many there truly are. */
export interface EntityScore {
  readonly precision: number;
  readonly recall: number;
  readonly f1: number;
  readonly number: number;
}

interface Counts {
  found: number;
  true: number;
  right: number;
}

const ratio = (part: number, whole: number): number => (whole === 0 ? 0 : part / whole);

function scoreOf({ found, true: number, right }: Counts): EntityScore {
  const [precision, recall] = [ratio(right, found), ratio(right, number)];
  return { precision, recall, f1: ratio(2 * precision * recall, precision + recall), number };
}

function requireSameLengths({ predictions, references }: TagSequences): void {
  const wrong = references.findIndex(({ length }, row) => length !== predictions[row]?.length);
  if (wrong < 0 && predictions.length === references.length) return;
  throw new GraftError(
    "shape-mismatch",
    wrong < 0
      ? `${predictions.length} predicted sentences but ${references.length} references`
      : `sentence ${wrong} has ${predictions[wrong]?.length ?? "no"} predicted tags but ${references[wrong]?.length} references`,
    "Give one predicted tag for each word's true tag.",
  );
}

/** Scores of the entities by type. An entity is right when its type, first and last word are. */
export function entityScores(input: TagSequences): Readonly<Record<string, EntityScore>> {
  return Object.fromEntries([...countsByType(input)].map(([type, counts]) => [type, scoreOf(counts)]));
}

function countsByType(input: TagSequences): Map<string, Counts> {
  requireSameLengths(input);
  const byType = new Map<string, Counts>();
  const countsOf = (type: string): Counts => {
    const counts = byType.get(type) ?? { found: 0, true: 0, right: 0 };
    byType.set(type, counts);
    return counts;
  };
  input.references.forEach((tags, row) => {
    const key = ({ type, start, end }: Entity) => `${start} ${end} ${type}`;
    const actual = entitiesOf(tags);
    const known = new Set(actual.map(key));
    for (const { type } of actual) countsOf(type).true++;
    for (const entity of entitiesOf(input.predictions[row]!)) {
      const counts = countsOf(entity.type);
      counts.found++;
      if (known.has(key(entity))) counts.right++;
    }
  });
  return new Map([...byType].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/**
 * Precision, recall and F1 of entities over all types together ("micro"), and the share of words with the right tag:
 * what seqeval's default mode gives.
 * @throws GraftError `shape-mismatch` for sentences of different lengths, `empty-dataset` for no words
 */
export function seqeval(input: TagSequences): { precision: number; recall: number; f1: number; accuracy: number } {
  const total: Counts = { found: 0, true: 0, right: 0 };
  for (const counts of countsByType(input).values()) {
    total.found += counts.found;
    total.true += counts.true;
    total.right += counts.right;
  }
  let words = 0;
  let right = 0;
  input.references.forEach((tags, row) => {
    words += tags.length;
    right += tags.filter((tag, i) => tag === input.predictions[row]![i]).length;
  });
  if (words === 0) {
    throw new GraftError("empty-dataset", "a metric of no words has no value", "Evaluate at least one labelled word.");
  }
  const { precision, recall, f1 } = scoreOf(total);
  return { precision, recall, f1, accuracy: right / words };
}

export const seqevalMetric: Metric = {
  kind: "tags",
  gives: ["precision", "recall", "f1", "accuracy"],
  help: "precision, recall and F1 of entities, and accuracy of words, as seqeval counts them",
  compute: seqeval,
};
