import * as z from "zod";
import { type CamelKeys, camelCase } from "../case.js";
import { checked } from "../checked.js";
import { GraftError } from "../errors.js";
import { isJsonObject, shown } from "../json.js";
import { activationNames } from "../nn/index.js";
import { type ProblemType, problemTypes } from "../problem-type.js";
import { type LabelMaps, type LabelOptions, labelMaps } from "./labels.js";

/** What every model's config holds: the parsed view, and the JSON that it came from, unknown keys included. */
export interface ModelConfig extends LabelMaps {
  /** `model_type` of config.json. */
  readonly modelType: string;
  /** null: decided by the labels that a batch brings. */
  readonly problemType: ProblemType | null;
  /** Width of the stream between layers. */
  readonly hiddenSize: number;
  /** Heads of a layer's attention. */
  readonly numAttentionHeads: number;
  /** Standard deviation of fresh weights. */
  readonly initializerRange: number;
  /** The file's own keys; written back by savePretrained. */
  readonly raw: Readonly<Record<string, unknown>>;
}

const count = (most: number) => z.int().min(1).max(most);
const probability = z.number().min(0).lt(1);

/** Building blocks of the architectures' schemas. Limits are far above real models: they stop absurd files early. */
export const fields = {
  size: (usual: number) => count(2 ** 24).default(usual),
  layers: (usual: number) => count(1024).default(usual),
  activation: (usual: (typeof activationNames)[number]) => z.enum(activationNames).default(usual),
  dropout: (usual: number) => probability.default(usual),
  optionalDropout: probability.nullable().default(null),
  epsilon: (usual: number) => z.number().gt(0).lt(1).default(usual),
  /** One number for a square, or [height, width]. */
  extent: (usual: number) => z.union([count(2 ** 16), z.tuple([count(2 ** 16), count(2 ** 16)])]).default(usual),
};

/** The fields that BERT, RoBERTa and ViT share. */
export const transformerFields = {
  hidden_size: fields.size(768),
  num_hidden_layers: fields.layers(12),
  num_attention_heads: fields.size(12),
  intermediate_size: fields.size(3072),
  hidden_act: fields.activation("gelu"),
};

const labelIds = z.record(z.string(), z.union([z.int(), z.string().regex(/^\d+$/).transform(Number)]));

const commonSchema = z.object({
  model_type: z.string(),
  problem_type: z.enum(problemTypes).nullish(),
  initializer_range: z.number().gt(0).default(0.02),
  id2label: z.record(z.string(), z.union([z.string(), z.number().transform(String)])).nullish(),
  // Checked only where it is used: beside an id2label published configs hold anything.
  label2id: z.unknown().optional(),
  num_labels: z.int().nullish(),
});

function check<S extends z.ZodType>(schema: S, raw: unknown, what: string): z.output<S> {
  const hint = "Compare the file with the config.json of a working model of the same type.";
  return checked(schema, raw, `${what} cannot be used`, hint);
}

/**
 * As in transformers a num_labels that differs goes before id2label. A label2id without id2label, which transformers
 * ignores, names the labels.
 */
function labelOptions(raw: z.output<typeof commonSchema>, what: string): LabelOptions {
  const { id2label, label2id, num_labels: numLabels } = raw;
  const maps = id2label ?? label2id;
  if (!maps) return { numLabels: numLabels ?? 2 };
  if (typeof numLabels === "number" && numLabels !== Object.keys(maps).length) return { numLabels };
  return id2label ? { id2label } : { label2id: check(z.object({ label2id: labelIds }), raw, what).label2id };
}

function readLabels(raw: z.output<typeof commonSchema>, what: string): LabelMaps {
  return labelMaps(labelOptions(raw, what), what) as LabelMaps;
}

/**
 * Reads a config of one architecture.
 * @param schema the architecture's own fields, in snake_case with defaults
 * @param what names the file in messages
 * @throws GraftError `invalid-config` naming the field
 */
export function parseConfig<S extends z.ZodRawShape>(
  schema: z.ZodObject<S>,
  raw: Readonly<Record<string, unknown>>,
  what: string,
): Omit<ModelConfig, "hiddenSize" | "numAttentionHeads"> & CamelKeys<z.output<z.ZodObject<S>>> {
  refuseQuantized(raw, what);
  const common = check(commonSchema, raw, what);
  const own = check(schema, raw, what);
  const camel = Object.fromEntries(Object.entries(own).map(([key, value]) => [camelCase(key), value]));
  return {
    ...(camel as CamelKeys<z.output<z.ZodObject<S>>>),
    ...readLabels(common, what),
    modelType: common.model_type,
    problemType: common.problem_type ?? null,
    initializerRange: common.initializer_range,
    raw,
  };
}

/** The weights of such checkpoints lie under other names, so that a float model would be left with random ones. */
function refuseQuantized({ quantization_config: quantization }: Readonly<Record<string, unknown>>, what: string): void {
  if (quantization === undefined || quantization === null) return;
  const method = isJsonObject(quantization) ? quantization.quant_method : quantization;
  throw new GraftError(
    "unsupported",
    `${what} describes a quantised checkpoint (quant_method ${shown(method)})`,
    "Take the float version of the model.",
  );
}

/** The error for a config whose fields do not fit each other. */
export function configError(what: string, fault: string): GraftError {
  return new GraftError("invalid-config", `${what}: ${fault}`, "Compare it with the model's published config.json.");
}

/** The error for a variant of an architecture that Graft does not build. */
export function unsupportedConfig(what: string, fault: string): GraftError {
  return new GraftError("unsupported", `${what}: ${fault}`, "Use a model of the plain architecture.");
}

/** Keys of config.json that transformers 5 reads as floats alone: 1 is refused, 1.0 is not. */
export const floatKeys: readonly string[] = ["initializer_range", "layer_norm_eps", "layer_norm_epsilon"];

/** A config file's content with the labels, problem type and class that a model has now. */
export function configToWrite(config: ModelConfig, className: string): Record<string, unknown> {
  const { id2label, label2id, problemType, raw } = config;
  const { num_labels: _, torch_dtype: __, ...kept } = raw;
  const hasLabels =
    raw.id2label !== undefined ||
    raw.num_labels !== undefined ||
    (className.includes("For") && !className.endsWith("ForCausalLM"));
  return {
    ...kept,
    architectures: [className],
    dtype: "float32",
    ...(hasLabels ? { id2label, label2id } : {}),
    ...(problemType === null ? {} : { problem_type: problemType }),
  };
}
