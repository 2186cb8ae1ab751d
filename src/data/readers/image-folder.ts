import { platform } from "#platform";
import { GraftError } from "../../errors.js";
import type { ProblemType } from "../../problem-type.js";
import { type ImageExample, type RowRange, requireRows, selectRows } from "../dataset.js";
import { type LabelsAre, readClasses } from "./class-labels.js";
import { requireClassFolders } from "./folder-shape.js";
import type { LabelReading } from "./label-column.js";
import { remarksOnNames } from "./label-remarks.js";
import { type Label2Id, label2idOf, labelNames } from "./labels.js";
import { readPictureTable } from "./picture-table.js";
import { findPictures, leftOutLine, type PictureTree } from "./picture-tree.js";
import type { ColumnChoice } from "./text-columns.js";

/** Options of `readImageFolder`. */
export interface ReadImageFolderOptions extends RowRange, Omit<LabelReading, "label2id" | "labelsAre" | "onInfo"> {
  /** A folder below `folder`, such as "train" or "test". Default: the class folders lie in `folder` itself. */
  readonly split?: string;
  /** Class ids, e.g. those of the training split. Default: the sorted names of the class folders. */
  readonly label2id?: Label2Id;
  /** How folders that are numbers are told from class numbers. Default: by what the folder holds, names first. */
  readonly labelsAre?: LabelsAre | undefined;
  /** The column of labels, or one a label, where a table beside the pictures holds them. Default: `label`, `labels` and the like. */
  readonly labelColumn?: ColumnChoice | undefined;
  /** Told what was left out, and why. Default: nobody. */
  readonly onInfo?: ((line: string) => void) | undefined;
}

/** The pictures of a folder with their classes. */
export interface ImageDataset {
  /** Sorted by class name, then by path; `image` is the path. */
  readonly examples: readonly ImageExample[];
  /** Class ids by name. */
  readonly label2id: Label2Id;
  /** Class names by id. */
  readonly labels: readonly string[];
  /** One class a picture, but where a table says otherwise. */
  readonly problemType: ProblemType;
  /** How folders were read that are class names and class numbers at once. */
  readonly labelsAre?: LabelsAre | undefined;
}

function emptyClass({ root, left }: PictureTree, names: readonly string[]): GraftError {
  const [first = ""] = names;
  const inside = [...left.values()].flat().filter((path) => path.startsWith(platform.join(root, first)));
  const others = inside.length > 0 ? `; it holds ${inside.slice(0, 3).map(platform.basename).join(", ")}` : "";
  return new GraftError(
    "empty-dataset",
    `${names.map((name) => platform.join(root, name)).join(", ")} would be a class, and has no pictures${others}`,
    "Put pictures into it, remove the folder, or name all classes (`label2id`).",
  );
}

function flatFolder(root: string, count: number): GraftError {
  return new GraftError(
    "empty-dataset",
    `${root} holds ${count === 1 ? "a picture" : `${count} pictures`} and no class folders`,
    "Put the pictures of each class into a folder that is called like the class, or write metadata.csv with the columns file_name and label beside them.",
  );
}

/** Folders give a picture one class. @throws GraftError `invalid-argument` */
function requireOneClass(root: string, problemType: ProblemType | undefined): void {
  if (problemType === undefined || problemType === "single_label_classification") return;
  throw new GraftError(
    "invalid-argument",
    `${root} holds class folders, which give a picture one class, and problemType is ${problemType}`,
    'Put the pictures into one folder, with metadata.csv (file_name and the columns of labels) beside them; or set problemType to "single_label_classification".',
    { option: "problemType" },
  );
}

/** Says in one line what is left out of a tree of class folders. */
function checkClassTree(tree: PictureTree, { label2id, onInfo }: ReadImageFolderOptions): void {
  const { root } = tree;
  requireClassFolders(tree, Object.keys(label2id ?? {}));
  const loose = tree.pictures.filter(({ folders }) => folders.length === 0).map(({ path }) => path);
  const filled = new Set(tree.pictures.map(({ folders }) => folders[0]));
  const empty = tree.folders.filter((name) => !filled.has(name));
  if (filled.size > (loose.length > 0 ? 1 : 0) && empty.length > 0 && label2id === undefined)
    throw emptyClass(tree, empty);
  const left = new Map([
    ...tree.left,
    ["beside the class folders", loose],
    ["folders without pictures", label2id ? empty.map((name) => platform.join(root, name)) : []],
  ]);
  const line = leftOutLine(tree, left);
  if (line !== undefined) onInfo?.(line);
}

/**
 * Reads a folder of class folders: `train/<class>/*.jpg`. Pictures are found by their content, in folders below a
 * class's, too; they are decoded later, when a batch needs them. Hidden files, folders of the system and what is no
 * picture are left out.
 *
 * @throws GraftError `file-not-found`, `invalid-label` for a class folder that label2id lacks, `empty-dataset` for a
 *   class without pictures and for a folder of splits, `invalid-image` for pictures of a kind that is not read
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
  const tree = await findPictures(root);
  const table = await readPictureTable(tree, options);
  if (table !== undefined) {
    const { examples, label2id, problemType, labelsAre } = table;
    const chosen = selectRows(examples, options, `the row range of ${root}`);
    return { examples: chosen, label2id, labels: labelNames(label2id), problemType, labelsAre };
  }
  checkClassTree(tree, options);
  const { pictures } = tree;
  const inClasses = pictures.flatMap(({ path, folders: [name] }) => (name === undefined ? [] : [{ path, name }]));
  if (inClasses.length === 0 && pictures.length > 0) throw flatFolder(root, pictures.length);
  requireRows(inClasses, root);
  requireOneClass(root, options.problemType);
  const names = Object.keys(label2idOf(inClasses.map(({ name }) => name)));
  const label2id = options.label2id ?? label2idOf(names);
  const { ids, labelsAre, notes } = readClasses(
    names.map((name) => ({ value: name, place: platform.join(root, name) })),
    { label2id, labelsAre: options.labelsAre },
  );
  const remarks = options.label2id ? [] : remarksOnNames(names);
  for (const note of [...remarks, ...notes]) options.onInfo?.(`${root}: ${note}`);
  const idOf = new Map(names.map((name, at) => [name, ids[at] as number]));
  const byClass = new Map<string, ImageExample[]>(names.map((name) => [name, []]));
  for (const { path, name } of inClasses) byClass.get(name)?.push({ image: path, label: idOf.get(name) as number });
  const examples = [...byClass.values()].flat();
  return {
    examples: selectRows(examples, options, `the row range of ${root}`),
    label2id,
    labels: labelNames(label2id),
    problemType: "single_label_classification",
    labelsAre,
  };
}

/**
 * Paths of the pictures in a folder and below it, found by their content and sorted.
 * @throws GraftError as `readImageFolder`
 */
export async function listImages(folder: string, onInfo?: (line: string) => void): Promise<string[]> {
  const tree = await findPictures(folder);
  const line = leftOutLine(tree, tree.left);
  if (line !== undefined) onInfo?.(line);
  return tree.pictures.map(({ path }) => path);
}
