import {
  type AdapterConfig,
  AdapterDropConfig,
  BitFitConfig,
  FullConfig,
  FullTopConfig,
  HoulsbyConfig,
  LinConfig,
  LoraConfig,
  PfeifferConfig,
  PreEmbedConfig,
  PreLayerConfig,
} from "../../peft/index.js";

interface Sizes {
  readonly d: number;
  readonly L: number;
}

/** A method of the paper with its settings: what is built, and the count by the formula of section 5.1. */
export interface PaperMethod {
  readonly name: string;
  readonly settings: string;
  readonly config: AdapterConfig;
  /** Whether Wq, Wk, Wv and Wo must be layers of their own. */
  readonly needsAttentionApart?: boolean;
  /** null: the paper gives none. */
  readonly formula: ((sizes: Sizes) => { readonly text: string; readonly count: number }) | null;
}

const modules = { q: "query", k: "key", v: "value", o: "attention.output.dense" } as const;
const ofDeberta = { q: "query_proj", k: "key_proj", v: "value_proj", o: "attention.output.dense" } as const;

/** LoRA of rank r on some of the attention's matrices. */
export function lora(matrices: string, r: number, family: "apart" | "deberta" = "apart"): PaperMethod {
  const names = family === "deberta" ? ofDeberta : modules;
  const letters = [...matrices] as (keyof typeof modules)[];
  return {
    name: "LoRA",
    settings: `r=${r} on ${letters.map((letter) => `W${letter}`).join(", ")}`,
    config: new LoraConfig({ r, targetModules: letters.map((letter) => names[letter]) }),
    needsAttentionApart: family === "apart",
    formula: ({ d, L }) => ({ text: "2 n d r", count: 2 * letters.length * L * d * r }),
  };
}

const bottleneckCount = (adapters: number, norms: number, d: number, r: number) => ({
  text: norms > 0 ? "n (2dr + r + d) + 2 m d" : "n (2dr + r + d)",
  count: adapters * (2 * d * r + r + d) + 2 * norms * d,
});

export const houlsby = (r: number): PaperMethod => ({
  name: "AdapterH",
  settings: `r=${r}`,
  config: new HoulsbyConfig({ bottleneckSize: r }),
  formula: ({ d, L }) => bottleneckCount(2 * L, 0, d, r),
});

export const lin = (r: number): PaperMethod => ({
  name: "AdapterL",
  settings: `r=${r}`,
  config: new LinConfig({ bottleneckSize: r }),
  formula: ({ d, L }) => bottleneckCount(L, L, d, r),
});

export const pfeiffer = (r: number): PaperMethod => ({
  name: "AdapterP",
  settings: `r=${r}`,
  config: new PfeifferConfig({ bottleneckSize: r }),
  formula: ({ d, L }) => bottleneckCount(L, 0, d, r),
});

/** AdapterDrop of the first layers. */
export const adapterDrop = (r: number, skipped: number): PaperMethod => ({
  name: "AdapterD",
  settings: skipped > 0 ? `r=${r}, ${skipped} layers dropped` : `r=${r}`,
  config:
    skipped > 0
      ? new AdapterDropConfig({ bottleneckSize: r, skipLayers: skipped })
      : new PfeifferConfig({ bottleneckSize: r }),
  formula: ({ d, L }) => bottleneckCount(L - skipped, 0, d, r),
});

export const preEmbed = (numPrefixTokens: number, numInfixTokens: number): PaperMethod => ({
  name: "PreEmbed",
  settings: `lp=${numPrefixTokens}, li=${numInfixTokens}`,
  config: new PreEmbedConfig({ numPrefixTokens, numInfixTokens }),
  formula: ({ d }) => ({ text: "d (lp + li)", count: d * (numPrefixTokens + numInfixTokens) }),
});

export const preLayer = (numPrefixTokens: number, numInfixTokens: number): PaperMethod => ({
  name: "PreLayer",
  settings: `lp=${numPrefixTokens}, li=${numInfixTokens}`,
  config: new PreLayerConfig({ numPrefixTokens, numInfixTokens }),
  formula: ({ d, L }) => ({ text: "L d (lp + li)", count: L * d * (numPrefixTokens + numInfixTokens) }),
});

export const ft: PaperMethod = { name: "FT", settings: "all weights", config: new FullConfig(), formula: null };

export const ftTop2: PaperMethod = {
  name: "FT-Top2",
  settings: "the last two layers",
  config: new FullTopConfig({ numLayers: 2 }),
  formula: ({ d }) => ({ text: "2 (12d^2 + 13d)", count: 2 * (12 * d * d + 13 * d) }),
};

export const bitFit: PaperMethod = {
  name: "BitFit",
  settings: "all biases",
  config: new BitFitConfig(),
  formula: ({ d, L }) => ({ text: "11 d L + d", count: 11 * d * L + d }),
};
