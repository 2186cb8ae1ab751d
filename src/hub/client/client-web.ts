import { GraftError } from "../../errors.js";

function refused(): never {
  throw new GraftError(
    "unsupported",
    "pages do not write to the Hub",
    "Save the folder and push it from Node, or use @huggingface/hub in the page.",
  );
}

/** A page would have to carry all of the client. */
export const commit = refused;
export const createBranch = refused;
export const createRepo = refused;
export const whoAmI = refused;
export class HubApiError extends Error {}
