import * as z from "zod";
import { checked } from "../../checked.js";
import { GraftError } from "../../errors.js";
import { type HubOptions, resolveFiles } from "../../hub/index.js";
import { type JsonObject, parseJsonObject, stringifyPython } from "../../json.js";
import type { Size } from "./geometry.js";
import { type Resample, resampleByNumber } from "./resample-filters.js";

/** What preprocessor_config.json says, in camelCase; defaults are ViT's. */
export interface ImageProcessorConfig {
  readonly doResize: boolean;
  /** Exact size, or the length of the shorter side with proportions kept. */
  readonly size: Size | { readonly shortestEdge: number };
  readonly resample: Resample;
  readonly doCenterCrop: boolean;
  readonly cropSize: Size;
  readonly doRescale: boolean;
  readonly rescaleFactor: number;
  readonly doNormalize: boolean;
  readonly imageMean: readonly number[];
  readonly imageStd: readonly number[];
}

const edge = z.int().positive();
const square = edge.transform((side) => ({ height: side, width: side }));
const rectangle = z.object({ height: edge, width: edge });
const statistics = z.union([z.array(z.number()).min(1), z.number().transform((value) => [value])]);
const deviations = statistics.refine((values) => !values.includes(0), "pixels cannot be divided by 0");

const schema = z.object({
  do_resize: z.boolean().default(true),
  size: z
    .union([
      square,
      rectangle,
      z.strictObject({ shortest_edge: edge }).transform((s) => ({ shortestEdge: s.shortest_edge })),
    ])
    .default({ height: 224, width: 224 }),
  resample: z.int().min(0).max(5).default(2),
  do_center_crop: z.boolean().nullish(),
  crop_size: z.union([square, rectangle]).nullish(),
  do_rescale: z.boolean().default(true),
  rescale_factor: z.number().default(1 / 255),
  do_normalize: z.boolean().default(true),
  image_mean: statistics.default([0.5, 0.5, 0.5]),
  image_std: deviations.default([0.5, 0.5, 0.5]),
});

/** Steps that Graft does or that change nothing for it (pictures are always made RGB first). */
const knownSteps = new Set(["do_resize", "do_center_crop", "do_rescale", "do_normalize", "do_convert_rgb"]);

/**
 * Checks the content of a preprocessor_config.json. `path` stands in error messages.
 * @throws GraftError `invalid-config` naming the key, `unsupported` for processing steps that Graft does not know.
 */
export function parseProcessorConfig(json: JsonObject, path: string): ImageProcessorConfig {
  const unknown = Object.keys(json).find((key) => key.startsWith("do_") && json[key] === true && !knownSteps.has(key));
  if (unknown !== undefined) {
    throw new GraftError(
      "unsupported",
      `${path} asks for "${unknown}", an image processing step that Graft does not have`,
      `Graft does ${[...knownSteps].join(", ")}. Prepare the pictures beforehand and set "${unknown}" to false.`,
    );
  }
  const present = Object.fromEntries(Object.entries(json).filter(([, value]) => value !== null));
  const hint = "Compare with the preprocessor_config.json that the model was published with.";
  const config = checked(schema, present, path, hint);
  const fallback = "shortestEdge" in config.size ? square.parse(config.size.shortestEdge) : config.size;
  return {
    doResize: config.do_resize,
    size: config.size,
    resample: resampleByNumber[config.resample] ?? "bilinear",
    doCenterCrop: config.do_center_crop ?? false,
    cropSize: config.crop_size ?? fallback,
    doRescale: config.do_rescale,
    rescaleFactor: config.rescale_factor,
    doNormalize: config.do_normalize,
    imageMean: config.image_mean,
    imageStd: config.image_std,
  };
}

/** The text of a preprocessor_config.json that transformers loads. */
export function processorConfigText(config: ImageProcessorConfig): string {
  const { size, imageMean, imageStd } = config;
  return stringifyPython({
    crop_size: config.cropSize,
    do_center_crop: config.doCenterCrop,
    do_normalize: config.doNormalize,
    do_rescale: config.doRescale,
    do_resize: config.doResize,
    image_mean: imageMean,
    image_processor_type: "ViTImageProcessor",
    image_std: imageStd,
    resample: resampleByNumber.indexOf(config.resample),
    rescale_factor: config.rescaleFactor,
    size: "shortestEdge" in size ? { shortest_edge: size.shortestEdge } : size,
  });
}

/** What `readProcessorFolder` finds. */
export interface ProcessorFolder {
  readonly config: ImageProcessorConfig;
  readonly channels: 1 | 3;
  /** preprocessor_config.json as it was read. */
  readonly text: string;
}

/**
 * Reads preprocessor_config.json, and the model's number of channels from config.json where it is there.
 * @throws GraftError as `resolveFiles`, `invalid-json`, `invalid-config`, `unsupported`
 */
export async function readProcessorFolder(reference: string, options: HubOptions = {}): Promise<ProcessorFolder> {
  const files = await resolveFiles(reference, "processor", options);
  const path = files.place("preprocessor_config.json");
  const text = await files.text("preprocessor_config.json", "preparing pictures");
  const config = parseProcessorConfig(parseJsonObject(text, path), path);
  const hasModel = await files.has("config.json");
  const model = hasModel ? await files.json("config.json", "the model's config") : {};
  const channels = model.num_channels ?? (config.imageMean.length === 1 ? 1 : 3);
  if (channels !== 1 && channels !== 3) {
    throw new GraftError(
      "unsupported",
      `${files.place("config.json")} has num_channels ${String(channels)}`,
      "Graft prepares pictures of 1 (grey) or 3 (RGB) channels.",
    );
  }
  return { config, channels, text };
}
