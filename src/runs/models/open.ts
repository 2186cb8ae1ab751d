import { GraftError } from "../../errors.js";
import type { ClassifierOutputs, FromPretrainedOptions, LoadingReport, PreTrainedModel } from "../../models/index.js";
import { type AutoClass, autoClasses } from "../../models/index.js";
import type { LabelOptions } from "../../models/labels.js";
import { PeftModel } from "../../peft/index.js";
import { type TaskName, tasks } from "../../tasks/index.js";
import { heard, type Notices } from "../notices.js";
import type { Source } from "./source.js";

/** A classifier's head, the part that another number of classes replaces. */
const isHead = (name: string): boolean => /(^|\.)(classifier|score)\./.test(name);

function refuseMismatches({ mismatchedKeys }: LoadingReport, folder: string): void {
  const [first] = mismatchedKeys.filter(({ name }) => !isHead(name));
  if (first === undefined) return;
  const { name, checkpointShape, modelShape } = first;
  throw new GraftError(
    "shape-mismatch",
    `${folder}: ${name} is [${checkpointShape}] in the file and [${modelShape}] by config.json`,
    "Config and weights do not belong together: fetch the folder again.",
  );
}

/** `FromPretrainedOptions`, and "head": only the head may be of another size than in the file. */
export type LoadOptions = Omit<FromPretrainedOptions, "ignoreMismatchedSizes"> & {
  readonly ignoreMismatchedSizes?: boolean | "head";
} & Pick<Notices, "onWarning">;

/** A model with a task's head. @throws GraftError as `fromPretrained` */
export function loadClassifier(
  task: TaskName,
  folder: string,
  { ignoreMismatchedSizes = false, onReport, onWarning, ...options }: LoadOptions,
): Promise<PreTrainedModel<ClassifierOutputs>> {
  const auto = autoClasses[tasks[task].head] as AutoClass<ClassifierOutputs>;
  return auto.fromPretrained(folder, {
    ...options,
    ignoreMismatchedSizes: ignoreMismatchedSizes !== false,
    onReport: (report, line) => {
      if (ignoreMismatchedSizes === "head") refuseMismatches(report, folder);
      if (onReport) onReport(report, line);
      else if (line) heard({ onWarning }).onWarning(line);
    },
  });
}

export interface OpenOptions extends Pick<Notices, "onWarning"> {
  /** Names of the classes, over those that the folders hold. */
  readonly labels?: readonly string[] | undefined;
  readonly engine?: Pick<FromPretrainedOptions, "backend" | "threads">;
}

/** A model ready to predict, and the PeftModel around it where there is an adapter. */
export interface OpenedModel {
  readonly model: PreTrainedModel<ClassifierOutputs>;
  readonly peft: PeftModel<ClassifierOutputs> | undefined;
}

function labelsFor(source: Source, labels: readonly string[] | undefined): LabelOptions {
  if (labels) return { id2label: labels };
  if (source.settings?.labels) return { id2label: source.settings.labels.id2label };
  return source.adapterLabels === undefined ? {} : { numLabels: source.adapterLabels };
}

/**
 * Loads a model, with its adapter where there is one.
 * @throws GraftError as `fromPretrained` of models and adapters
 */
export async function openSource(
  source: Source,
  { labels, engine, onWarning = console.warn }: OpenOptions = {},
): Promise<OpenedModel> {
  const { base, adapter, task, settings, adapterLabels } = source;
  const bringsHead = adapterLabels !== undefined;
  const model = await loadClassifier(task, base, {
    ...engine,
    ...labelsFor(source, labels),
    ...(settings && { problemType: settings.problemType }),
    // A head that the adapter brings stands in for the base's, whatever its size.
    ignoreMismatchedSizes: bringsHead && "head",
    onReport: ({ newlyInitialized }, line) => {
      const isReplaced = bringsHead && newlyInitialized.every(isHead);
      if (newlyInitialized.length > 0 && !isReplaced) onWarning(line);
    },
  });
  if (adapter === undefined) return { model, peft: undefined };
  return { model, peft: await PeftModel.fromPretrained(model, adapter, { onWarning }) };
}
