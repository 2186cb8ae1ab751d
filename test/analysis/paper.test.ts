import {
  AutoModelForSequenceClassification,
  getPeftModel,
  LoraConfig,
  type PeftModel,
  type TensorData,
} from "graft-peft";
import { beforeAll, describe, expect, onTestFinished, test } from "vitest";
import {
  type CountedCell,
  countPaper,
  countWalkthrough,
  directionsOfA,
  gpt3Claims,
  saysTheSame,
  subspaceSimilarity,
  updatesOfModel,
  walkthroughLine,
} from "#graft/analysis/index";
import { readParameter } from "#graft/models/index";

describe("the trainable parameters of the LoRA paper", () => {
  let cells: CountedCell[];
  beforeAll(async () => {
    cells = await countPaper();
  }, 60_000);
  const find = (table: number, model: string, method: string, settings: string): CountedCell => {
    const found = cells.find(
      (cell) => cell.table === table && cell.model === model && cell.method === method && cell.settings === settings,
    );
    if (!found) throw new Error(`no cell ${table} ${model} ${method} ${settings}`);
    return found;
  };

  test("what is built trains what the formula of section 5.1 says, but for the biases of a head", () => {
    const withFormula = cells.filter(({ formula }) => formula !== null);
    expect(withFormula.length).toBeGreaterThan(35);
    for (const { model, method, settings, count, formula } of withFormula) {
      // RoBERTa's classifier has a layer of d biases and one of 3.
      const head = method === "BitFit" && model === "RoBERTa base" ? 768 + 3 : 0;
      expect(count - head, `${model} ${method} ${settings}`).toBe(formula?.count);
    }
  });

  test("a cell that differs from the count says why", () => {
    for (const { agrees, reason, model, method } of cells) {
      if (!agrees) expect(reason, `${model} ${method}`).not.toBeNull();
    }
  });

  // Computed apart, from the formulas and from PyTorch's models.
  test.each([
    [2, "RoBERTa base", "FT", "all weights", 124_647_939],
    [2, "RoBERTa large", "FT", "all weights", 355_362_819],
    [2, "RoBERTa base", "LoRA", "r=8 on Wq, Wv", 294_912],
    [2, "RoBERTa large", "AdapterP", "r=64", 3_171_840],
    [2, "RoBERTa large", "AdapterH", "r=64", 6_343_680],
    [2, "DeBERTa XXL", "LoRA", "r=16 on Wq, Wv", 4_718_592],
    [3, "GPT-2 M", "FT", "all weights", 354_823_168],
    [3, "GPT-2 M", "AdapterL", "r=6", 368_784],
    [3, "GPT-2 M", "AdapterL", "r=224", 11_089_152],
    [3, "GPT-2 M", "AdapterH", "r=112", 11_064_576],
    [3, "GPT-2 M", "FT-Top2", "the last two layers", 25_192_448],
    [3, "GPT-2 M", "LoRA", "r=4 on Wq, Wv", 393_216],
    [3, "GPT-2 L", "FT", "all weights", 774_030_080],
    [3, "GPT-2 L", "AdapterL", "r=248", 23_002_848],
    [3, "GPT-2 L", "LoRA", "r=4 on Wq, Wv", 737_280],
    [4, "GPT-3", "FT", "all weights", 174_604_259_328],
    [4, "GPT-3", "PreEmbed", "lp=256, li=8", 3_244_032],
    [4, "GPT-3", "PreLayer", "lp=8, li=8", 18_874_368],
    [4, "GPT-3", "AdapterH", "r=8", 40_109_568],
    [4, "GPT-3", "LoRA", "r=4 on Wq, Wk, Wv, Wo", 37_748_736],
    [15, "GPT-3", "AdapterH", "r=64", 304_361_472],
  ])("table %i, %s, %s, %s: %i", (table, model, method, settings, count) => {
    expect(find(table, model, method, settings).count).toBe(count);
  });

  test("every setting of table 5 spends the same budget", () => {
    const counts = cells.filter(({ table }) => table === 5).map(({ count }) => count);
    expect(counts).toEqual(new Array(7).fill(18 * 2 ** 20));
  });
});

test("a cell is the same as a count that rounds to its digits", () => {
  expect(saysTheSame("0.3M", 294_912)).toBe(true);
  expect(saysTheSame("0.35M", 393_216)).toBe(false);
  expect(saysTheSame("175,255.8M", 174_604_259_328)).toBe(false);
});

test("the walkthrough's lines over the versions of PEFT", () => {
  expect(countWalkthrough().map(walkthroughLine)).toEqual([
    "trainable params: 85876325 || all params: 85876325 || trainable%: 100.00",
    "trainable params: 667493 || all params: 86466149 || trainable%: 0.77",
    "trainable params: 745162 || all params: 86543818 || trainable%: 0.86",
    "trainable params: 667493 || all params: 86543818 || trainable%: 0.77",
  ]);
});

test("GPT-3 175B: weights in float16 are 350 GB, the adapter of table 5 is 36 MiB", () => {
  const claims = new Map(gpt3Claims().map((claim) => [claim.claim, claim]));
  expect(claims.get("memory with LoRA")?.computed).toBe("349.2 GB");
  expect(claims.get("checkpoint, r=4 on Wq and Wv")?.arithmetic).toContain("= 36 MiB");
});

