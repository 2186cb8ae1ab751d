import { afterAll, describe, expect, test } from "vitest";
import type { Combination, CombinationType, WeightedFactors } from "#graft/peft/combination";
import { getPeftModel, LoraConfig, type PeftModel } from "#graft/peft/index";
import { lora } from "#graft/peft/tuners/lora/index";
import type { TensorData } from "#graft/tensor-data";
import { inputsFor, loadGoldenModel } from "./models.js";
import { readGolden, relativeL2 } from "./numbers.js";
import { refusal } from "./refusal.js";

const combine = lora.combine as NonNullable<typeof lora.combine>;

/** What PEFT was asked for, where it is not told by the name of the way. */
const ways: Readonly<Record<string, Partial<Combination>>> = {
  svd: {},
  svd_rank2: { type: "svd", rank: 2 },
  linear: {},
  cat: {},
  ties: { density: 0.6 },
  ties_frequency: { type: "ties", density: 0.6, majoritySignMethod: "frequency" },
  ties_svd: { density: 0.6 },
  magnitude_prune: { density: 0.5 },
  magnitude_prune_svd: { density: 0.5 },
  dare_linear: { density: 1 },
  dare_ties: { density: 1 },
  dare_linear_svd: { density: 1 },
  dare_ties_svd: { density: 1 },
};

/** B A, row by row. */
function product(a: ArrayLike<number>, b: ArrayLike<number>, rank: number): number[] {
  const [rows, columns] = [b.length / rank, a.length / rank];
  return Array.from({ length: rows * columns }, (_, at) => {
    const [row, column] = [Math.floor(at / columns), at % columns];
    return Array.from(
      { length: rank },
      (_, k) => (b[row * rank + k] as number) * (a[k * columns + column] as number),
    ).reduce((sum, one) => sum + one, 0);
  });
}

const combination = (name: string, rank: number, changes: Partial<Combination>): Combination => ({
  type: name as CombinationType,
  rank,
  density: null,
  majoritySignMethod: "total",
  svdClamp: null,
  seed: 0,
  ...changes,
});

async function golden() {
  const { tensors } = await readGolden("peft/weighted.safetensors");
  const tensor = (name: string) => tensors.get(name) as TensorData<"float32">;
  const factors: WeightedFactors[] = [
    { a: tensor("one.A"), b: tensor("one.B"), scaling: 2, weight: 0.7 },
    { a: tensor("two.A"), b: tensor("two.B"), scaling: 4, weight: -0.4 },
  ];
  return { tensor, factors };
}

describe("one layer, against PEFT", () => {
  test.each(Object.entries(ways))("%s", async (name, changes) => {
    const { tensor, factors } = await golden();
    const made = combine(factors, combination(name, 3, changes), "layer");
    const [a, b] = [tensor(`${name}.A`), tensor(`${name}.B`)];
    const rank = a.shape[0] as number;
    expect([made.a.length, made.b.length]).toEqual([a.data.length, b.data.length]);
    // Singular vectors have no sign of their own: of decompositions the products are compared.
    const isSvd = (changes.type ?? name).endsWith("svd");
    const pairs = isSvd
      ? [[product(made.a, made.b, rank), product(a.data, b.data, rank)] as const]
      : ([
          [made.a, a.data],
          [made.b, b.data],
        ] as const);
    for (const [ours, theirs] of pairs) {
      for (let i = 0; i < theirs.length; i++) expect(ours[i]).toBeCloseTo(theirs[i] as number, 5);
    }
  });

  test("clamping cuts off what lies beyond the quantile of all elements", async () => {
    // Which sign a singular vector has is the decomposition's choice, so that PEFT's numbers are others.
    const { factors } = await golden();
    const free = combine(factors, combination("svd", 3, {}), "layer");
    const cut = combine(factors, combination("svd", 3, { svdClamp: 0.9 }), "layer");
    const sorted = [...free.b, ...free.a].sort((x, y) => x - y);
    const at = 0.9 * (sorted.length - 1);
    const low = sorted[Math.floor(at)] as number;
    const bound = low + (at % 1) * ((sorted[Math.floor(at) + 1] as number) - low);
    const expected = [...free.a].map((value) => Math.min(Math.max(value, -bound), bound));
    for (const [i, value] of expected.entries()) expect(cut.a[i]).toBeCloseTo(value, 6);
  });

  test("the told error is that of the product", async () => {
    const { factors } = await golden();
    const { a, b, whole, lost } = combine(factors, combination("svd", 2, {}), "layer");
    const sum = factors.map((one) =>
      product(one.a.data, one.b.data, 3).map((value) => value * one.weight * one.scaling),
    );
    const wanted = (sum[0] as number[]).map((value, i) => value + (sum[1]?.[i] as number));
    const got = product(a, b, 2);
    const squares = (values: readonly number[]) => values.reduce((total, value) => total + value * value, 0);
    expect(whole).toBeCloseTo(squares(wanted), 4);
    expect(lost).toBeCloseTo(squares(wanted.map((value, i) => value - (got[i] as number))), 4);
    expect(lost).toBeGreaterThan(0);
  });

  test("DARE keeps a share of the elements, enlarged, and another one for another layer", async () => {
    const ones = { dtype: "float32", shape: [4, 5000], data: new Float32Array(20000).fill(1) } as const;
    const b = { dtype: "float32", shape: [4, 4], data: new Float32Array(16).fill(1) } as const;
    const one = { a: ones, b, scaling: 1, weight: 1 };
    const drop = (place: string) => combine([one], combination("dare_linear", 4, { density: 0.25 }), place);
    const { a } = await drop("first");
    expect([...new Set(a)].sort()).toEqual([0, 4]);
    const mean = a.reduce((sum, value) => sum + value, 0) / a.length;
    expect(Math.abs(mean - 1)).toBeLessThan(0.05);
    expect((await drop("first")).a).toEqual(a);
    expect((await drop("second")).a).not.toEqual(a);
  });
});

