import { platform } from "#platform";
import { GraftError } from "../../errors.js";
import { type HubOptions, HubSource, isOfHub } from "../../hub/index.js";
import { nearest } from "../../nearest.js";
import { type DataFiles, dataFiles, splitsByName } from "./data-files.js";
import type { Features } from "./features.js";
import { dataExtensions, fileSource, metadataFile, pictureSource } from "./file-sources.js";
import { joinedSource, type RowSource } from "./source.js";
import { splitRanges, splitsOf } from "./split-expression.js";
import { type LoadedOptions, TableDataset } from "./table-dataset.js";

/** Options of `loadDataset`. */
export interface LoadDatasetOptions extends Omit<HubOptions, "subfolder">, LoadedOptions {
  /** "train", "train[:5000]", "train[10%:20%]", "train+test", "all". Without it: every split by its name. */
  readonly split?: string | undefined;
  /** The config of a dataset that has several (GLUE's "sst2"). */
  readonly name?: string | undefined;
}

/** Every split of a dataset by its name. */
export type DatasetSplits = Readonly<Record<string, TableDataset>>;

/** What a reference leads to: its splits, and how the rows of one are found. */
interface Origin {
  readonly splits: readonly string[];
  readonly features: Features;
  open(split: string): Promise<RowSource>;
}

const CONVERTED = "refs/convert/parquet";

const isData = (name: string): boolean =>
  dataExtensions.includes(platform.extname(name).toLowerCase()) &&
  !/(^|\/)(dataset_infos?|config|package)\.json$|(^|\/)(requirements|license)\.txt$|^\./i.test(name);

async function opened(name: string, paths: readonly string[], warn: (line: string) => void): Promise<RowSource> {
  const sources: RowSource[] = [];
  for (const path of paths) sources.push(await fileSource(path, warn));
  return joinedSource(name, sources);
}

/** Every file below a folder, as names that count from it. */
async function filesBelow(folder: string): Promise<string[]> {
  const found: string[] = [];
  const walk = async (path: string, prefix: string): Promise<void> => {
    for (const { name, isDirectory } of await platform.listDirectory(path)) {
      if (name.startsWith(".")) continue;
      if (isDirectory) await walk(platform.join(path, name), `${prefix}${name}/`);
      else found.push(prefix + name);
    }
  };
  await walk(folder, "");
  return found;
}

function unknownConfig(reference: string, name: string | undefined, configs: readonly string[]): GraftError {
  const hint = configs.length > 0 ? `Its configs: ${nearest(name ?? "", configs, 20).join(", ")}.` : "Leave name out.";
  return new GraftError("invalid-argument", `${reference} has no config "${name}"`, hint, { option: "name" });
}

async function folderOrigin(folder: string, name: string | undefined, warn: (line: string) => void): Promise<Origin> {
  const files = await filesBelow(folder);
  const data = files.filter((file) => isData(file) && !/(^|\/)metadata\.(csv|jsonl|parquet)$/.test(file));
  if (data.length === 0) return pictureOrigin(folder, warn);
  const readme = files.includes("README.md") ? await platform.readText(platform.join(folder, "README.md")) : "";
  const found = await dataFiles(readme, data, name);
  if (found === undefined) throw unknownConfig(folder, name, []);
  return {
    splits: [...found.splits.keys()],
    features: found.features,
    open: (split) =>
      opened(
        folder,
        (found.splits.get(split) ?? []).map((file) => platform.join(folder, file)),
        warn,
      ),
  };
}

/** Folders called after splits are splits; otherwise all pictures are "train". */
async function pictureOrigin(folder: string, warn: (line: string) => void): Promise<Origin> {
  const folders = (await platform.listDirectory(folder))
    .filter((entry) => entry.isDirectory)
    .map((entry) => entry.name);
  const named =
    (await metadataFile(folder)) === undefined ? splitsByName(folders.map((name) => `${name}/_`)) : new Map();
  const isSplit =
    named.size > 0 && [...named.values()].flat().length === folders.length && !(named.size === 1 && folders.length > 1);
  const ofSplit = new Map(
    [...named].map(([split, paths]): [string, string] => [split, String(paths[0]).split("/")[0] as string]),
  );
  const hasWord = folders.length > 0 && isSplit && folders.every((each) => /train|val|dev|test|eval/i.test(each));
  if (!hasWord) return { splits: ["train"], features: {}, open: () => pictureSource(folder, warn) };
  return {
    splits: [...ofSplit.keys()],
    features: {},
    open: (split) => pictureSource(platform.join(folder, ofSplit.get(split) as string), warn),
  };
}

