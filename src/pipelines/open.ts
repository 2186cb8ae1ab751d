import { AutoTokenizer, type Tokenizer } from "../data/index.js";
import { GraftError } from "../errors.js";
import { type HubOptions, holds } from "../hub/index.js";
import {
  type AutoClass,
  autoClasses,
  type FromPretrainedOptions,
  type HeadName,
  type ModelOutputs,
  type PreTrainedModel,
} from "../models/index.js";
import { AutoPeftClass, type PeftModel } from "../peft/index.js";

/** A model with or without adapters. */
export type AnyModel = PreTrainedModel | PeftModel;

/** Options of `pipeline`: the model's, where it is a folder. */
export interface PipelineOptions extends FromPretrainedOptions {
  /** Folder of the tokenizer or image processor. Default: the model's folder, or its base's. */
  readonly processing?: string;
}

export interface Opened {
  readonly model: AnyModel;
  /** Folder of the tokenizer or image processor. */
  readonly processing: string;
  /** How that folder is found on the Hub. */
  readonly from: HubOptions;
  /** Ends what was opened here; a model that was given stays. */
  dispose(): Promise<void>;
}

/**
 * What a pipeline runs: the model that was given, or that of a folder, an adapter's included.
 * @throws GraftError `invalid-argument` for a model with another head, and as `fromPretrained`
 */
export async function openModel(
  head: HeadName,
  given: string | AnyModel,
  { processing, ...options }: PipelineOptions,
): Promise<Opened> {
  if (typeof given !== "string") {
    return { model: given, processing: folderOf(given, processing), from: {}, dispose: async () => {} };
  }
  const isAdapter = await holds(given, "adapter_config.json", options);
  const auto = autoClasses[head] as AutoClass<ModelOutputs>;
  const model: AnyModel = isAdapter
    ? await new AutoPeftClass<ModelOutputs>(head).fromPretrained(given, options)
    : await auto.fromPretrained(given, options);
  const hasOwn =
    isAdapter &&
    ((await holds(given, "tokenizer.json", options)) || (await holds(given, "preprocessor_config.json", options)));
  const { token, cacheDir, localFilesOnly, onProgress, revision, subfolder } = options;
  const hub: HubOptions = { token, cacheDir, localFilesOnly, onProgress };
  // A revision is of the repository that was named, and of no other.
  const isNamed = hasOwn || (!isAdapter && processing === undefined);
  return {
    model,
    processing: hasOwn ? given : folderOf(model, processing),
    from: isNamed ? { ...hub, revision, subfolder } : hub,
    dispose: () => model.dispose(),
  };
}

function folderOf({ nameOrPath }: AnyModel, given: string | undefined): string {
  const folder = given ?? nameOrPath;
  if (folder !== null) return folder;
  throw new GraftError(
    "invalid-argument",
    "the model was not loaded from a folder, so that its tokenizer or image processor is not known",
    "Name their folder: pipeline(task, model, { processing: folder }).",
  );
}

export const openTokenizer = ({ processing, from }: Opened): Promise<Tokenizer> =>
  AutoTokenizer.fromPretrained(processing, from);
