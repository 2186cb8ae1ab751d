import { GraftError } from "../errors.js";
import { shown } from "../json.js";
import { type ProblemType, problemTypes } from "../problem-type.js";
import type { ModelConfig } from "./config.js";
import { type LabelOptions, labelMaps } from "./labels.js";
import type { NameScheme } from "./module-names.js";
import type { Network } from "./network.js";

interface HeadRow {
  readonly autoClass: string;
  readonly suffix: string;
  /** How classes of the oldest models end ("GPT2LMHeadModel"). */
  readonly oldSuffix?: string;
}

/**
 * What sits on top of a model, one row for each head (its labels and loss are in `heads/`): the class that loads such
 * models, and how the classes of transformers end that build them ("Bert" + "ForSequenceClassification").
 */
export const heads = {
  base: { autoClass: "AutoModel", suffix: "Model" },
  sequenceClassification: {
    autoClass: "AutoModelForSequenceClassification",
    suffix: "ForSequenceClassification",
  },
  imageClassification: { autoClass: "AutoModelForImageClassification", suffix: "ForImageClassification" },
  tokenClassification: { autoClass: "AutoModelForTokenClassification", suffix: "ForTokenClassification" },
  causalLM: { autoClass: "AutoModelForCausalLM", suffix: "ForCausalLM", oldSuffix: "LMHeadModel" },
} as const satisfies Readonly<Record<string, HeadRow>>;

export type HeadName = keyof typeof heads;
export const headNames = Object.keys(heads) as HeadName[];

/** The head that a class of transformers has ("BertForTokenClassification"); undefined for one that is not built. */
export function headOfClass(className: string): HeadName | undefined {
  const rows: readonly (readonly [HeadName, HeadRow])[] = headNames.map((head) => [head, heads[head]]);
  const ends = ([, { oldSuffix }]: (typeof rows)[number]) => oldSuffix !== undefined && className.endsWith(oldSuffix);
  return (rows.find(ends) ?? rows.find(([, { suffix }]) => className.endsWith(suffix)))?.[0];
}

/** How a model type is built. */
export interface Architecture {
  /** Name of the base model inside classifiers ("bert"). */
  readonly basePrefix: string;
  readonly heads: readonly HeadName[];
  /** The config of such a model with a caller's options. @param what names the file in messages */
  config(raw: Readonly<Record<string, unknown>>, what: string, options: ConfigOptions): ModelConfig;
  /** The network with named parameters that have no elements yet. */
  create(head: HeadName, raw: Readonly<Record<string, unknown>>, what: string, options: ConfigOptions): Network;
}

/** What a caller may set over the config file. */
export interface ConfigOptions extends LabelOptions {
  readonly problemType?: ProblemType;
}

function withOptions<C extends ModelConfig>(config: C, options: ConfigOptions): C {
  const { numLabels, id2label, label2id, problemType } = options;
  // A count that the config has already keeps the config's names, as in transformers.
  const isSameCount = id2label === undefined && label2id === undefined && numLabels === config.numLabels;
  const labels = isSameCount ? undefined : labelMaps(options, "the given labels");
  return { ...config, ...labels, ...(problemType ? { problemType } : {}) };
}

function checkOptions({ problemType }: ConfigOptions): void {
  if (problemType === undefined || problemTypes.includes(problemType)) return;
  throw new GraftError(
    "invalid-argument",
    `problemType is ${shown(problemType)}`,
    `It must be one of ${problemTypes.join(", ")}.`,
  );
}

/** One class has probability 1 whatever the logits are: such a model would train at loss 0. */
function checkLabels({ problemType, numLabels }: ModelConfig, what: string): void {
  if (problemType !== "single_label_classification" || numLabels > 1) return;
  throw new GraftError(
    "invalid-config",
    `${what}: the problem type is single_label_classification, but there is one label only`,
    'Name two labels or more, or take problemType "regression".',
  );
}

/** An architecture from its config reader, its names and its networks. */
export function architecture<C extends ModelConfig>(
  basePrefix: string,
  parse: (raw: Readonly<Record<string, unknown>>, what: string) => C,
  names: NameScheme,
  networks: { readonly [H in HeadName]?: new (config: C) => Network },
): Architecture {
  const configOf = (raw: Readonly<Record<string, unknown>>, what: string, options: ConfigOptions): C => {
    checkOptions(options);
    return withOptions(parse(raw, what), options);
  };
  const available = headNames.filter((head) => networks[head]);
  return {
    basePrefix,
    heads: available,
    config: configOf,
    create(head, raw, what, options) {
      const NetworkClass = networks[head];
      if (!NetworkClass) {
        throw new GraftError(
          "unsupported",
          `${what}: a model of type ${JSON.stringify(raw.model_type)} cannot be loaded with ${heads[head].autoClass}`,
          `Take ${available.map((name) => heads[name].autoClass).join(", ")}.`,
        );
      }
      const config = configOf(raw, what, options);
      if (head !== "base" && head !== "causalLM") checkLabels(config, what);
      const network = new NetworkClass(config);
      network.names = names;
      network.assignNames();
      return network;
    },
  };
}