describe("in a model", () => {
  const models: PeftModel[] = [];
  afterAll(() => Promise.all(models.map((model) => model.dispose())));
  const config = (r: number, options: object = {}) =>
    new LoraConfig({ r, loraAlpha: 2 * r, targetModules: ["query", "value"], initLoraWeights: false, ...options });

  async function withTwo(): Promise<PeftModel> {
    const model = getPeftModel(await loadGoldenModel("bert_seqcls"), config(4), { adapterName: "one", seed: 1 });
    model.addAdapter("two", config(2, { targetModules: ["key", "value"] }), { seed: 2 });
    models.push(model);
    return model;
  }

  test("cat, and svd of the whole rank, are what the adapters are together", async () => {
    const model = await withTwo();
    const { tensors } = await readGolden("models/bert_seqcls/io.safetensors");
    const inputs = inputsFor(model.getBaseModel(), tensors);
    await model.setAdapter(["one", "two"]);
    const { logits } = await model(inputs);
    const remarks: string[] = [];
    const onWarning = (remark: string) => remarks.push(remark);
    await model.addWeightedAdapter(["one", "two"], [1, 1], "cat", { combinationType: "cat", onWarning });
    await model.addWeightedAdapter(["one", "two"], [1, 1], "svd", { svdRank: 6, onWarning });
    await model.addWeightedAdapter(["one", "two"], [1, 1], "small", { svdRank: 1, onWarning });
    for (const name of ["cat", "svd"]) {
      await model.setAdapter(name);
      expect(relativeL2((await model(inputs)).logits, logits)).toBeLessThan(1e-5);
    }
    await model.setAdapter("small");
    expect(relativeL2((await model(inputs)).logits, logits)).toBeGreaterThan(1e-4);
    expect(remarks.join("\n")).toMatch(/rank 6 lacks 0\.?0* % .*small: svd: rank 1 lacks [1-9]/s);
    expect(model.peftConfig.cat?.toJson()).toMatchObject({
      r: 6,
      lora_alpha: 6,
      target_modules: ["key", "query", "value"],
    });
  });

  test("what does not fit is refused, and nothing is added", async () => {
    const model = await withTwo();
    const tried = [
      [["one", "nobody"], [1, 1], {}, "invalid-argument"],
      [["one", "two"], [1], {}, "invalid-argument"],
      [["one", "two"], [1, 1], { combinationType: "linear" }, "invalid-argument"],
      [["one", "two"], [1, 1], { combinationType: "ties_svd" }, "invalid-argument"],
      [["one", "two"], [1, 1], { combinationType: "ties_svd", density: 2 }, "invalid-argument"],
      [["one", "two"], [1, 1], { svdRank: 0 }, "invalid-argument"],
      [[], [], {}, "invalid-argument"],
    ] as const;
    for (const [names, weights, options, code] of tried) {
      const error = await refusal(() => model.addWeightedAdapter(names, weights, "sum", options));
      expect(error.code).toBe(code);
    }
    model.addAdapter("dora", config(4, { useDora: true }));
    expect((await refusal(() => model.addWeightedAdapter(["one", "dora"], [1, 1], "sum"))).message).toContain(
      "useDora",
    );
    expect(Object.keys(model.peftConfig)).toEqual(["one", "two", "dora"]);
  });
});
