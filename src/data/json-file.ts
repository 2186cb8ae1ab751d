import { platform } from "#platform";
import { GraftError, type GraftErrorCode, messageOf } from "../errors.js";

export type JsonObject = { readonly [key: string]: unknown };

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Reads a file whose top level must be a JSON object. `code` classifies content that is not one. */
export async function readJsonObject(path: string, code: GraftErrorCode): Promise<JsonObject> {
  let value: unknown;
  try {
    value = JSON.parse(await platform.readText(path));
  } catch (error) {
    if (error instanceof GraftError) throw error;
    throw new GraftError(
      "invalid-json",
      `${path} is not valid JSON: ${messageOf(error)}`,
      "The file is damaged or cut off: fetch it again.",
      { cause: error },
    );
  }
  if (!isJsonObject(value)) {
    throw new GraftError(code, `${path} does not hold a JSON object`, "Check that it is the file you meant.");
  }
  return value;
}
