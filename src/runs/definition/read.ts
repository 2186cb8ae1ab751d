import type { Pair } from "yaml";
import { readTextFile } from "../../data/index.js";
import { GraftError } from "../../errors.js";
import { shown } from "../../json.js";
import { nearest } from "../../nearest.js";
import type { Setting } from "./run.js";
import { keysOf, type Section, sections, settingField } from "./sections.js";

function invalid(place: string, message: string, hint: string): GraftError {
  return new GraftError("invalid-config", `${place}: ${message}`, hint);
}

function unknownKey(place: string, section: Section, key: string): GraftError {
  const all = sections();
  const where = section.name === "" ? "a run file" : `the section "${section.name}"`;
  const home = all.find((one) => keysOf(one).includes(key));
  const headings = section.name === "" ? all.map(({ name }) => name).filter((name) => name !== "") : [];
  const best = nearest(key, [...keysOf(section), ...headings], 3);
  const hint =
    home === undefined
      ? `Did you mean "${best[0]}"? Also near: ${best.slice(1).join(", ")}. graft train --help lists every key.`
      : `"${key}" belongs ${home.name === "" ? "outside of the sections" : `under "${home.name}:"`}.`;
  return invalid(place, `${where} has no key "${key}"`, hint);
}

/** Checks a value of a key that exists. @throws GraftError `invalid-config` */
export function checkedSetting(place: string, section: Section, key: string, value: unknown): Setting {
  const field = settingField(section, key);
  if (field === undefined) throw unknownKey(place, section, key);
  const option = Object.hasOwn(section.options, field) ? section.options[field] : undefined;
  // Old names and refused ones are judged by those who know what they mean.
  if (option === undefined) return { section: section.name, field, value };
  const result = option.schema.safeParse(value);
  if (result.success) return { section: section.name, field, value: result.data };
  throw invalid(place, `${key} is ${shown(value)}`, `${key} must be ${option.expected}. ${option.help}.`);
}

/**
 * Reads a run file (YAML). Keys and values are checked one by one; nulls count as not given.
 * @throws GraftError `invalid-yaml` and `invalid-config` with file and line, `file-not-found`, `file-access`
 */
export async function readRunFile(path: string): Promise<Setting[]> {
  const text = await readTextFile(path);
  // When it is needed: bundles of programs that read no run file begin without it.
  const { isMap, isScalar, LineCounter, parseDocument } = await import("yaml");
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const fault = document.errors[0];
  if (fault) {
    const { line, col } = lines.linePos(fault.pos[0]);
    throw new GraftError(
      "invalid-yaml",
      `${path}:${line}:${col}: ${fault.message}`,
      "Correct the file there; in YAML, blanks at the start of a line decide what belongs together, and tabs are not allowed.",
    );
  }
  const placeOf = (pair: Pair): string => {
    const at = isScalar(pair.key) ? pair.key.range?.[0] : undefined;
    return at === undefined ? path : `${path}:${lines.linePos(at).line}`;
  };
  const keyOf = (pair: Pair): string => String(isScalar(pair.key) ? pair.key.value : pair.key);
  const parsedValue = (pair: Pair): unknown =>
    (pair.value as { toJS?: (doc: typeof document) => unknown } | null)?.toJS?.(document);
  if (document.contents === null) return [];
  if (!isMap(document.contents)) {
    throw invalid(path, "it does not hold keys and values", "Begin with lines such as model: models/bert.");
  }
  const settings: Setting[] = [];
  const all = sections();
  const [outside] = all as readonly [Section];
  const add = (section: Section, pair: Pair) => {
    const value = parsedValue(pair);
    const isGiven = value !== null && value !== undefined;
    if (isGiven) settings.push(checkedSetting(placeOf(pair), section, keyOf(pair), value));
    else if (settingField(section, keyOf(pair)) === undefined) throw unknownKey(placeOf(pair), section, keyOf(pair));
  };
  for (const pair of document.contents.items) {
    const key = keyOf(pair);
    const section = all.find(({ name }) => name !== "" && name === key);
    if (section === undefined) {
      add(outside, pair);
      continue;
    }
    // A method's section says which method is meant, even where nothing stands in it.
    if (section.isMethod) settings.push({ section: key });
    if (isMap(pair.value)) for (const inner of pair.value.items) add(section, inner);
    else if (parsedValue(pair) !== null && parsedValue(pair) !== undefined) {
      throw invalid(
        placeOf(pair),
        `the section "${key}" does not hold keys and values`,
        `Indent its keys below "${key}:".`,
      );
    }
  }
  return settings;
}
