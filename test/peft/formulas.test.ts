import { readFileSync } from "node:fs";
import {
  AdapterDropConfig,
  getPeftModel,
  HoulsbyConfig,
  LinConfig,
  type PeftConfig,
  PfeifferConfig,
  PreEmbedConfig,
  PrefixTuningConfig,
  PreLayerConfig,
  PromptEncoderConfig,
  PromptTuningConfig,
} from "graft-peft";
import { expect, onTestFinished, test } from "vitest";
import { loadGoldenModel } from "./models.js";
import { goldenPath } from "./numbers.js";

/** L layers, d hidden size, r bottleneck, lp prefix, li infix, k width of the keys. */
interface Sizes {
  readonly L: number;
  readonly d: number;
  readonly r: number;
  readonly lp: number;
  readonly li: number;
  readonly k: number;
}

const { counts, sizes } = JSON.parse(readFileSync(goldenPath("method-counts.json"), "utf8"));
const bottleneck = ({ d, r }: Sizes) => 2 * d * r + r + d;
const narrow = ({ d, r }: Sizes) => ({ reductionFactor: d / r });
const prompt = ({ lp, r }: Sizes) => ({ numVirtualTokens: lp, encoderHiddenSize: r });
const places = ({ lp, li }: Sizes) => ({ numPrefixTokens: lp, numInfixTokens: li });

/** Each method's config for some sizes, and how many numbers it trains, as docs/methods.md says. */
const methods: Record<string, { config: (sizes: Sizes) => PeftConfig; count: (sizes: Sizes) => number }> = {
  pfeiffer: { config: (s) => new PfeifferConfig(narrow(s)), count: (s) => s.L * bottleneck(s) },
  houlsby: { config: (s) => new HoulsbyConfig(narrow(s)), count: (s) => 2 * s.L * bottleneck(s) },
  lin: { config: (s) => new LinConfig(narrow(s)), count: (s) => s.L * (bottleneck(s) + 2 * s.d) },
  adapterdrop_1: {
    config: (s) => new AdapterDropConfig({ ...narrow(s), skipLayers: 1 }),
    count: (s) => (s.L - 1) * bottleneck(s),
  },
  preembed: { config: (s) => new PreEmbedConfig(places(s)), count: ({ d, lp, li }) => d * (lp + li) },
  prelayer: { config: (s) => new PreLayerConfig(places(s)), count: ({ L, d, lp, li }) => L * d * (lp + li) },
  prompt_tuning: { config: ({ lp }) => new PromptTuningConfig({ numVirtualTokens: lp }), count: ({ d, lp }) => d * lp },
  p_tuning: {
    config: (s) => new PromptEncoderConfig(prompt(s)),
    count: ({ d, r, lp }) => lp * d + r * (d + 1) + r * (r + 1) + d * (r + 1),
  },
  prefix_tuning: { config: (s) => new PrefixTuningConfig(prompt(s)), count: ({ L, lp, k }) => lp * L * 2 * k },
  prefix_tuning_projected: {
    config: (s) => new PrefixTuningConfig({ ...prompt(s), prefixProjection: true }),
    count: ({ L, r, lp, k }) => lp * k + r * (k + 1) + (r + 1) * L * 2 * k,
  },
};

test.each([
  "bert_seqcls",
  "roberta_seqcls",
  "distilbert_seqcls",
  "deberta_seqcls",
  "vit_imgcls",
  "gpt2_lm",
  "llama_lm",
])("counts of %s follow their formulas", async (name) => {
  const model = await loadGoldenModel(name);
  onTestFinished(() => model.dispose());
  const known = Object.keys(methods).filter((method) => method in counts[name]);
  expect(known.length).toBeGreaterThan(3);
  for (const method of known) {
    const { config, count } = methods[method]!;
    const adapted = getPeftModel(model, config(sizes[name]));
    const [trainable] = adapted.getNbTrainableParameters();
    expect(trainable, method).toBe(counts[name][method].trainable);
    expect(trainable, method).toBe(count(sizes[name]));
    await adapted.unload();
  }
});
