import { platform } from "#platform";
import { GraftError, type GraftErrorCode, messageOf } from "../errors.js";

export type JsonObject = { readonly [key: string]: unknown };

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * Indented JSON as Python reads it with the same types: a whole number stays one however large it is (model_max_length
 * is 10^30 in many tokenizers, which JavaScript would write as the float 1e+30).
 */
export function stringifyPython(value: JsonObject): string {
  const text = JSON.stringify(value, null, 2).replace(/: (-?\d(?:\.\d+)?e\+\d+)(?=,?$)/gm, (_, digits: string) => {
    return `: ${BigInt(Number(digits))}`;
  });
  return `${text}\n`;
}

/** Reads a file whose top level must be a JSON object. `code` classifies content that is not one. */
export async function readJsonObject(path: string, code: GraftErrorCode): Promise<JsonObject> {
  return parseJsonObject(await platform.readText(path), path, code);
}

/** The same of a text that was read. */
export function parseJsonObject(text: string, path: string, code: GraftErrorCode): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
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