const config = {
  model_type: "bert",
  vocab_size: 40,
  hidden_size: 32,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  intermediate_size: 64,
  max_position_embeddings: 16,
  num_labels: 3,
};
const inputs = { inputIds: [[5, 6, 7, 8]], attentionMask: [[1, 1, 1, 1]] };

/** A model with LoRA whose B is not zero, as after training. */
function trained(r: number, seed: number): PeftModel {
  const model = AutoModelForSequenceClassification.fromConfig(config, { threads: 1 });
  onTestFinished(() => model.dispose());
  const lora = new LoraConfig({ r, loraAlpha: 16, targetModules: ["query", "value"], initLoraWeights: false });
  return getPeftModel(model, lora, { seed });
}

const floats = (tensor: TensorData | undefined): number[] => Array.from(tensor?.data as Float32Array);
const distance = (ones: readonly number[], others: readonly number[]): number =>
  Math.max(...ones.map((value, index) => Math.abs(value - (others[index] as number))));

describe("claims of the paper, in small", () => {
  test("LoRA trains 2 n d r numbers", () => {
    const [count] = trained(4, 0).getNbTrainableParameters();
    expect(count).toBe(2 * (2 * 2) * 32 * 4);
  });

  test("with B zero, training begins where the model is (section 4.1)", async () => {
    const model = AutoModelForSequenceClassification.fromConfig(config, { threads: 1 });
    onTestFinished(() => model.dispose());
    const before = floats((await model(inputs)).logits);
    const peft = getPeftModel(model, new LoraConfig({ r: 4, targetModules: ["query", "value"] }));
    expect(floats((await peft(inputs)).logits)).toEqual(before);
  });

  test("merged, the model answers as with LoRA beside it: no latency for the same answers (section 4.1)", async () => {
    const peft = trained(4, 1);
    const beside = floats((await peft(inputs)).logits);
    const base = await peft.disableAdapter(async () => floats((await peft(inputs)).logits));
    await peft.mergeAdapter();
    const merged = floats((await peft(inputs)).logits);
    expect(distance(beside, base)).toBeGreaterThan(1e-3);
    expect(distance(merged, beside)).toBeLessThan(1e-6);
  });

  test("a rank as large as the weight gives any update: full fine-tuning is its limit (section 4.1)", async () => {
    const peft = trained(32, 2);
    const [update] = await updatesOfModel(peft, "the adapter");
    const { s } = (await import("#graft/analysis/index")).decomposeUpdate(update!);
    expect(s.length).toBe(32);
    expect(s.at(-1)).toBeGreaterThan(0);
  });

  test("phi of an adapter with itself is 1 for all i = j; with another seed it is far below (section 7.2)", async () => {
    const [one] = await updatesOfModel(trained(4, 3), "one");
    const [other] = await updatesOfModel(trained(4, 4), "other");
    const itself = subspaceSimilarity(directionsOfA(one!), directionsOfA(one!));
    for (let i = 0; i < 4; i++) expect(itself[i]?.[i]).toBeCloseTo(1, 10);
    const strangers = subspaceSimilarity(directionsOfA(one!), directionsOfA(other!));
    expect(strangers[3]?.[3]).toBeLessThan(0.5);
  });

  test("switching tasks by W - BA + B'A' drifts over a thousand switches, by rounding alone; slots do not drift", async () => {
    const peft = trained(4, 5);
    const [update] = await updatesOfModel(peft, "one");
    const [other] = await updatesOfModel(trained(4, 6), "other");
    const weight = (await update!.weight!()).elements;
    const product = ({ a, b, scaling }: NonNullable<typeof update>): Float32Array =>
      Float32Array.from(b.mmul(a).mul(scaling).to1DArray());
    const [own, next] = [product(update!), product(other!)];
    const start = weight.data as Float32Array;
    const now = start.slice();
    // In float32, as weights are kept: adds the one, then takes it off and adds the other, and so on.
    const add = (values: Float32Array, sign: number) => {
      for (let i = 0; i < now.length; i++) now[i] = now[i]! + sign * values[i]!;
    };
    add(own, 1);
    for (let pair = 0; pair < 500; pair++) {
      add(own, -1);
      add(next, 1);
      add(next, -1);
      add(own, 1);
    }
    add(own, -1);
    const error = distance(Array.from(now), Array.from(start));
    expect(error).toBeGreaterThan(0);
    expect(error).toBeLessThan(1e-4);

    // Graft's own way leaves the weight alone.
    const before = floats((await peft(inputs)).logits);
    peft.addAdapter("other", new LoraConfig({ r: 4, targetModules: ["query", "value"], initLoraWeights: false }), {
      seed: 6,
    });
    for (let switched = 0; switched < 20; switched++) {
      await peft.setAdapter("other");
      await peft.setAdapter("default");
    }
    expect(floats((await peft(inputs)).logits)).toEqual(before);
    const [query] = peft.namedParameters().filter(([name]) => name.endsWith("0.attention.self.query.weight"));
    expect(floats(await readParameter(query![1]))).toEqual(Array.from(start));
  });
});
