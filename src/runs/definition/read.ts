import { isMap, isScalar, LineCounter, type Pair, parseDocument } from "yaml";
import { platform } from "#platform";
import { snakeCase } from "../../case.js";
import { GraftError } from "../../errors.js";
import { nearest } from "../../nearest.js";
import { LoraConfig } from "../../peft/index.js";
import { argumentAliases } from "../../training/arguments/index.js";
import { type SectionName, sectionNames, sections } from "./fields.js";
import type { Setting } from "./run.js";

/** Keys that are taken and judged further on: old names of transformers, and fields of PEFT's that are refused there. */
const passedOn: { readonly [S in SectionName]: ReadonlySet<string> } = {
  "": new Set(),
  data: new Set(),
  lora: new Set([...Object.keys(LoraConfig.unbuilt), "peft_type"]),
  training: new Set(Object.keys(argumentAliases).map(snakeCase)),
};

function invalid(place: string, message: string, hint: string): GraftError {
  return new GraftError("invalid-config", `${place}: ${message}`, hint);
}

function unknownKey(place: string, section: SectionName, key: string): GraftError {
  const where = section === "" ? "a run file" : `the section "${section}"`;
  const home = sectionNames.find((name) => key in sections[name]);
  const known = [...Object.keys(sections[section]), ...(section === "" ? ["data", "lora", "training"] : [])];
  const best = nearest(key, known, 3);
  const hint =
    home === undefined
      ? `Did you mean "${best[0]}"? Also near: ${best.slice(1).join(", ")}. graft train --help lists every key.`
      : `"${key}" belongs ${home === "" ? "outside of the sections" : `under "${home}:"`}.`;
  return invalid(place, `${where} has no key "${key}"`, hint);
}

/** Checks a value of a key that exists. @throws GraftError `invalid-config` */
export function checkedSetting(place: string, section: SectionName, key: string, value: unknown): Setting {
  if (passedOn[section].has(key)) return { section, key, value };
  const schema = Object.hasOwn(sections[section], key) ? sections[section][key] : undefined;
  if (schema === undefined) throw unknownKey(place, section, key);
  const result = schema.safeParse(value);
  if (result.success) return { section, key, value: result.data };
  const reason = result.error.issues[0]?.message ?? "invalid";
  throw invalid(place, `${key} is ${JSON.stringify(value)}: ${reason}`, `${key}: ${schema.description ?? ""}.`);
}

/**
 * Reads a run file (YAML). Keys and values are checked one by one; nulls count as not given.
 * @throws GraftError `invalid-yaml` and `invalid-config` with file and line, `file-not-found`, `file-access`
 */
export async function readRunFile(path: string): Promise<Setting[]> {
  const text = await platform.readText(path);
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
  const add = (section: SectionName, pair: Pair) => {
    const value = parsedValue(pair);
    if (value === null || value === undefined) {
      if (!(keyOf(pair) in sections[section]) && !passedOn[section].has(keyOf(pair))) {
        throw unknownKey(placeOf(pair), section, keyOf(pair));
      }
      return;
    }
    settings.push(checkedSetting(placeOf(pair), section, keyOf(pair), value));
  };
  for (const pair of document.contents.items) {
    const key = keyOf(pair);
    const section = sectionNames.find((name) => name !== "" && name === key);
    if (section === undefined) add("", pair);
    else if (isMap(pair.value)) for (const inner of pair.value.items) add(section, inner);
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
