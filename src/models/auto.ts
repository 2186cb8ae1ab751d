import { GraftError } from "../errors.js";
import { type HubOptions, resolveFiles } from "../hub/index.js";
import { shown } from "../json.js";
import { type ScopeOptions, scopeOptions } from "../runtime/index.js";
import { type Architecture, architecture, type ConfigOptions, type HeadName } from "./architecture.js";
import {
  BertForSequenceClassification,
  BertForTokenClassification,
  BertModel,
  bertNames,
  parseBertConfig,
} from "./architectures/bert.js";
import {
  DebertaV2ForSequenceClassification,
  DebertaV2ForTokenClassification,
  DebertaV2Model,
} from "./architectures/deberta.js";
import { parseDebertaConfig } from "./architectures/deberta-config.js";
import {
  DistilBertForSequenceClassification,
  DistilBertForTokenClassification,
  DistilBertModel,
  parseDistilBertConfig,
} from "./architectures/distilbert.js";
import {
  Gpt2ForSequenceClassification,
  Gpt2ForTokenClassification,
  Gpt2LMHeadModel,
  Gpt2Model,
  gpt2Names,
  parseGpt2Config,
} from "./architectures/gpt2.js";
import { llamaNames, llamaNetworks } from "./architectures/llama.js";
import { parseLlamaConfig } from "./architectures/llama-config.js";
import { parseMistralConfig } from "./architectures/mistral.js";
import { parseQwen2Config, parseQwen3Config } from "./architectures/qwen.js";
import {
  parseRobertaConfig,
  RobertaForSequenceClassification,
  RobertaForTokenClassification,
  RobertaModel,
} from "./architectures/roberta.js";
import { parseVitConfig, VitForImageClassification, VitModel, vitNames } from "./architectures/vit.js";
import type { ModelConfig } from "./config.js";
import { initializeAll, loadWeights, type WeightOptions } from "./loading.js";
import { formatLoadingReport, type LoadingReport } from "./loading-report.js";
import {
  type BaseModelOutputs,
  type CausalLMOutputs,
  type ClassifierOutputs,
  type ModelOutputs,
  PreTrainedModel,
} from "./pretrained-model.js";

/** Values of config.json's `model_type` that Graft builds. */
export const modelTypes = [
  "bert",
  "roberta",
  "distilbert",
  "deberta-v2",
  "vit",
  "gpt2",
  "llama",
  "mistral",
  "qwen2",
  "qwen3",
] as const;
export type ModelType = (typeof modelTypes)[number];

/** Every model type, with its networks by head. */
export const architectures: { readonly [K in ModelType]: Architecture } = {
  bert: architecture("bert", parseBertConfig, bertNames, {
    base: BertModel,
    sequenceClassification: BertForSequenceClassification,
    tokenClassification: BertForTokenClassification,
  }),
  roberta: architecture("roberta", parseRobertaConfig, bertNames, {
    base: RobertaModel,
    sequenceClassification: RobertaForSequenceClassification,
    tokenClassification: RobertaForTokenClassification,
  }),
  distilbert: architecture("distilbert", parseDistilBertConfig, bertNames, {
    base: DistilBertModel,
    sequenceClassification: DistilBertForSequenceClassification,
    tokenClassification: DistilBertForTokenClassification,
  }),
  "deberta-v2": architecture("deberta", parseDebertaConfig, bertNames, {
    base: DebertaV2Model,
    sequenceClassification: DebertaV2ForSequenceClassification,
    tokenClassification: DebertaV2ForTokenClassification,
  }),
  vit: architecture("vit", parseVitConfig, vitNames, {
    base: VitModel,
    imageClassification: VitForImageClassification,
  }),
  gpt2: architecture("transformer", parseGpt2Config, gpt2Names, {
    base: Gpt2Model,
    causalLM: Gpt2LMHeadModel,
    sequenceClassification: Gpt2ForSequenceClassification,
    tokenClassification: Gpt2ForTokenClassification,
  }),
  llama: architecture("model", parseLlamaConfig, llamaNames, llamaNetworks("Llama")),
  mistral: architecture("model", parseMistralConfig, llamaNames, llamaNetworks("Mistral")),
  qwen2: architecture("model", parseQwen2Config, llamaNames, llamaNetworks("Qwen2")),
  qwen3: architecture("model", parseQwen3Config, llamaNames, llamaNetworks("Qwen3")),
};

/** Options of `fromConfig`. */
export interface FromConfigOptions extends ConfigOptions, ScopeOptions {
  /** Seed of fresh values. Default 0. */
  readonly seed?: number;
  /** false: shapes only, enough to count parameters and to estimate. Default true. */
  readonly withWeights?: boolean;
}

/** Options of `fromPretrained`. */
export interface FromPretrainedOptions extends FromConfigOptions, WeightOptions, HubOptions {
  /** Told what did not fit between model and checkpoint. Default: one line by console.warn, where there is something. */
  readonly onReport?: (report: LoadingReport, line: string) => void;
}

