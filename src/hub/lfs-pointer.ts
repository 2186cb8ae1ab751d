import { GraftError } from "../errors.js";

/** Pointers are some 130 bytes; the specification allows no more than this. */
export const LARGEST_POINTER = 1024;

/** How every pointer begins. */
export const POINTER_START = "version https://git-lfs.github.com/spec/";

/** Whether a file's bytes are such a pointer. */
export function isPointer(bytes: Uint8Array): boolean {
  if (bytes.length > LARGEST_POINTER) return false;
  return new TextDecoder().decode(bytes.subarray(0, POINTER_START.length)) === POINTER_START;
}

/** The error for a file that stands for another one, which Git has not fetched. */
export function pointerRefused(path: string): GraftError {
  return new GraftError(
    "lfs-pointer",
    `${path} is a Git LFS pointer, a few lines that stand for the file, which was not downloaded`,
    "Run `git lfs install` and `git lfs pull` in the cloned repository, or download the file itself.",
  );
}
