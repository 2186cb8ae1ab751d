import { describe, expect, test } from "vitest";
import { type Dim, input, type Tensor } from "#graft/graph/index";
import { SelfAttention } from "#graft/models/architectures/self-attention";
import {
  AttentionMask,
  type AttentionMaskOptions,
  attend,
  Linear,
  Past,
  Sites,
  Stream,
  scores,
  Trace,
  weigh,
} from "#graft/nn/index";
import { cpuLowering } from "#graft/onnx/index";
import { CounterRng } from "#graft/random";
import type { TensorData } from "#graft/tensor-data";
import { lowered, withSession } from "../graph/session.js";
import { maxDifference, readTensors } from "../models/golden.js";

const golden = await readTensors(new URL("../golden/nn/attention.safetensors", import.meta.url).pathname);
const LENGTH = 6;

/** Runs a graph of inputs, each named in the feeds. */
async function run(outputs: Record<string, Tensor>, inputs: readonly Tensor[], feeds: Record<string, TensorData>) {
  return withSession(lowered(outputs, cpuLowering, inputs), (go) => go(feeds));
}

/** The golden tensors of the given names, as feeds. */
const goldenFeeds = (names: readonly string[]) => Object.fromEntries(names.map((name) => [name, golden.get(name)!]));

/** Which of the golden tensors a mask reads. */
const readBy = ({ padding, segments }: AttentionMaskOptions) => [
  ...(padding ? ["padding"] : []),
  ...(segments ? ["segments"] : []),
];

const goldenInput = (name: string, shape: readonly Dim[]): Tensor =>
  input(name, golden.get(name)!.dtype as "float32" | "int32", shape);

const padding = goldenInput("padding", ["batch", "sequence"]);
const segments = goldenInput("segments", ["batch", "sequence"]);
const masks: { readonly [name: string]: AttentionMaskOptions } = {
  none: {},
  padding: { padding },
  causal: { isCausal: true },
  causal_window: { isCausal: true, window: 3 },
  window: { window: 3 },
  causal_padding: { isCausal: true, padding },
  packed: { segments },
  causal_packed: { isCausal: true, segments },
};

test("every mask of the reference is tried", () => {
  const names = [...golden.keys()].filter((name) => name.startsWith("output.")).map((name) => name.slice(7));
  expect(names.sort()).toEqual(Object.keys(masks).sort());
});

test.each(Object.keys(masks))("grouped heads under the mask %s give PyTorch's attention", async (name) => {
  const inputs = [
    goldenInput("query", ["batch", 4, "sequence", 3]),
    goldenInput("key", ["batch", 2, "sequence", 3]),
    goldenInput("value", ["batch", 2, "sequence", 3]),
  ];
  const [query, key, value] = inputs as [Tensor, Tensor, Tensor];
  const bias = new AttentionMask(masks[name]).bias("sequence", "sequence");
  const output = attend(new Trace("eval"), query, key, value, { bias, dropout: 0 });
  const read = readBy(masks[name]!);
  const used = [...inputs, ...[padding, segments].filter((_, index) => read.includes(["padding", "segments"][index]!))];
  const found = await run({ output }, used, goldenFeeds(["query", "key", "value", ...read]));
  expect(maxDifference(found.output, golden.get(`output.${name}`))).toBeLessThan(1e-6);
});

/** Which keys are seen: 1 or 0, by the mask's rules in plain arithmetic. */
function seenBy(options: AttentionMaskOptions, row: number, query: number, key: number, queries: number, keys: number) {
  const prefix = options.prefix ?? 0;
  if (key < prefix) return 1;
  const [q, k] = [keys - queries + query, key];
  const token = (name: string, position: number) => Number(golden.get(name)!.data[row * LENGTH + position - prefix]);
  if (options.isCausal && k > q) return 0;
  if (options.window && Math.abs(q - k) >= options.window) return 0;
  if (options.segments && token("segments", q) !== token("segments", k)) return 0;
  if (options.padding && token("padding", k) === 0) return 0;
  return 1;
}

