import { readFileSync } from "node:fs";
import {
  AdaLoraConfig,
  AdapterDropConfig,
  BitFitConfig,
  FullConfig,
  FullTopConfig,
  getPeftModel,
  HoulsbyConfig,
  IA3Config,
  LinConfig,
  LNTuningConfig,
  LoHaConfig,
  LoKrConfig,
  LoraConfig,
  type PeftConfig,
  PfeifferConfig,
  PreEmbedConfig,
  PrefixTuningConfig,
  PreLayerConfig,
  PromptEncoderConfig,
  PromptTuningConfig,
  VeraConfig,
} from "graft-peft";
import { describe, expect, onTestFinished, test } from "vitest";
import { tuners } from "#graft/peft/index";
import { loadGoldenModel } from "./models.js";
import { goldenPath } from "./numbers.js";

/** L layers, d hidden size, f feed-forward, r rank or bottleneck, lp prefix, li infix, k width of the keys, V words, P positions, c a patch. */
interface Sizes {
  readonly L: number;
  readonly d: number;
  readonly f: number;
  readonly r: number;
  readonly lp: number;
  readonly li: number;
  readonly k: number;
  readonly V: number;
  readonly P: number;
  readonly c: number;
}

interface Count {
  /** Counted in PyTorch. */
  readonly trainable: number;
  /** Of the sizes, in Python, which gave the same. */
  readonly formula: string;
}

type Family = "bert" | "roberta" | "vit" | "distilbert" | "deberta" | "gpt2" | "llama";

const golden: {
  readonly counts: Readonly<Record<string, Readonly<Record<string, Count>>>>;
  readonly sizes: Readonly<Record<string, Sizes>>;
} = JSON.parse(readFileSync(goldenPath("method-counts.json"), "utf8"));

const bottleneck = ({ d, r }: Sizes) => 2 * d * r + r + d;
const narrow = ({ d, r }: Sizes) => ({ reductionFactor: d / r });
const prompt = ({ lp, r }: Sizes) => ({ numVirtualTokens: lp, encoderHiddenSize: r });
const places = ({ lp, li }: Sizes, family: Family) => ({
  numPrefixTokens: lp,
  numInfixTokens: family === "vit" ? 0 : li,
});
const virtual = ({ lp, li }: Sizes, family: Family) => lp + (family === "vit" ? 0 : li);
type Targets = { readonly [F in Family]: string[] };
const queryValue: Targets = {
  bert: ["query", "value"],
  roberta: ["query", "value"],
  vit: ["q_proj", "v_proj"],
  distilbert: ["q_lin", "v_lin"],
  deberta: ["query_proj", "value_proj"],
  gpt2: ["c_attn"],
  llama: ["q_proj", "v_proj"],
};
const keyValueFf: Targets = {
  bert: ["key", "value", "intermediate.dense"],
  roberta: ["key", "value", "intermediate.dense"],
  vit: ["k_proj", "v_proj", "fc1"],
  distilbert: ["k_lin", "v_lin", "ffn.lin1"],
  deberta: ["key_proj", "value_proj", "intermediate.dense"],
  gpt2: ["c_attn", "mlp.c_proj"],
  llama: ["k_proj", "v_proj", "up_proj"],
};
const norms: Targets = {
  bert: ["LayerNorm"],
  roberta: ["LayerNorm"],
  vit: ["layernorm_before", "layernorm_after", "layernorm"],
  distilbert: ["LayerNorm", "sa_layer_norm", "output_layer_norm"],
  deberta: ["LayerNorm"],
  gpt2: ["ln_1", "ln_2", "ln_f"],
  llama: ["input_layernorm", "post_attention_layernorm", "norm"],
};
const lora = (family: Family, options: object = {}) =>
  new LoraConfig({ r: 8, targetModules: queryValue[family], ...options });
/** Of two targets of one size. */
const low = ({ L, d, r }: Sizes) => L * r * (2 * d + 2 * d);
const layer = ({ d, f }: Sizes) => 4 * d * d + 2 * d * f + 9 * d + f;
/** The encoders whose counts are written here; of the others they are PyTorch's and Python's alone. */
type Encoder = "bert" | "roberta" | "vit";
const outside: { readonly [F in Encoder]: (sizes: Sizes) => number } = {
  bert: ({ V, P, d }) => (V + P + 2) * d + 2 * d + d * d + d,
  roberta: ({ V, P, d }) => (V + P + 1) * d + 2 * d,
  vit: ({ c, P, d }) => c * d + d + d + P * d + 2 * d,
};
const biasesOutside: { readonly [F in Encoder]: (sizes: Sizes) => number } = {
  bert: ({ d }) => 2 * d,
  roberta: ({ d }) => d,
  vit: ({ d }) => 2 * d,
};

