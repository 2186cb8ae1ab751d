import { isJsonObject, type JsonObject } from "../../json.js";
import { type Features, featuresOfCard } from "./features.js";

/** The files of a dataset by split, as its README or its files' names say. */
export interface DataFiles {
  readonly splits: ReadonlyMap<string, readonly string[]>;
  /** What the README says of the columns; empty where it says nothing. */
  readonly features: Features;
  readonly configs: readonly string[];
}

const keywords: readonly (readonly [split: string, words: readonly string[]])[] = [
  ["train", ["train", "training"]],
  ["validation", ["validation", "valid", "dev", "val"]],
  ["test", ["test", "testing", "eval", "evaluation"]],
];

/** A pattern of a README's `data_files` as a regular expression. */
function globPattern(glob: string): RegExp {
  const source = glob.replace(/\*\*\/?|[*?]|[.+^${}()|\\]/g, (found) => {
    if (found === "**/") return "(?:.*/)?";
    if (found === "**") return ".*";
    if (found === "*") return "[^/]*";
    return found === "?" ? "[^/]" : `\\${found}`;
  });
  return new RegExp(`^${source}$`);
}

const matching = (files: readonly string[], patterns: readonly string[]): string[] =>
  files.filter((file) => patterns.some((pattern) => globPattern(pattern.replace(/^\.\//, "")).test(file))).sort();

const textsOf = (raw: unknown): string[] => (Array.isArray(raw) ? raw.map(String) : [String(raw)]);

/** `data_files` of a config: a pattern, patterns, or a list of {split, path}. */
function filesOfConfig(raw: unknown, files: readonly string[]): Map<string, string[]> {
  const entries = Array.isArray(raw) && raw.every(isJsonObject) ? raw : [{ split: "train", path: raw }];
  return new Map(entries.map(({ split, path }) => [String(split), matching(files, textsOf(path))]));
}

/** The keyword that stands as a word of its own in a path's folders, or else in its file's name. */
function splitOfName(path: string): string | undefined {
  const parts = path.split("/");
  const words = (part: string) => part.toLowerCase().split(/[-._ 0-9]+/);
  for (const candidates of [parts.slice(0, -1), parts.slice(-1)]) {
    for (const [split, names] of keywords) {
      if (candidates.some((part) => words(part).some((word) => names.includes(word)))) return split;
    }
  }
  return undefined;
}

/** Files by the splits that their names tell: `data/<split>-00000-of-00002.parquet`, folders, names; else all are "train". */
export function splitsByName(files: readonly string[]): Map<string, string[]> {
  const splits = new Map<string, string[]>();
  const add = (split: string, file: string) => splits.set(split, [...(splits.get(split) ?? []), file]);
  const sharded = files.map((file) => /^data\/(\w+(?:\.\w+)*)-\d{5}-of-\d{5}\.\w+$/.exec(file)?.[1]);
  const isSharded = sharded.length > 0 && sharded.every((split) => split !== undefined);
  const named = isSharded ? sharded : files.map(splitOfName);
  if (named.every((split) => split === undefined)) return new Map([["train", [...files]]]);
  files.forEach((file, at) => {
    const split = named[at];
    if (split !== undefined) add(split, file);
  });
  const order = keywords.map(([split]) => split);
  const place = (split: string) => (order.includes(split) ? order.indexOf(split) : order.length);
  return new Map([...splits].sort(([a], [b]) => place(a) - place(b)));
}

/** The YAML block at a README's beginning; empty where there is none, or none that can be read. */
export async function cardData(readme: string): Promise<JsonObject> {
  const block = /^---\r?\n([\s\S]*?)\r?\n---/.exec(readme)?.[1];
  if (block === undefined) return {};
  // When it is needed: bundles of programs that read no card begin without it.
  const { parse } = await import("yaml");
  try {
    const data: unknown = parse(block);
    return isJsonObject(data) ? data : {};
  } catch {
    return {};
  }
}

const listOf = (raw: unknown): JsonObject[] => (Array.isArray(raw) ? raw : [raw]).filter(isJsonObject);

/**
 * Which files make which split.
 * @param readme text of the dataset's README.md; "" where there is none
 * @param files names of its data files
 * @param name the config; default: the one that is marked so, "default", or the first
 * @returns undefined where the README has configs and none of this name
 */
export async function dataFiles(
  readme: string,
  files: readonly string[],
  name: string | undefined,
): Promise<DataFiles | undefined> {
  const data = await cardData(readme);
  const configs = listOf(data.configs).filter((config) => config.data_files !== undefined);
  const names = configs.map((config) => String(config.config_name ?? "default"));
  const infos = listOf(data.dataset_info);
  const infoOf = (config: string) => infos.find((info) => String(info.config_name ?? "default") === config);
  if (configs.length === 0) {
    if (name !== undefined && name !== "default") return undefined;
    return { splits: splitsByName(files), features: featuresOfCard(infoOf("default")), configs: [] };
  }
  const marked = names[configs.findIndex((config) => config.default === true)];
  const chosen = name ?? marked ?? (names.includes("default") ? "default" : (names[0] as string));
  const config = configs[names.indexOf(chosen)];
  if (config === undefined) return undefined;
  return { splits: filesOfConfig(config.data_files, files), features: featuresOfCard(infoOf(chosen)), configs: names };
}