describe("a mask for the last queries of more keys", () => {
  const combinations: [string, AttentionMaskOptions][] = Object.entries(masks)
    .filter(([name]) => name !== "none")
    .concat([["all", { isCausal: true, window: 4, padding, segments }]]);

  test.each(combinations)("%s: with a prefix and with earlier tokens", async (_, options) => {
    for (const [prefix, queries] of [
      [0, 6],
      [2, 6],
      [0, 2],
      [2, 3],
      [0, 1],
      [3, 1],
    ] as const) {
      const all = { ...options, prefix };
      const keys = prefix + LENGTH;
      const read = readBy(options);
      const fixed = Object.fromEntries(read.map((name) => [name, input(name, "int32", [2, LENGTH])]));
      const bias = new AttentionMask({ ...all, ...fixed }).bias(queries, keys);
      const found = bias && (await run({ bias }, Object.values(fixed), goldenFeeds(read))).bias!;
      const [rows = 1, , height = 1] = found?.shape ?? [];
      for (let row = 0; row < 2; row++) {
        for (let query = 0; query < queries; query++) {
          for (let key = 0; key < keys; key++) {
            const at = ((rows > 1 ? row : 0) * height + (height > 1 ? query : 0)) * keys + key;
            const seen = seenBy(all, row, query, key, queries, keys);
            expect(found ? Number(found.data[at]) + 0 : 0, `${prefix} ${queries} ${row} ${query} ${key}`).toBe(
              seen ? 0 : Math.fround(-3.4028234663852886e38),
            );
          }
        }
      }
    }
  });

  test("nothing is written where everything is seen", () => {
    expect(new AttentionMask().bias(4, 4)).toBeNull();
    expect(new AttentionMask().withPrefix(3).bias("sequence", "sequence+3")).toBeNull();
    expect(new AttentionMask({ isCausal: true }).bias(1, "past+1")).toBeNull();
  });

  test("a bias is written once for all layers, with a prefix too", () => {
    const mask = new AttentionMask({ padding });
    expect(mask.bias("sequence", "sequence")).toBe(mask.bias("sequence", "sequence"));
    expect(mask.withPrefix(2)).toBe(mask.withPrefix(2));
    expect(mask.withPrefix(2).withPrefix(1).prefix).toBe(3);
  });

  test("a row in which nothing is seen has no NaN", async () => {
    const [x, hidden] = [input("x", "float32", [1, 1, 2, 2]), input("hidden", "int32", [1, 2])];
    const mask = new AttentionMask({ padding: hidden, isCausal: true });
    const output = attend(new Trace("eval"), x, x, x, { bias: mask.bias(2, 2), dropout: 0 });
    const feeds: Record<string, TensorData> = {
      x: { dtype: "float32", shape: [1, 1, 2, 2], data: Float32Array.of(1, 2, 3, 4) },
      hidden: { dtype: "int32", shape: [1, 2], data: Int32Array.of(0, 0) },
    };
    const found = await run({ output }, [x, hidden], feeds);
    expect([...(found.output!.data as Float32Array)]).toEqual([2, 3, 2, 3]);
  });
});

test("attend is scores, bias and weigh", () => {
  const [q, kv] = [input("q", "float32", ["b", 4, "s", 8]), input("kv", "float32", ["b", 4, "k", 8])];
  expect(scores(q, kv).shape).toEqual(["b", 4, "s", "k"]);
  expect(weigh(new Trace("eval"), scores(q, kv, 1), kv, 0).shape).toEqual(["b", 4, "s", 8]);
});

test("a causal text in two pieces, the second with the past of the first, equals the whole", async () => {
  const [batch, first, second, width] = [2, 4, 3, 8];
  const layer = { index: 0, sites: new Sites() };
  const attention = new SelfAttention({ heads: 2, dropout: 0, projection: () => new Linear(width, width) });
  attention.assignNames("attention");
  for (const parameter of attention.parameters()) parameter.initialize(3);
  const random = new CounterRng([7, 0]);
  const text = Float32Array.from({ length: batch * (first + second) * width }, () => random.normal(0, 1));
  const rows = (from: number, to: number): TensorData => ({
    dtype: "float32",
    shape: [batch, to - from, width],
    data: Float32Array.from(
      [0, 1].flatMap((row) => [...text.subarray((row * 7 + from) * width, (row * 7 + to) * width)]),
    ),
  });
  const forward = async (x: TensorData, earlier: Record<string, TensorData> = {}) => {
    const hidden = input("hidden", "float32", ["batch", "sequence", width]);
    const tensors = Object.keys(earlier).map((name) => input(name, "float32", ["batch", 2, "past", width / 2]));
    const [keys, values] = tensors;
    const past = new Past(keys && values ? [{ keys, values }] : []);
    expect(past.length).toBe(keys ? "past" : 0);
    const stream = new Stream({ hidden, mask: new AttentionMask({ isCausal: true }), past });
    const output = attention.forward(new Trace("eval", true), stream, layer);
    const [present] = past.present;
    return run({ output, ...present! }, [hidden, ...tensors], { hidden: x, ...earlier });
  };
  const whole = await forward(rows(0, 7));
  const { output: begin, ...kept } = await forward(rows(0, 4));
  const { output: end, keys } = await forward(rows(4, 7), { past_keys: kept.keys!, past_values: kept.values! });
  expect(keys!.shape).toEqual([batch, 2, 7, 4]);
  const joined = Float32Array.from(
    [0, 1].flatMap((row) => [
      ...(begin!.data as Float32Array).subarray(row * first * width, (row + 1) * first * width),
      ...(end!.data as Float32Array).subarray(row * second * width, (row + 1) * second * width),
    ]),
  );
  expect(maxDifference({ dtype: "float32", shape: [batch, 7, width], data: joined }, whole.output)).toBeLessThan(1e-6);
});
