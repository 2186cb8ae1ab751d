import { classNames } from "../class-names.js";
import { GraftError } from "../errors.js";

/** The names of a classifier's outputs, both ways, as config.json holds them. */
export interface LabelMaps {
  readonly numLabels: number;
  readonly id2label: Readonly<Record<number, string>>;
  readonly label2id: Readonly<Record<string, number>>;
}

/** How a caller may name the labels; `numLabels` alone gives LABEL_0, LABEL_1, ... */
export interface LabelOptions {
  readonly id2label?: Readonly<Record<number, string>> | readonly string[];
  readonly label2id?: Readonly<Record<string, number>>;
  readonly numLabels?: number;
}

/** More outputs than any classifier has; guards against files that claim absurd sizes. */
const MOST_LABELS = 10_000_000;

function invalid(what: string, fault: string): GraftError {
  return new GraftError(
    "invalid-config",
    `${what}: ${fault}`,
    "Number the labels 0, 1, 2, ... without a gap, and give id2label, label2id and numLabels for the same labels.",
  );
}

function checkCount(count: number, what: string): number {
  if (Number.isInteger(count) && count >= 1 && count <= MOST_LABELS) return count;
  throw invalid(what, `numLabels is ${count}, not a whole number from 1 to ${MOST_LABELS}`);
}

function namesOf(id2label: Readonly<Record<number, string>> | readonly string[], what: string): string[] {
  const entries = Object.entries(id2label);
  checkCount(entries.length, `${what}: id2label is empty or too long`);
  const names = new Array<string>(entries.length);
  for (const [id, label] of entries) {
    if (!/^(0|[1-9]\d*)$/.test(id) || Number(id) >= entries.length) {
      throw invalid(what, `id2label has ${entries.length} labels, and among them the id ${JSON.stringify(id)}`);
    }
    names[Number(id)] = label;
  }
  return names;
}

function namesFromIds(label2id: Readonly<Record<string, number>>, what: string): string[] {
  checkCount(Object.keys(label2id).length, `${what}: label2id is empty or too long`);
  const found = classNames(label2id);
  if ("names" in found) return found.names;
  throw invalid(what, found.fault);
}

/** Both maps for a list of names. Where two classes have one name, label2id leads to the later one, as in transformers. */
function mapsOf(names: readonly string[]): LabelMaps {
  return {
    numLabels: names.length,
    id2label: Object.fromEntries(names.entries()),
    label2id: Object.fromEntries(names.map((name, id) => [name, id])),
  };
}

/**
 * The label maps that some options describe; `undefined` when they say nothing.
 * @param what names the source of the options in messages
 * @throws GraftError `invalid-config` for gaps, doubles, and maps that contradict each other
 */
export function labelMaps(options: LabelOptions, what: string): LabelMaps | undefined {
  const { id2label, label2id, numLabels } = options;
  if (id2label === undefined && label2id === undefined) {
    if (numLabels === undefined) return undefined;
    const count = checkCount(numLabels, what);
    return mapsOf(Array.from({ length: count }, (_, id) => `LABEL_${id}`));
  }
  const names = id2label ? namesOf(id2label, what) : namesFromIds(label2id ?? {}, what);
  if (numLabels !== undefined && numLabels !== names.length) {
    throw invalid(what, `numLabels is ${numLabels}, but the maps name ${names.length} labels`);
  }
  for (const [label, id] of Object.entries(label2id ?? {})) {
    if (names[id] !== label) {
      throw invalid(
        what,
        `label2id says ${JSON.stringify(label)} is ${id}, id2label says ${id} is ${JSON.stringify(names[id])}`,
      );
    }
  }
  return mapsOf(names);
}
