import { platform } from "#platform";
import { type ImageExample, listImages, readTextDataset, type TextExample } from "../../data/index.js";
import { GraftError } from "../../errors.js";
import type { Run } from "../definition/run.js";
import type { Task } from "../models/settings.js";
import { textOptions } from "./data.js";

/** Things to predict, and what to call each in the result. */
export interface PredictInputs {
  readonly names: readonly string[];
  readonly examples: readonly TextExample[] | readonly ImageExample[];
}

const isTable = (path: string): boolean => /\.(csv|tsv|tab|jsonl|ndjson)$/i.test(path);
const isPlain = (path: string): boolean => /\.txt$/i.test(path);

function empty(path: string, what: string): GraftError {
  return new GraftError("empty-dataset", `${path} has no ${what}`, "Check the path; at least one input is needed.");
}

async function textsOfFile(path: string, keys: Run["data"]): Promise<TextExample[]> {
  if (isTable(path) || keys.format !== undefined) {
    return [...(await readTextDataset(path, { ...textOptions(keys), labelColumn: null })).examples];
  }
  const lines = (await platform.readText(path)).split(/\r?\n/).filter((line) => line.trim() !== "");
  if (lines.length === 0) throw empty(path, "lines");
  return lines.map((text) => ({ text }));
}

/** A text as it is; or the rows of a file, where the argument is one. */
async function textsOf(argument: string, pair: string | undefined, keys: Run["data"]): Promise<TextExample[]> {
  const looksLikeFile = isTable(argument) || isPlain(argument);
  if (await platform.isDirectory(argument)) {
    throw new GraftError(
      "file-access",
      `${argument} is a folder, but the model reads texts`,
      "Name files of texts, or give the texts themselves; one that is a folder's name here can stand in a file.",
    );
  }
  const isFile = await platform.exists(argument);
  if (isFile && pair === undefined) return textsOfFile(argument, keys);
  if (looksLikeFile && !/\s/.test(argument) && !isFile) {
    throw new GraftError(
      "file-not-found",
      `${argument} does not exist`,
      "Check the path. A text that is meant literally must not end like a file's name.",
    );
  }
  return [{ text: argument, ...(pair !== undefined && { textPair: pair }) }];
}

/** A picture, or the pictures of a folder, those in its class folders included. */
async function imagesOf(argument: string): Promise<string[]> {
  if (!(await platform.exists(argument))) {
    throw new GraftError("file-not-found", `${argument} does not exist`, "Give a picture or a folder of pictures.");
  }
  if (!(await platform.isDirectory(argument))) return [argument];
  const folders = (await platform.listDirectory(argument)).filter(
    (one) => one.isDirectory && !one.name.startsWith("."),
  );
  const nested = await Promise.all(folders.map(({ name }) => listImages(platform.join(argument, name))));
  const images = [...(await listImages(argument)), ...nested.flat()];
  if (images.length === 0) throw empty(argument, "pictures");
  return images;
}

/**
 * What the arguments of `graft predict` mean.
 * @throws GraftError `file-not-found`, `empty-dataset`, and what reading a file throws
 */
export async function predictInputs(
  task: Task,
  given: readonly string[],
  pair: string | undefined,
  keys: Run["data"],
): Promise<PredictInputs> {
  if (task === "image-classification") {
    const images = (await Promise.all(given.map(imagesOf))).flat();
    return { names: images, examples: images.map((image) => ({ image })) };
  }
  const examples = (await Promise.all(given.map((argument) => textsOf(argument, pair, keys)))).flat();
  return {
    names: examples.map(({ text, textPair }) => (textPair === undefined ? text : `${text} | ${textPair}`)),
    examples,
  };
}