function architectureOf(raw: Readonly<Record<string, unknown>>, what: string): Architecture {
  const known = modelTypes.find((type) => type === raw.model_type);
  if (known) return architectures[known];
  if (raw.model_type === undefined) {
    throw new GraftError(
      "invalid-config",
      `${what} has no model_type`,
      "Take the config.json of a transformers model.",
    );
  }
  throw new GraftError(
    "unsupported",
    `${what} is of model_type ${shown(raw.model_type)}`,
    `Model types that Graft builds: ${modelTypes.join(", ")}.`,
  );
}

function warn(report: LoadingReport, line: string): void {
  const isWorthALine = report.newlyInitialized.length > 0 || report.unexpectedKeys.length > 0;
  if (isWorthALine) console.warn(line);
}

/** Reads config.json without building a model. */
export const AutoConfig = {
  /**
   * The config of a model, which `fromConfig` takes as its `raw`.
   * @param options what is to be set over the file
   * @throws GraftError `file-not-found`, `invalid-json`, `invalid-config`, `unsupported`, `invalid-argument`, `lfs-pointer`
   */
  async fromPretrained(reference: string, options: ConfigOptions & HubOptions = {}): Promise<ModelConfig> {
    const files = await resolveFiles(reference, "model", options);
    const raw = await files.json("config.json", "the model's config");
    const where = files.place("config.json");
    return architectureOf(raw, where).config(raw, where, options);
  },
};

/** Loads models with one kind of head. */
export class AutoClass<Outputs extends ModelOutputs> {
  constructor(private readonly head: HeadName) {}

  /**
   * A model from a folder or from the Hugging Face Hub ("org/name"): config.json and model.safetensors (or its shards).
   * float32 weights stay in their files. A head that the checkpoint lacks is initialised from `seed` and reported.
   * @throws GraftError `file-not-found`, `invalid-json`, `invalid-config`, `unsupported`, `invalid-safetensors`,
   *   `shape-mismatch` (see ignoreMismatchedSizes), `missing-tensor`, `pickle-refused`, `lfs-pointer`, `invalid-argument`;
   *   of the Hub `hub-access`, `hub-unreachable`, `disk-full`
   */
  async fromPretrained(folder: string, options: FromPretrainedOptions = {}): Promise<PreTrainedModel<Outputs>> {
    const files = await resolveFiles(folder, "model", options);
    const raw = await files.json("config.json", "the model's config");
    const path = files.place("config.json");
    const { basePrefix, create } = architectureOf(raw, path);
    const scope = scopeOptions(options);
    const network = create(this.head, raw, path, options);
    if (options.withWeights === false) return new PreTrainedModel(network, undefined, scope, folder, files);
    const report = await loadWeights(network, files, basePrefix, options);
    const tell = options.onReport ?? warn;
    tell(report, formatLoadingReport(report, network.className, folder));
    return new PreTrainedModel(network, report, scope, folder, files);
  }

  /**
   * A model with fresh weights.
   * @param config the content of a config.json (`{ model_type: "vit", ... }`); fields left out take transformers' defaults
   * @throws GraftError `invalid-config` naming the field, `unsupported`, `invalid-argument` (problemType, seed)
   */
  fromConfig(config: Readonly<Record<string, unknown>>, options: FromConfigOptions = {}): PreTrainedModel<Outputs> {
    const what = "the given config";
    const network = architectureOf(config, what).create(this.head, config, what, options);
    if (options.withWeights !== false) initializeAll(network.parameters(), options.seed ?? 0);
    return new PreTrainedModel(network, undefined, scopeOptions(options));
  }
}

/** Models without a head: `lastHiddenState`, and `poolerOutput` where the model has a pooler. */
export const AutoModel = new AutoClass<BaseModelOutputs>("base");

/** Classifiers of texts and text pairs: `logits` [batch, numLabels]. */
export const AutoModelForSequenceClassification = new AutoClass<ClassifierOutputs>("sequenceClassification");

/** Classifiers of images: `logits` [batch, numLabels]. */
export const AutoModelForImageClassification = new AutoClass<ClassifierOutputs>("imageClassification");

/** Classifiers of the tokens of a text: `logits` [batch, sequence, numLabels]. */
export const AutoModelForTokenClassification = new AutoClass<ClassifierOutputs>("tokenClassification");

/** Language models, which say what token comes next: `logits` [batch, sequence, vocabSize]. */
export const AutoModelForCausalLM = new AutoClass<CausalLMOutputs>("causalLM");

/** The classes by head. */
export const autoClasses: { readonly [H in HeadName]: AutoClass<ModelOutputs> } = {
  base: AutoModel,
  sequenceClassification: AutoModelForSequenceClassification,
  imageClassification: AutoModelForImageClassification,
  tokenClassification: AutoModelForTokenClassification,
  causalLM: AutoModelForCausalLM,
};