/** The Hub's own conversion to Parquet: `<config>/<split>/0000.parquet`. */
async function convertedOrigin(id: string, options: LoadDatasetOptions, warn: (line: string) => void): Promise<Origin> {
  const files = await HubSource.open("dataset", id, { ...options, revision: CONVERTED });
  const all = (await files.list()).filter((file) => /^[^/]+\/[^/]+\/\d+\.parquet$/.test(file));
  const configs = [...new Set(all.map((file) => file.split("/")[0] as string))];
  const config = options.name ?? (configs.includes("default") ? "default" : configs[0]);
  if (config === undefined || !configs.includes(config)) throw unknownConfig(id, config, configs);
  const splits = new Map<string, string[]>();
  for (const file of all) {
    const [first, split = ""] = file.split("/");
    if (first === config) splits.set(split, [...(splits.get(split) ?? []), file]);
  }
  return hubSplits(files, { splits, features: {}, configs }, warn);
}

function hubSplits(files: HubSource, found: DataFiles, warn: (line: string) => void): Origin {
  return {
    splits: [...found.splits.keys()],
    features: found.features,
    open: async (split) => {
      const names = found.splits.get(split) ?? [];
      await files.fetch(names);
      const paths = await Promise.all(names.map((name) => files.path(name, `the split ${split}`)));
      return opened(files.origin, paths, warn);
    },
  };
}

async function hubOrigin(id: string, options: LoadDatasetOptions, warn: (line: string) => void): Promise<Origin> {
  const { split: _, ...where } = options;
  const files = await HubSource.open("dataset", id, where);
  const names = await files.list();
  const readme = names.includes("README.md")
    ? await platform.readText(await files.path("README.md", "its configs"))
    : "";
  const data = names.filter(isData);
  const found = await dataFiles(readme, data, options.name);
  if (found !== undefined && data.length > 0) return hubSplits(files, found, warn);
  // A dataset that a Python script makes, or one of archives: the Hub has converted many of them.
  try {
    return await convertedOrigin(id, options, warn);
  } catch (error) {
    if (!(error instanceof GraftError) || error.code !== "file-not-found") throw error;
    if (data.length > 0)
      throw unknownConfig(id, options.name, (await dataFiles(readme, data, undefined))?.configs ?? []);
    throw new GraftError(
      "invalid-dataset",
      `${id} holds no data files of a kind that is read (${dataExtensions.join(", ")}), and the Hub has no conversion of it`,
      "Take a dataset in Parquet, CSV or JSON.",
      { cause: error },
    );
  }
}

async function originOf(reference: string, options: LoadDatasetOptions, warn: (line: string) => void): Promise<Origin> {
  if (await platform.isDirectory(reference)) return folderOrigin(reference, options.name, warn);
  if (platform.name === "node" ? await platform.exists(reference) : isData(reference)) {
    return { splits: ["train"], features: {}, open: () => fileSource(reference, warn) };
  }
  if (await isOfHub(reference)) return hubOrigin(reference, options, warn);
  throw new GraftError(
    "file-not-found",
    `${reference} does not exist`,
    'Name a file, a folder, or a dataset of the Hugging Face Hub ("org/name").',
  );
}

/**
 * Rows with named columns, read when they are asked for: of a dataset of the Hugging Face Hub ("food101"), of a folder
 * (data files, or pictures in class folders or with a metadata.csv), or of a file (Parquet, CSV, TSV, JSON, JSON lines,
 * text). The rows of a split expression are those of Python's `datasets`, in its order.
 *
 * @example const dataset = await loadDataset("food101", { split: "train[:5000]" });
 * @throws GraftError `file-not-found` with near names, `invalid-argument` (split, config), `invalid-dataset`, `hub-access`,
 *   `hub-unreachable`, and as the readers
 */
export async function loadDataset(
  reference: string,
  options: LoadDatasetOptions & { readonly split: string },
): Promise<TableDataset>;
export async function loadDataset(reference: string, options?: LoadDatasetOptions): Promise<DatasetSplits>;
export async function loadDataset(
  reference: string,
  options: LoadDatasetOptions = {},
): Promise<TableDataset | DatasetSplits> {
  const { onBadRow, onWarning = console.warn, split: expression } = options;
  const origin = await originOf(reference, options, onWarning);
  const made = (source: RowSource): TableDataset => {
    const features = { ...source.features };
    for (const [name, feature] of Object.entries(origin.features)) {
      // The README knows classes that a plain column of numbers does not show.
      if (name in features && features[name]?.type !== "ClassLabel") features[name] = feature;
    }
    return new TableDataset(source, { onBadRow, onWarning, features, maps: [] });
  };
  const wanted = expression === undefined ? origin.splits : splitsOf(expression, origin.splits, reference);
  const datasets = new Map<string, TableDataset>();
  for (const split of wanted) datasets.set(split, made(await origin.open(split)));
  if (expression === undefined) return Object.fromEntries(datasets);
  const lengths = new Map([...datasets].map(([split, { length }]) => [split, length]));
  const parts = splitRanges(expression, lengths).map(({ split, from, to }) => {
    const dataset = datasets.get(split) as TableDataset;
    if (from === 0 && to === dataset.length) return dataset;
    return dataset.select(Array.from({ length: to - from }, (_, at) => from + at));
  });
  const [only] = parts;
  return parts.length === 1 && only !== undefined ? only : TableDataset.concatenate(parts);
}
