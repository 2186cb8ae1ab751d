import * as z from "zod";
import { checked } from "../../checked.js";
import { isJsonObject, shown } from "../../json.js";
import type { RotaryFrequencies } from "../../nn/index.js";
import { unsupportedConfig } from "../config.js";

/** What a config says of rotary positions, and what it must say besides. */
export interface RopeSizes {
  /** Features of a head. */
  readonly headDim: number;
  readonly maxPositionEmbeddings: number;
}

const positive = z.number().gt(0);
const common = { rope_theta: positive.default(10000), partial_rotary_factor: z.number().nullish() };
const factor = z.number().gte(1);

const llama3Schema = z.object({
  ...common,
  factor,
  low_freq_factor: positive,
  high_freq_factor: positive,
  original_max_position_embeddings: z.int().positive(),
});

const yarnSchema = z.object({
  ...common,
  factor: factor.nullish(),
  attention_factor: positive.nullish(),
  beta_fast: positive.nullish(),
  beta_slow: positive.nullish(),
  mscale: z.number().nullish(),
  mscale_all_dim: z.number().nullish(),
  truncate: z.boolean().default(true),
  original_max_position_embeddings: z.int().positive(),
});

/** 1 / theta^(2 i / size) for i < size / 2, in PyTorch's order of float32 roundings. */
function plainFrequencies(theta: number, size: number): Float32Array {
  return Float32Array.from({ length: size / 2 }, (_, i) => 1 / Math.fround(theta ** Math.fround((2 * i) / size)));
}

/** Longer waves than the context are slowed down by the factor, shorter ones stay, those between are mixed (Llama 3.1). */
function llama3(values: z.output<typeof llama3Schema>, { headDim }: RopeSizes): RotaryFrequencies {
  const { rope_theta: theta, factor: slow, low_freq_factor: low, high_freq_factor: high } = values;
  const context = values.original_max_position_embeddings;
  const frequencies = plainFrequencies(theta, headDim).map((frequency) => {
    const wavelength = (2 * Math.PI) / frequency;
    if (wavelength < context / high) return frequency;
    if (wavelength > context / low) return frequency / slow;
    const smooth = (context / wavelength - low) / (high - low);
    return ((1 - smooth) * frequency) / slow + smooth * frequency;
  });
  return { frequencies, attentionFactor: 1 };
}

const yarnScale = (factor: number, scale = 1): number => (factor <= 1 ? 1 : 0.1 * scale * Math.log(factor) + 1);

/** Slow features are interpolated, fast ones are not, by a ramp between the two (YaRN, Peng et al. 2023). */
function yarn(values: z.output<typeof yarnSchema>, { headDim, maxPositionEmbeddings }: RopeSizes): RotaryFrequencies {
  const { rope_theta: theta, original_max_position_embeddings: context, mscale, mscale_all_dim: mscaleAll } = values;
  const slow = values.factor ?? maxPositionEmbeddings / context;
  const usual = mscale && mscaleAll ? yarnScale(slow, mscale) / yarnScale(slow, mscaleAll) : yarnScale(slow);
  const featureOf = (rotations: number): number =>
    (headDim * Math.log(context / (rotations * 2 * Math.PI))) / (2 * Math.log(theta));
  const round = values.truncate ? { down: Math.floor, up: Math.ceil } : { down: Number, up: Number };
  const low = Math.max(round.down(featureOf(values.beta_fast || 32)), 0);
  const last = Math.min(round.up(featureOf(values.beta_slow || 1)), headDim - 1);
  const high = low === last ? last + 0.001 : last;
  const frequencies = plainFrequencies(theta, headDim).map((frequency, i) => {
    const interpolated = Math.min(Math.max((i - low) / (high - low), 0), 1);
    return (frequency / slow) * interpolated + frequency * (1 - interpolated);
  });
  return { frequencies, attentionFactor: values.attention_factor ?? usual };
}

type Maker = (parameters: object, sizes: RopeSizes, what: string) => RotaryFrequencies;

/** What one type's parameters must be, and what they make. */
function row<S extends z.ZodType>(
  schema: S,
  make: (values: z.output<S>, sizes: RopeSizes) => RotaryFrequencies,
): Maker {
  const hint = "Compare rope_parameters (rope_scaling in older files) with those of a working model.";
  return (parameters, sizes, what) =>
    make(checked(schema, parameters, `${what}: the rotary positions cannot be used`, hint), sizes);
}

/** The types by their names in config files. */
const ropeTypes: Readonly<Record<string, Maker>> = {
  default: row(z.object(common), ({ rope_theta: theta }, { headDim }) => ({
    frequencies: plainFrequencies(theta, headDim),
    attentionFactor: 1,
  })),
  linear: row(z.object({ ...common, factor }), ({ rope_theta: theta, factor: slow }, { headDim }) => ({
    frequencies: plainFrequencies(theta, headDim).map((frequency) => frequency / slow),
    attentionFactor: 1,
  })),
  llama3: row(llama3Schema, llama3),
  yarn: row(yarnSchema, yarn),
};

/** The parameters, wherever a version of transformers writes them. */
function parametersOf(raw: Readonly<Record<string, unknown>>, sizes: RopeSizes): Record<string, unknown> {
  const { rope_parameters: current, rope_scaling: older, rope_theta: theta } = raw;
  const given = [older, current].find((value) => isJsonObject(value));
  const parameters: Record<string, unknown> = isJsonObject(given) ? { ...given } : {};
  if (theta !== undefined) parameters.rope_theta ??= theta;
  if (raw.partial_rotary_factor !== undefined) parameters.partial_rotary_factor ??= raw.partial_rotary_factor;
  const context = raw.original_max_position_embeddings ?? parameters.original_max_position_embeddings;
  return { ...parameters, original_max_position_embeddings: context ?? sizes.maxPositionEmbeddings };
}

/**
 * How a config turns positions into angles: RoPE of the types default, linear, llama3 and yarn.
 * @throws GraftError `unsupported` for another type, `invalid-config`
 */
export function rotaryFrequencies(
  raw: Readonly<Record<string, unknown>>,
  sizes: RopeSizes,
  what: string,
): RotaryFrequencies {
  const parameters = parametersOf(raw, sizes);
  const type = parameters.rope_type ?? parameters.type ?? "default";
  const make = typeof type === "string" && Object.hasOwn(ropeTypes, type) ? ropeTypes[type] : undefined;
  if (make === undefined) {
    const built = Object.keys(ropeTypes).join(", ");
    throw unsupportedConfig(what, `rotary positions of the type ${shown(type)} (built are ${built})`);
  }
  const { partial_rotary_factor: share } = parameters;
  if (share !== undefined && share !== null && share !== 1) {
    throw unsupportedConfig(what, `rotary positions for a part of each head (partial_rotary_factor ${shown(share)})`);
  }
  return make(parameters, sizes, what);
}
