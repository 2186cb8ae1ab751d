import { platform } from "#platform";
import { GraftError } from "../../errors.js";
import { isOfHub } from "../../hub/index.js";
import { AutoModel, type PreTrainedModel } from "../../models/index.js";
import { getPeftModel } from "../../peft/index.js";
import type { Run } from "../definition/run.js";
import { labelsOfHead } from "../models/labels.js";
import { loadClassifier } from "../models/open.js";
import { tasksOfModel } from "../models/source.js";
import { heard, type Notices } from "../notices.js";
import { adapterConfig } from "../training/adapter.js";

/** A model's structure and sizes, from its config alone. */
export interface ModelSummary {
  readonly kind: "model";
  readonly className: string;
  readonly modelType: string;
  /** The config's main sizes. */
  readonly sizes: Readonly<Record<string, number | readonly number[]>>;
  readonly labels: readonly string[];
  readonly parameters: number;
  /** Size of a checkpoint of all of them. */
  readonly checkpointBytes: { readonly float32: number; readonly float16: number };
  readonly adapter?: MethodSummary;
}

/** What a tuning method would train. */
export interface MethodSummary {
  /** PEFT's name of it. */
  readonly type: string;
  readonly line: string;
  readonly trainable: number;
  /** Of the trained parameters in float32: what a checkpoint of them takes. */
  readonly trainedBytes: number;
  /** What AdamW keeps in memory for them besides the frozen weights: elements, gradients and two moments. */
  readonly trainingBytes: number;
  /** PEFT's counting: the originals of saved modules besides their copies. */
  readonly all: number;
  /** Saved modules counted once. */
  readonly allCountedOnce: number;
  readonly targets: readonly string[];
  readonly config: Readonly<Record<string, unknown>>;
}

const sizeNames = [
  "hiddenSize",
  "numHiddenLayers",
  "numAttentionHeads",
  "intermediateSize",
  "vocabSize",
  "maxPositionEmbeddings",
  "imageSize",
  "patchSize",
  "numChannels",
] as const;

function sizesOf(model: PreTrainedModel): ModelSummary["sizes"] {
  const config = model.config as unknown as Readonly<Record<string, unknown>>;
  const isSize = (value: unknown): value is number | readonly number[] =>
    typeof value === "number" || (Array.isArray(value) && value.every((side) => typeof side === "number"));
  return Object.fromEntries(
    sizeNames.flatMap((name) => {
      const value = config[name];
      return isSize(value) ? [[name, value]] : [];
    }),
  );
}

/**
 * Describes a model folder without reading weights. With a tuning method, or with labels, it is the classifier that
 * would be trained; else the model as it was saved.
 * @throws GraftError as `fromPretrained` and `getPeftModel`
 */
export async function summarizeModel(
  folder: string,
  run: Run,
  isTuned: boolean,
  notices: Pick<Notices, "onWarning"> = {},
): Promise<ModelSummary> {
  const { onWarning } = heard(notices);
  const { usual, possible } = await tasksOfModel(folder);
  const task = run.task !== undefined && possible.includes(run.task) ? run.task : usual;
  const own = await labelsOfHead(folder);
  const isClassifier = own !== undefined || isTuned || run.labels !== undefined || run.numLabels !== undefined;
  const labels = run.labels ? { id2label: run.labels } : run.numLabels ? { numLabels: run.numLabels } : {};
  const model: PreTrainedModel = isClassifier
    ? ((await loadClassifier(task, folder, { withWeights: false, ...labels, onWarning })) as unknown as PreTrainedModel)
    : ((await AutoModel.fromPretrained(folder, { withWeights: false })) as unknown as PreTrainedModel);
  const summary = {
    kind: "model",
    className: model.network.className,
    modelType: model.config.modelType,
    sizes: sizesOf(model),
    labels: isClassifier ? Object.values(model.config.id2label) : [],
    parameters: model.numParameters(),
    checkpointBytes: { float32: 4 * model.numParameters(), float16: 2 * model.numParameters() },
  } as const;
  if (!isTuned) return summary;
  const peft = getPeftModel(model, adapterConfig(run, task, onWarning), { onWarning });
  const [trainable, all] = peft.getNbTrainableParameters();
  const [, allCountedOnce] = peft.getNbTrainableParameters({ countSharedOnce: true });
  const config = Object.values(peft.peftConfig)[0]?.toJson() ?? {};
  const targets = peft.targetedModuleNames;
  return {
    ...summary,
    adapter: {
      type: String(config.peft_type),
      line: peft.trainableParametersLine(),
      trainable,
      trainedBytes: 4 * trainable,
      trainingBytes: 4 * 4 * trainable,
      all,
      allCountedOnce,
      targets,
      config,
    },
  };
}

/** @throws GraftError `file-not-found` */
export async function requireExisting(path: string): Promise<void> {
  if ((await platform.exists(path)) || (await isOfHub(path))) return;
  throw new GraftError(
    "file-not-found",
    `${path} does not exist`,
    "Name a model folder, an adapter folder, a checkpoint or a safetensors file.",
  );
}
