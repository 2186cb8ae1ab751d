import { platform } from "#platform";
import { GraftError } from "../../errors.js";
import { type ImageExample, type RowRange, requireRows, selectRows } from "../dataset.js";
import { type Label2Id, label2idOf, labelId, labelNames } from "./labels.js";

/** Options of `readImageFolder`. */
export interface ReadImageFolderOptions extends RowRange {
  /** A folder below `folder`, such as "train" or "test". Default: the class folders lie in `folder` itself. */
  readonly split?: string;
  /** Class ids, e.g. those of the training split. Default: the sorted names of the class folders. */
  readonly label2id?: Label2Id;
}

/** The pictures of a folder with their classes. */
export interface ImageDataset {
  /** Sorted by class name, then by file name; `image` is the path. */
  readonly examples: readonly ImageExample[];
  /** Class ids by name. */
  readonly label2id: Label2Id;
  /** Class names by id. */
  readonly labels: readonly string[];
}

const imageExtensions = new Set([".jpg", ".jpeg", ".png", ".webp", ".gif", ".tif", ".tiff", ".avif"]);

/**
 * Reads a folder of class folders: `train/<class>/*.jpg`. Hidden files and files that are no pictures by their extension
 * are left out; pictures are decoded later, when a batch needs them.
 *
 * @throws GraftError `file-not-found`, `invalid-label` for a class folder that label2id lacks, `empty-dataset`.
 */
export async function readImageFolder(folder: string, options: ReadImageFolderOptions = {}): Promise<ImageDataset> {
  const root = options.split === undefined ? folder : platform.join(folder, options.split);
  if (!(await platform.isDirectory(root))) {
    throw new GraftError(
      "file-not-found",
      `${root} is not a folder`,
      "An image folder holds one folder of pictures for each class, if need be below a split such as train or test.",
    );
  }
  const classes = (await platform.listDirectory(root)).filter(
    (entry) => entry.isDirectory && !entry.name.startsWith("."),
  );
  const names = classes.map((entry) => entry.name);
  const label2id = options.label2id ?? label2idOf(names);
  const examples: ImageExample[] = [];
  for (const name of Object.keys(label2idOf(names))) {
    const label = labelId({ value: name, place: platform.join(root, name) }, label2id);
    for (const image of await listImages(platform.join(root, name))) examples.push({ image, label });
  }
  if (examples.length === 0) await refuseSplits(root, names);
  requireRows(examples, root);
  return {
    examples: selectRows(examples, options, `the row range of ${root}`),
    label2id,
    labels: labelNames(label2id),
  };
}

/** Splits (train/, test/) where class folders should be. @throws GraftError `empty-dataset` naming them */
async function refuseSplits(root: string, names: readonly string[]): Promise<void> {
  const splits: string[] = [];
  for (const name of names) {
    const below = await platform.listDirectory(platform.join(root, name));
    if (below.some(({ isDirectory }) => isDirectory)) splits.push(name);
  }
  const [first] = splits;
  if (first === undefined) return;
  throw new GraftError(
    "empty-dataset",
    `${root} has no pictures in its folders, but further folders in ${splits.join(", ")}: it seems to hold splits`,
    `Name one of them: ${platform.join(root, first)}.`,
  );
}

/** Paths of the pictures in a folder, sorted by name. */
export async function listImages(folder: string): Promise<string[]> {
  const entries = await platform.listDirectory(folder);
  return entries
    .filter(({ name, isDirectory }) => !isDirectory && !name.startsWith(".") && isImage(name))
    .map(({ name }) => platform.join(folder, name));
}

function isImage(name: string): boolean {
  return imageExtensions.has(platform.extname(name).toLowerCase());
}
