import { platform } from "#platform";
import { GraftError } from "../../errors.js";
import { AutoModel, type PreTrainedModel } from "../../models/index.js";
import { getPeftModel, PeftConfig } from "../../peft/index.js";
import type { Run } from "../definition/run.js";
import { labelsOfHead } from "../models/labels.js";
import { loadClassifier } from "../models/open.js";
import { taskOfModel } from "../models/source.js";
import { heard, type Notices } from "../notices.js";
import { loraConfig } from "../training/adapter.js";

/** A model's structure and sizes, from its config alone. */
export interface ModelSummary {
  readonly kind: "model";
  readonly className: string;
  readonly modelType: string;
  /** The config's main sizes. */
  readonly sizes: Readonly<Record<string, number | readonly number[]>>;
  readonly labels: readonly string[];
  readonly parameters: number;
  readonly lora?: LoraSummary;
}

/** What a LoRA config would train. */
export interface LoraSummary {
  readonly line: string;
  readonly trainable: number;
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
 * Describes a model folder without reading weights. With a LoRA config, or with labels, it is the classifier that
 * would be trained; else the model as it was saved.
 * @throws GraftError as `fromPretrained` and `getPeftModel`
 */
export async function summarizeModel(
  folder: string,
  run: Run,
  lora: Run["lora"] | undefined,
  notices: Pick<Notices, "onWarning"> = {},
): Promise<ModelSummary> {
  const { onWarning } = heard(notices);
  const task = await taskOfModel(folder);
  const own = await labelsOfHead(folder);
  const isClassifier =
    own !== undefined || lora !== undefined || run.labels !== undefined || run.num_labels !== undefined;
  const labels = run.labels ? { id2label: run.labels } : run.num_labels ? { numLabels: run.num_labels } : {};
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
  } as const;
  if (lora === undefined) return summary;
  const peft = getPeftModel(model, loraConfig(lora, task, onWarning), { onWarning });
  const [trainable, all] = peft.getNbTrainableParameters();
  const [, allCountedOnce] = peft.getNbTrainableParameters({ countSharedOnce: true });
  const config = Object.values(peft.peftConfig)[0]?.toJson() ?? {};
  const targets = peft.targetedModuleNames;
  return {
    ...summary,
    lora: { line: peft.trainableParametersLine(), trainable, all, allCountedOnce, targets, config },
  };
}

/** The settings of an adapter that differ from PEFT's defaults, and its base. */
export async function summarizeAdapter(
  folder: string,
  { onWarning = console.warn }: Pick<Notices, "onWarning"> = {},
): Promise<Readonly<Record<string, unknown>>> {
  const config = (await PeftConfig.fromPretrained(folder, { onWarning })).toJson();
  const shown = [
    "peft_type",
    "task_type",
    "base_model_name_or_path",
    "r",
    "lora_alpha",
    "lora_dropout",
    "target_modules",
  ];
  const set = Object.entries(config).filter(([key, value]) => {
    const isPlain = value === null || value === false || (typeof value === "object" && Object.keys(value).length === 0);
    return (
      shown.includes(key) ||
      (!isPlain && !["peft_version", "megatron_core", "qalora_group_size", "inference_mode"].includes(key))
    );
  });
  return Object.fromEntries(set);
}

/** @throws GraftError `file-not-found` */
export async function requireExisting(path: string): Promise<void> {
  if (await platform.exists(path)) return;
  throw new GraftError(
    "file-not-found",
    `${path} does not exist`,
    "Name a model folder, an adapter folder, a checkpoint or a safetensors file.",
  );
}