interface Method {
  readonly config: (sizes: Sizes, family: Family) => PeftConfig;
  readonly count: (sizes: Sizes, family: Encoder) => number;
  readonly families?: readonly Encoder[];
}

const texts: readonly Encoder[] = ["bert", "roberta"];

/** Each method's config for some sizes, and how many numbers it trains, as docs/methods.md says. */
const methods: Readonly<Record<string, Method>> = {
  ft: { config: () => new FullConfig(), count: (s, family) => s.L * layer(s) + outside[family](s) },
  ft_top2: { config: () => new FullTopConfig(), count: (s) => 2 * layer(s) },
  bitfit: { config: () => new BitFitConfig(), count: (s, family) => s.L * (7 * s.d + s.f) + biasesOutside[family](s) },
  lora: { config: (_, family) => lora(family), count: low },
  lora_rank_pattern: {
    config: (_, family) => lora(family, { rankPattern: { [queryValue[family][0] as string]: 3 } }),
    count: ({ L, d, r }) => L * (3 * 2 * d + r * 2 * d),
  },
  lora_embedding: {
    config: () => new LoraConfig({ r: 8, targetModules: ["word_embeddings"] }),
    count: ({ r, V, d }) => r * (V + d),
    families: texts,
  },
  lora_patches: {
    config: () => new LoraConfig({ r: 8, targetModules: ["projection"] }),
    count: ({ r, c, d }) => r * (c + d),
    families: ["vit"],
  },
  dora: { config: (_, family) => lora(family, { useDora: true }), count: (s) => low(s) + s.L * 2 * s.d },
  lora_bias: { config: (_, family) => lora(family, { loraBias: true }), count: (s) => low(s) + s.L * 2 * s.d },
  mica: {
    config: (_, family) => lora(family, { initLoraWeights: "mica" }),
    count: ({ L, d, r }) => L * r * 2 * d,
  },
  trained_rows: {
    config: (_, family) => lora(family, { trainableTokenIndices: [1, 5, 9] }),
    count: (s) => low(s) + 3 * s.d,
    families: texts,
  },
  adalora: {
    config: (_, family) => new AdaLoraConfig({ initR: 8, totalStep: 10, tfinal: 1, targetModules: queryValue[family] }),
    count: (s) => low(s) + s.L * 2 * s.r,
  },
  vera: {
    config: (_, family) => new VeraConfig({ r: 8, targetModules: queryValue[family] }),
    count: ({ L, d, r }) => L * (2 * r + 2 * d),
  },
  loha: {
    config: (_, family) => new LoHaConfig({ r: 8, targetModules: queryValue[family] }),
    count: (s) => 2 * low(s),
  },
  // 32 = 4 * 8, the two factors that lie nearest to one another; w2's [8, 8] stays whole, since r is not below 8 / 2.
  lokr: {
    config: (_, family) => new LoKrConfig({ r: 8, targetModules: queryValue[family] }),
    count: ({ L }) => L * 2 * (4 * 4 + 8 * 8),
  },
  lokr_product: {
    config: (_, family) => new LoKrConfig({ r: 2, targetModules: queryValue[family] }),
    count: ({ L }) => L * 2 * (4 * 4 + 2 * (8 + 8)),
  },
  ia3: {
    config: (_, family) => new IA3Config({ targetModules: keyValueFf[family], feedforwardModules: [] }),
    count: ({ L, k, f }) => L * (2 * k + f),
  },
  ln_tuning: {
    config: (_, family) => new LNTuningConfig({ targetModules: norms[family] }),
    count: ({ L, d }) => 2 * d * (2 * L + 1),
  },
  pfeiffer: { config: (s) => new PfeifferConfig(narrow(s)), count: (s) => s.L * bottleneck(s) },
  houlsby: { config: (s) => new HoulsbyConfig(narrow(s)), count: (s) => 2 * s.L * bottleneck(s) },
  lin: { config: (s) => new LinConfig(narrow(s)), count: (s) => s.L * (bottleneck(s) + 2 * s.d) },
  adapterdrop_1: {
    config: (s) => new AdapterDropConfig({ ...narrow(s), skipLayers: 1 }),
    count: (s) => (s.L - 1) * bottleneck(s),
  },
  adapterdrop_drawn: { config: (s) => new AdapterDropConfig(narrow(s)), count: (s) => s.L * bottleneck(s) },
  preembed: {
    config: (s, family) => new PreEmbedConfig(places(s, family)),
    count: (s, family) => s.d * virtual(s, family),
  },
  prelayer: {
    config: (s, family) => new PreLayerConfig(places(s, family)),
    count: (s, family) => s.L * s.d * virtual(s, family),
  },
  prompt_tuning: {
    config: ({ lp }) => new PromptTuningConfig({ numVirtualTokens: lp }),
    count: ({ d, lp }) => d * lp,
    families: texts,
  },
  p_tuning: {
    config: (s) => new PromptEncoderConfig(prompt(s)),
    count: ({ d, r, lp }) => lp * d + r * (d + 1) + r * (r + 1) + d * (r + 1),
    families: texts,
  },
  prefix_tuning: {
    config: (s) => new PrefixTuningConfig(prompt(s)),
    count: ({ L, lp, k }) => lp * L * 2 * k,
    families: texts,
  },
  prefix_tuning_projected: {
    config: (s) => new PrefixTuningConfig({ ...prompt(s), prefixProjection: true }),
    count: ({ L, r, lp, k }) => lp * k + r * (k + 1) + (r + 1) * L * 2 * k,
    families: texts,
  },
};

