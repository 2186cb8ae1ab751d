import { GraftError } from "../../errors.js";
import type {
  BaseModelOutputs,
  ClassifierOutputs,
  FromPretrainedOptions,
  LoadingReport,
  Parameter,
  PreTrainedModel,
} from "../../models/index.js";
import { type AutoClass, AutoModel, autoClasses, listSome } from "../../models/index.js";
import type { LabelOptions } from "../../models/labels.js";
import { PeftModel } from "../../peft/index.js";
import type { ProblemType } from "../../problem-type.js";
import { type TaskName, tasks } from "../../tasks/index.js";
import type { Run } from "../definition/run.js";
import { heard, type Notices } from "../notices.js";
import { engineOf } from "./engine.js";
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
  /** What the labels are, over what the folders say. */
  readonly problemType?: ProblemType | undefined;
  /** Go on where tensors of the model are in no file and were never trained. Default false. */
  readonly allowMissing?: boolean | undefined;
  readonly engine?: Pick<FromPretrainedOptions, "backend" | "threads" | "storageDtype">;
}

/** What a run says about opening a model. */
export function openOptions(
  run: Pick<Run, "labels" | "problemType" | "allowMissing" | "backend" | "threads">,
): OpenOptions {
  const { labels, problemType, allowMissing } = run;
  return { labels, problemType, allowMissing, engine: engineOf(run as Run) };
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

/** Parameters that no file held and no adapter stands in for. @throws GraftError `missing-tensor` naming them */
function refuseUntrained(fresh: readonly Parameter[], { base, adapter }: Source): void {
  const names = fresh.filter(({ standIn }) => standIn === null).map(({ name }) => name);
  if (names.length === 0) return;
  const places = adapter === undefined ? `${base} does not hold` : `neither ${base} nor ${adapter} holds`;
  const isOfHead = names.every(isHead);
  throw new GraftError(
    "missing-tensor",
    `${places} ${listSome(names, 4)}: the model would answer at random`,
    `${isOfHead ? 'Take a model that was saved with its head, or train an adapter that saves it (modulesToSave "classifier")' : "Fetch the folder again, or train these tensors (modulesToSave)"}; allowMissing goes on with random values.`,
    { option: "allowMissing" },
  );
}

/**
 * Loads a model, with its adapter where there is one.
 * @throws GraftError as `fromPretrained` of models and adapters; `missing-tensor` where tensors of the model are neither
 *   in its file nor in the adapter's
 */
export async function openSource(
  source: Source,
  {
    labels,
    problemType = source.settings?.problemType,
    allowMissing = false,
    engine,
    onWarning = console.warn,
  }: OpenOptions = {},
): Promise<OpenedModel> {
  const { base, adapter, task, adapterLabels } = source;
  requireHead(source);
  const bringsHead = adapterLabels !== undefined;
  let isFresh = new Set<string>();
  const model = await loadClassifier(task, base, {
    ...engine,
    ...labelsFor(source, labels),
    ...(problemType && { problemType }),
    // A head that the adapter brings stands in for the base's, whatever its size.
    ignoreMismatchedSizes: bringsHead && "head",
    allowMissing,
    onReport: ({ newlyInitialized }, line) => {
      isFresh = new Set(newlyInitialized);
      const isReplaced = bringsHead && newlyInitialized.every(isHead);
      if (allowMissing && newlyInitialized.length > 0 && !isReplaced) onWarning(line);
    },
  });
  const fresh = [...model.network.parameters()].filter(({ name }) => isFresh.has(name));
  const peft = adapter === undefined ? undefined : await PeftModel.fromPretrained(model, adapter, { onWarning });
  if (!allowMissing) refuseUntrained(fresh, source);
  return { model, peft };
}

/** An adapter of a model without a head has nothing to say about classes. @throws GraftError `unsupported` */
function requireHead({ isBare, adapter, base }: Source): void {
  if (!isBare) return;
  throw new GraftError(
    "unsupported",
    `${adapter} is an adapter of the bare model in ${base}, which has no classes`,
    "graft merge writes the bare model with the adapter in it; to classify, train an adapter of a classifier.",
  );
}

/**
 * Loads an adapter on the model that it is of, with a head or without.
 * @throws GraftError as `openSource`; `invalid-argument` for a folder without an adapter
 */
export async function openAdapter(
  source: Source,
  options: OpenOptions = {},
): Promise<PeftModel<ClassifierOutputs> | PeftModel<BaseModelOutputs>> {
  const { base, adapter, isBare } = source;
  const { allowMissing = false, engine, onWarning = console.warn } = options;
  if (adapter === undefined) {
    throw new GraftError("invalid-argument", `${base} is a model, not an adapter`, "Name the adapter's folder.");
  }
  if (isBare) {
    const model = await AutoModel.fromPretrained(base, {
      ...engine,
      allowMissing,
      onReport: ({ newlyInitialized }, line) => newlyInitialized.length > 0 && onWarning(line),
    });
    return PeftModel.fromPretrained(model, adapter, { onWarning });
  }
  const { peft } = await openSource(source, options);
  return peft as PeftModel<ClassifierOutputs>;
}
