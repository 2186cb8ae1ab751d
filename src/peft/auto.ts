import { GraftError } from "../errors.js";
import {
  type AutoClass,
  autoClasses,
  type BaseModelOutputs,
  type CausalLMOutputs,
  type ClassifierOutputs,
  type FromPretrainedOptions,
  type HeadName,
  headOfClass,
  heads,
  type LoadingReport,
  listSome,
  type ModelOutputs,
} from "../models/index.js";
import type { AdapterConfig, OnWarning } from "./config/config-class.js";
import type { TaskType } from "./config/task-types.js";
import { AdapterFolder } from "./folder/adapter-folder.js";
import { type LoadAdapterOptions, PeftModel } from "./peft-model.js";

/** Options of `AutoPeftModel...fromPretrained`: the base model's and the adapter's. */
export type AutoPeftOptions = FromPretrainedOptions &
  LoadAdapterOptions & {
    /** The base model, where the adapter's own note is not to be followed. */
    readonly baseModel?: string;
  };

/** The heads that PEFT's task types stand for; null: none that Graft builds. */
const headOfTask: { readonly [T in TaskType]: HeadName | null } = {
  SEQ_CLS: "sequenceClassification",
  TOKEN_CLS: "tokenClassification",
  FEATURE_EXTRACTION: "base",
  SEQ_2_SEQ_LM: null,
  CAUSAL_LM: "causalLM",
  QUESTION_ANS: null,
};

const className = (head: HeadName): string => heads[head].autoClass.replace("Auto", "AutoPeft");

/** The head that an adapter was made for; undefined where its config does not say. */
function headOf({ autoMapping, taskType }: AdapterConfig): HeadName | undefined {
  if (taskType !== null) return headOfTask[taskType] ?? undefined;
  return autoMapping === null ? undefined : headOfClass(autoMapping.base_model_class);
}

/** Loads adapters together with the base models that they name. */
export class AutoPeftClass<Outputs extends ModelOutputs> {
  /** @param head undefined: the one that the adapter's config tells of */
  constructor(private readonly head?: HeadName) {}

  /**
   * An adapter in PEFT's format on its base model, which adapter_config.json names. A head that the adapter brings stands
   * in for the base's, whatever its size.
   * @throws GraftError `file-not-found` where the base is not there, `invalid-config` for an adapter of another kind of
   *   model, `shape-mismatch`, and as `fromPretrained` of models and adapters
   */
  async fromPretrained(reference: string, options: AutoPeftOptions = {}): Promise<PeftModel<Outputs>> {
    const { adapterName, isTrainable, onWarning = console.warn, baseModel, ...others } = options;
    const { revision: _, subfolder: __, ...modelOptions } = others;
    const adapter = await AdapterFolder.open(reference, options);
    const head = this.headFor(
      adapter,
      adapter.config(() => {}),
    );
    const base = baseModel ?? (await adapter.baseModel());
    const size = head === "base" || head === "causalLM" ? undefined : await adapter.headSize();
    const auto = autoClasses[head] as AutoClass<Outputs>;
    const model = await auto.fromPretrained(base, {
      ...(size !== undefined && namesNoLabels(options) && { numLabels: size }),
      ...modelOptions,
      ...(baseModel === undefined && adapter.baseOptions),
      ignoreMismatchedSizes: options.ignoreMismatchedSizes ?? size !== undefined,
      onReport: (report, line) => {
        if (options.ignoreMismatchedSizes === undefined) refuseMismatches(report, base);
        if (options.onReport) options.onReport(report, line);
        else remarkNew(report, line, size !== undefined, onWarning);
      },
    });
    try {
      return await PeftModel.fromPretrained(model, adapter, {
        onWarning,
        ...(adapterName !== undefined && { adapterName }),
        ...(isTrainable !== undefined && { isTrainable }),
      });
    } catch (error) {
      await model.dispose();
      throw error;
    }
  }

  private headFor(adapter: AdapterFolder, config: AdapterConfig): HeadName {
    const made = headOf(config);
    const head = this.head ?? made;
    const { taskType } = config;
    if (head === undefined) {
      const task =
        taskType === null ? "names neither a task nor the class of its model" : `is for the task ${taskType}`;
      throw new GraftError(
        "invalid-config",
        `the adapter in ${adapter.origin} ${task}`,
        `Load it with the class of its task: ${Object.values(headOfTask)
          .filter((name) => name !== null)
          .map(className)
          .join(", ")}.`,
      );
    }
    // PEFT has no task type for pictures: SEQ_CLS, which saves the classifier, is taken for them, too.
    const isOfPictures = head === "imageClassification" && taskType === "SEQ_CLS";
    if (made !== undefined && made !== head && !isOfPictures) {
      throw new GraftError(
        "invalid-config",
        `the adapter in ${adapter.origin} was made for ${heads[made].autoClass}, not for ${heads[head].autoClass}`,
        `Load it with ${className(made)}.`,
      );
    }
    return head;
  }
}

const namesNoLabels = ({ id2label, label2id, numLabels }: AutoPeftOptions): boolean =>
  id2label === undefined && label2id === undefined && numLabels === undefined;

/** A classifier's head, the part that another number of classes replaces. */
const isHead = (name: string): boolean => /(^|\.)(classifier|score)\./.test(name);

function refuseMismatches({ mismatchedKeys }: LoadingReport, base: string): void {
  const [first] = mismatchedKeys.filter(({ name }) => !isHead(name));
  if (first === undefined) return;
  const { name, checkpointShape, modelShape } = first;
  throw new GraftError(
    "shape-mismatch",
    `${base}: ${name} is [${checkpointShape}] in the file and [${modelShape}] by config.json`,
    "Config and weights do not belong together: fetch the folder again.",
  );
}

/** Fresh parameters are worth a remark unless the adapter brings them. */
function remarkNew({ newlyInitialized }: LoadingReport, line: string, bringsHead: boolean, tell: OnWarning): void {
  const fresh = bringsHead ? newlyInitialized.filter((name) => !isHead(name)) : newlyInitialized;
  if (fresh.length > 0) tell(line || `newly initialised: ${listSome(fresh)}`);
}

/** An adapter on a model of whatever kind its config tells of. */
export const AutoPeftModel = new AutoPeftClass<ModelOutputs>();

/** Adapters of classifiers of texts: `logits` [batch, numLabels]. */
export const AutoPeftModelForSequenceClassification = new AutoPeftClass<ClassifierOutputs>("sequenceClassification");

/** Adapters of classifiers of images: `logits` [batch, numLabels]. */
export const AutoPeftModelForImageClassification = new AutoPeftClass<ClassifierOutputs>("imageClassification");

/** Adapters of classifiers of tokens: `logits` [batch, sequence, numLabels]. */
export const AutoPeftModelForTokenClassification = new AutoPeftClass<ClassifierOutputs>("tokenClassification");

/** Adapters of models without a head: `lastHiddenState`. */
export const AutoPeftModelForFeatureExtraction = new AutoPeftClass<BaseModelOutputs>("base");

/** Adapters of language models: `logits` [batch, sequence, vocabSize]. */
export const AutoPeftModelForCausalLM = new AutoPeftClass<CausalLMOutputs>("causalLM");
