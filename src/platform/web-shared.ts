import { GraftError } from "../errors.js";
import type { SharedFiles } from "./types.js";

function refused(): never {
  throw new GraftError(
    "unsupported",
    "a page shares no files with other programs",
    "Do this in Node, or use the browser's own storage.",
  );
}

/** A page has no environment, no home and no links. */
export const webShared: SharedFiles = {
  environment: () => undefined,
  homeDirectory: refused,
  digest: refused,
  openPartial: refused,
  linkFile: refused,
  writePrivateFile: refused,
};