/** A formula of names, whole numbers, +, -, * and brackets. */
function evaluated(formula: string, sizes: Sizes): number {
  const tokens = formula.match(/[A-Za-z]+|\d+|[-+*()]/g) ?? [];
  const known = sizes as unknown as Readonly<Record<string, number>>;
  let at = 0;
  const factor = (): number => {
    const token = tokens[at++] as string;
    if (token !== "(") return known[token] ?? Number(token);
    const inner = sum();
    at++;
    return inner;
  };
  const term = (): number => {
    let value = factor();
    while (tokens[at] === "*") {
      at++;
      value *= factor();
    }
    return value;
  };
  const sum = (): number => {
    let value = term();
    while (tokens[at] === "+" || tokens[at] === "-") value += tokens[at++] === "+" ? term() : -term();
    return value;
  };
  return sum();
}

const encoders: Readonly<Record<string, Encoder>> = {
  bert_seqcls: "bert",
  roberta_seqcls: "roberta",
  vit_imgcls: "vit",
};

/** Numbers outside of the head, which methods that train biases or all weights train besides. */
function trainedBelowHead(model: ReturnType<typeof getPeftModel>): number {
  const trained = model
    .namedParameters()
    .filter(([name, { trainable }]) => trainable && !/^(pre_)?classifier\./.test(name));
  return trained.reduce((sum, [, { elementCount }]) => sum + elementCount, 0);
}

test("every method has a formula", () => {
  const base = Object.values(golden.sizes)[0] as Sizes;
  const types = new Set(Object.values(methods).map(({ config }) => config(base, "bert").peftType));
  const registered = tuners().map(({ type }) => type);
  expect(registered.filter((type) => !types.has(type))).toEqual([]);
  const known = Object.values(golden.counts).flatMap((counts) => Object.keys(counts));
  expect([...new Set(known)].filter((name) => !(name in methods))).toEqual([]);
});

describe.each(Object.keys(encoders))("%s: each method trains what its formula says", (name) => {
  const family = encoders[name] as Encoder;
  const sizes = golden.sizes[name] as Sizes;
  const of = Object.entries(methods).filter(([, { families: some }]) => some?.includes(family) ?? true);

  test.each(of)("%s", async (method, { config, count }) => {
    const model = await loadGoldenModel(name);
    onTestFinished(() => model.dispose());
    const adapted = getPeftModel(model, config(sizes, family));
    const trained = trainedBelowHead(adapted);
    expect(trained).toBe(count(sizes, family));
    const counted = golden.counts[name]?.[method];
    if (counted === undefined) return;
    expect(trained).toBe(counted.trainable);
    expect(trained).toBe(evaluated(counted.formula, sizes));
  });
});

const others: Readonly<Record<string, Family>> = {
  distilbert_seqcls: "distilbert",
  deberta_seqcls: "deberta",
  gpt2_lm: "gpt2",
  llama_lm: "llama",
};

describe.each(Object.keys(others))("%s: each method trains what PyTorch and the formula count", (name) => {
  const family = others[name] as Family;
  const sizes = golden.sizes[name] as Sizes;

  test.each(Object.entries(golden.counts[name] ?? {}))("%s", async (method, { trainable, formula }) => {
    const model = await loadGoldenModel(name);
    onTestFinished(() => model.dispose());
    const { config } = methods[method] as Method;
    const trained = trainedBelowHead(getPeftModel(model, config(sizes, family)));
    expect(trained).toBe(trainable);
    expect(trained).toBe(evaluated(formula, sizes));
  });
});
