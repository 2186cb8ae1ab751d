import { platform } from "#platform";
import { GraftError } from "../../errors.js";
import type { FoundPicture, PictureTree } from "./picture-tree.js";

const splitNames: ReadonlySet<string> = new Set([
  "train",
  "training",
  "test",
  "testing",
  "val",
  "valid",
  "validation",
  "dev",
  "eval",
  "evaluation",
]);

const isSplit = (name: string): boolean => splitNames.has(name.toLowerCase());

const refuse = (message: string, root: string, inner: string): GraftError =>
  new GraftError("empty-dataset", message, `Name one of them: ${platform.join(root, inner)}.`);

/** Names of the folders in each of the root's folders that hold pictures. */
function innerFolders(pictures: readonly FoundPicture[]): Map<string, Set<string>> {
  const inner = new Map<string, Set<string>>();
  for (const { folders } of pictures) {
    const [top, below] = folders;
    if (top === undefined) continue;
    const names = inner.get(top) ?? new Set();
    if (below !== undefined) names.add(below);
    inner.set(top, names);
  }
  return inner;
}

/**
 * Decides as a whole whether the folders of a root are classes, and refuses what are splits of classes, or a folder
 * around the classes.
 * @param known names of classes that the caller has given, which may be any
 * @throws GraftError `empty-dataset` naming a folder to take instead
 */
export function requireClassFolders({ root, pictures, folders }: PictureTree, known: readonly string[] = []): void {
  if (folders.length > 0 && folders.every((name) => known.includes(name))) return;
  const inner = innerFolders(pictures);
  const hasClasses = (name: string) => (inner.get(name)?.size ?? 0) > 0;
  const splits = folders.filter(isSplit);
  const [split] = splits.filter(hasClasses);
  if (split !== undefined && (splits.length > 1 || splits.length === folders.length)) {
    throw refuse(`${root} holds splits of the data (${splits.join(", ")}), not classes`, root, split);
  }
  if (folders.length > 1 && splits.length === folders.length) {
    throw new GraftError(
      "empty-dataset",
      `${root} holds splits of the data (${splits.join(", ")}), and no class folders in them`,
      "Put the pictures of each class into a folder of its own below the split; if these are the classes, name them with `label2id`.",
    );
  }
  const isDirect = pictures.some((picture) => picture.folders.length === 1);
  const [only] = folders;
  if (!isDirect && folders.length === 1 && only !== undefined && (inner.get(only)?.size ?? 0) > 1) {
    throw refuse(`${root} holds one folder, ${only}, and the class folders are in it`, root, only);
  }
  const wide = folders.filter((name) => (inner.get(name)?.size ?? 0) > 1);
  const [first, second] = wide;
  if (isDirect || first === undefined || second === undefined) return;
  const shared = [...(inner.get(first) ?? [])].filter((name) => inner.get(second)?.has(name));
  if (shared.length < 2) return;
  throw refuse(
    `${root} has no pictures in its folders, but the same folders (${shared.slice(0, 3).join(", ")}) in ${first} and ${second}: it seems to hold splits`,
    root,
    first,
  );
}
