import { platform } from "#platform";
import { GraftError } from "../../errors.js";
import { refusePointer } from "../../hub/index.js";
import { decodedFormatNames, FORMAT_BYTES, type ImageFormat, imageFormat, imageFormats } from "../images/format.js";

/** A picture, and the folders between the root and it. */
export interface FoundPicture {
  readonly path: string;
  readonly folders: readonly string[];
}

/** What lies below a folder. */
export interface PictureTree {
  readonly root: string;
  /** Sorted by their places. */
  readonly pictures: readonly FoundPicture[];
  /** Names of the folders in the root, hidden and system folders left out. */
  readonly folders: readonly string[];
  /** What was left out, by reason. */
  readonly left: ReadonlyMap<string, readonly string[]>;
}

/** Folders that operating systems and tools make beside pictures. */
const systemFolders: ReadonlySet<string> = new Set([
  "__macosx",
  "@eadir",
  "lost+found",
  "$recycle.bin",
  "system volume information",
  "#recycle",
  "#snapshot",
  "@recycle",
  "__pycache__",
]);

/** Extensions that promise a picture: a file without one in it is damaged, and not beside the matter. */
const pictureExtensions: ReadonlySet<string> = new Set(
  [".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".tif", ".tiff", ".avif", ".bmp", ".dib"].concat([
    ".ppm",
    ".pgm",
    ".pbm",
    ".pnm",
  ]),
);

/** Deeper trees are rings of links. */
const MOST_FOLDERS = 32;
/** Files that are looked into at once. */
const AT_ONCE = 32;

interface Entry extends FoundPicture {
  readonly name: string;
}

class Walk {
  readonly files: Entry[] = [];
  readonly left = new Map<string, string[]>();

  leave(reason: string, path: string): void {
    const paths = this.left.get(reason) ?? [];
    paths.push(path);
    this.left.set(reason, paths);
  }

  async visit(folder: string, folders: readonly string[]): Promise<void> {
    if (folders.length > MOST_FOLDERS) {
      throw new GraftError(
        "file-access",
        `${folder} lies more than ${MOST_FOLDERS} folders deep`,
        "Remove links that lead back to a folder above them.",
      );
    }
    for (const { name, isDirectory } of await platform.listDirectory(folder)) {
      const path = platform.join(folder, name);
      if (name.startsWith(".")) this.leave("hidden", path);
      else if (isDirectory && systemFolders.has(name.toLowerCase())) this.leave("of the system", path);
      else if (isDirectory) await this.visit(path, [...folders, name]);
      else this.files.push({ path, folders, name });
    }
  }
}

/** What a file holds, by its first bytes. @throws GraftError `lfs-pointer` */
async function kindOf(path: string): Promise<{ readonly format: ImageFormat | null; readonly isEmpty: boolean }> {
  const size = await platform.fileSize(path);
  if (size === 0) return { format: null, isEmpty: true };
  const format = imageFormat(await platform.readRange(path, 0, Math.min(size, FORMAT_BYTES)));
  if (format === null) await refusePointer(path);
  return { format, isEmpty: false };
}

/** @throws GraftError `invalid-image` for what is no picture that can be read, and should be one */
function isPicture({ path, name }: Entry, format: ImageFormat | null, isEmpty: boolean): boolean {
  if (format !== null && imageFormats[format].isDecoded) return true;
  if (format !== null) {
    throw new GraftError(
      "invalid-image",
      `${path} is a ${imageFormats[format].name} file, which is not read`,
      `Save it as one of ${decodedFormatNames}, or remove it from the folder.`,
    );
  }
  if (!pictureExtensions.has(platform.extname(name).toLowerCase())) return false;
  throw new GraftError(
    "invalid-image",
    isEmpty ? `${path} is empty` : `${path} holds no picture of a known kind, for all its name`,
    "Fetch the file again, or remove it from the folder.",
  );
}

/**
 * Finds the pictures below a folder by their content: names and extensions count for nothing.
 * @throws GraftError `file-not-found`, `file-access`; `invalid-image` for a picture of a kind that is not read, and for
 *   a file with a picture's extension that holds none
 */
export async function findPictures(root: string): Promise<PictureTree> {
  const walk = new Walk();
  await walk.visit(root, []);
  const pictures: FoundPicture[] = [];
  for (let at = 0; at < walk.files.length; at += AT_ONCE) {
    const some = walk.files.slice(at, at + AT_ONCE);
    const kinds = await Promise.all(some.map(({ path }) => kindOf(path)));
    some.forEach((file, index) => {
      const { format, isEmpty } = kinds[index] as (typeof kinds)[number];
      if (isPicture(file, format, isEmpty)) pictures.push({ path: file.path, folders: file.folders });
      else walk.leave("of another kind", file.path);
    });
  }
  const entries = await platform.listDirectory(root);
  const folders = entries
    .filter(({ name, isDirectory }) => isDirectory && !name.startsWith(".") && !systemFolders.has(name.toLowerCase()))
    .map(({ name }) => name);
  return { root, pictures, folders, left: walk.left };
}

/** One line on what was left out; undefined where nothing was. */
export function leftOutLine({ root }: PictureTree, left: ReadonlyMap<string, readonly string[]>): string | undefined {
  const reasons = [...left].filter(([, paths]) => paths.length > 0);
  if (reasons.length === 0) return undefined;
  const count = reasons.reduce((sum, [, paths]) => sum + paths.length, 0);
  const shown = reasons.map(([reason, paths]) => {
    const names = paths.slice(0, 3).map((path) => path.slice(root.length).replace(/^[/\\]/, ""));
    return `${paths.length} ${reason} (${names.join(", ")}${paths.length > 3 ? ", ..." : ""})`;
  });
  return `${root}: ${count} left out: ${shown.join("; ")}`;
}
