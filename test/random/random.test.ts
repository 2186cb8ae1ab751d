import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { CounterRng, fillDropoutMask } from "#graft/random";

const golden: {
  words: { key: number[]; words: number[] }[];
  masks: { key: number[]; keep: number; mask: string }[];
} = JSON.parse(readFileSync(new URL("../golden/data/random.json", import.meta.url), "utf8"));

const mask = (length: number, keep: number, key: number[]) => {
  const out = new Uint8Array(length);
  fillDropoutMask(out, keep, key);
  return out;
};

const sum = (values: ArrayLike<number>) =>
  Array.prototype.reduce.call(values, (a, b) => Number(a) + Number(b), 0) as number;

/** Correlation of two fair 0/1 sequences, in standard errors; `lag` shifts the second. */
function correlation(a: Uint8Array, b: Uint8Array, lag = 0): number {
  let agreements = 0;
  const n = a.length - lag;
  for (let i = 0; i < n; i++) agreements += a[i] === b[i + lag] ? 1 : -1;
  return agreements / Math.sqrt(n);
}

describe("CounterRng", () => {
  it("gives the same stream for the same key and another one for any other", () => {
    const draws = (key: number[]) => {
      const rng = new CounterRng(key);
      return Array.from({ length: 4 }, () => rng.nextWord()).join();
    };
    expect(draws([1, 2, 3])).toBe(draws([1, 2, 3]));
    const keys = [[1, 2, 3], [3, 2, 1], [1, 2], [1, 2, 3, 0], [0, 1, 2, 3], [-1, 2, 3], [2 ** 32 + 1, 2, 3], []];
    expect(new Set(keys.map(draws)).size).toBe(keys.length);
  });

  it("draws what its second implementation in Python draws, so that seeds keep their meaning", () => {
    for (const { key, words } of golden.words) {
      const rng = new CounterRng(key);
      expect(words.map(() => rng.nextWord())).toEqual(words);
    }
    for (const { key, keep, mask: expected } of golden.masks) expect(mask(75, keep, key).join("")).toBe(expected);
  });

  it("draws uniform numbers with the right mean and variance", () => {
    const rng = new CounterRng([5]);
    const values = Array.from({ length: 200_000 }, () => rng.uniform());
    expect(Math.min(...values.slice(0, 50_000))).toBeGreaterThanOrEqual(0);
    expect(Math.max(...values.slice(0, 50_000))).toBeLessThan(1);
    // Standard error of the mean: sqrt(1/12/200000) = 0.00065; five of them.
    expect(Math.abs(sum(values) / values.length - 0.5)).toBeLessThan(0.0033);
    expect(Math.abs(sum(values.map((x) => (x - 0.5) ** 2)) / values.length - 1 / 12)).toBeLessThan(0.001);
  });

  it("draws normal numbers with the right moments", () => {
    const rng = new CounterRng([6]);
    const values = Array.from({ length: 200_000 }, () => rng.normal(1, 2));
    const standard = values.map((x) => (x - 1) / 2);
    expect(Math.abs(sum(standard) / values.length)).toBeLessThan(0.012);
    expect(Math.abs(sum(standard.map((x) => x ** 2)) / values.length - 1)).toBeLessThan(0.016);
    expect(Math.abs(sum(standard.map((x) => x ** 4)) / values.length - 3)).toBeLessThan(0.11);
  });

  it("draws integers evenly, and permutations that hold every number once", () => {
    const rng = new CounterRng([7]);
    const counts = new Array<number>(7).fill(0);
    for (let i = 0; i < 70_000; i++) counts[rng.integer(7)]!++;
    const chiSquare = sum(counts.map((count) => (count - 10_000) ** 2 / 10_000));
    // 6 degrees of freedom: 99.9 % lie below 22.5.
    expect(chiSquare).toBeLessThan(22.5);
    const order = rng.permutation(1000);
    expect(Array.from(order).sort((a, b) => a - b)).toEqual(Array.from({ length: 1000 }, (_, i) => i));
    expect(Array.from(order)).not.toEqual(Array.from(order).sort((a, b) => a - b));
  });

  it("refuses keys and ranges that are not integers", () => {
    expect(() => new CounterRng([0.5])).toThrow(/0.5/);
    expect(() => new CounterRng([1]).integer(0)).toThrow(/integer\(0\)/);
  });
});

describe("fillDropoutMask", () => {
  it.each([0.5, 0.9, 0.95, 1 / 3])("keeps a share of %d", (keep) => {
    const n = 1_000_000;
    const standardError = Math.sqrt((keep * (1 - keep)) / n);
    expect(Math.abs(sum(mask(n, keep, [3, 1, 4])) / n - keep)).toBeLessThan(5 * standardError);
  });

  it("keeps all or nothing at 1 and 0, and writes only 0 and 1", () => {
    expect(sum(mask(100, 1, [1]))).toBe(100);
    expect(sum(mask(100, 0, [1]))).toBe(0);
    expect(mask(10_000, 0.7, [1]).every((value) => value === 0 || value === 1)).toBe(true);
  });

  it("has the right share in every position modulo 32, over many keys", () => {
    const counts = new Array<number>(32).fill(0);
    for (let key = 0; key < 500; key++) {
      mask(640, 0.9, [key, 2]).forEach((value, i) => {
        counts[i % 32]! += value;
      });
    }
    for (const count of counts) expect(Math.abs(count / 10_000 - 0.9)).toBeLessThan(5 * Math.sqrt(0.09 / 10_000));
  });

  it("has independent neighbours, sites, steps and seeds", () => {
    const n = 1 << 18;
    const base = mask(n, 0.5, [1, 10, 0, 5]);
    const others = [
      [1, 10, 0, 6],
      [1, 10, 0, 4],
      [1, 10, 1, 5],
      [1, 11, 0, 5],
      [2, 10, 0, 5],
      [10, 1, 0, 5],
    ].map((key) => mask(n, 0.5, key));
    const scores = [
      ...Array.from({ length: 64 }, (_, lag) => correlation(base, base, lag + 1)),
      ...others.flatMap((other) => [0, 1, 2, 32].map((lag) => correlation(base, other, lag))),
    ];
    // 88 scores of a standard normal: the largest stays below 4.5 and their mean square is near 1.
    expect(Math.max(...scores.map(Math.abs))).toBeLessThan(4.5);
    expect(sum(scores.map((z) => z * z)) / scores.length).toBeLessThan(1.6);
  });

  it("uses all patterns of 16 neighbours evenly", () => {
    const counts = new Float64Array(65536);
    const values = mask(16 * 65536 * 8, 0.5, [9]);
    for (let i = 0; i < values.length; i += 16) {
      let pattern = 0;
      for (let bit = 0; bit < 16; bit++) pattern |= values[i + bit]! << bit;
      counts[pattern]!++;
    }
    const chiSquare = sum(counts.map((count) => (count - 8) ** 2 / 8));
    expect(Math.abs(chiSquare - 65535) / Math.sqrt(2 * 65535)).toBeLessThan(5);
  });

  it("gives an element the same value whatever the length and the alignment of the array", () => {
    const whole = mask(1000, 0.8, [4]);
    for (const length of [0, 1, 31, 32, 33, 500]) expect(mask(length, 0.8, [4])).toEqual(whole.slice(0, length));
    const shifted = new Uint8Array(1003).subarray(3);
    fillDropoutMask(shifted, 0.8, [4]);
    expect(shifted).toEqual(whole);
  });

  it("is made in parts alike, wherever they begin", () => {
    const whole = mask(1000, 0.8, [4]);
    for (const first of [0, 1, 7, 32, 33, 64, 500, 999]) {
      for (const length of [0, 1, 5, 31, 32, 40, 300]) {
        const part = new Uint8Array(Math.min(length, 1000 - first)).fill(9);
        fillDropoutMask(part, 0.8, [4], first);
        expect(part).toEqual(whole.slice(first, first + part.length));
      }
    }
  });

  it("refuses a probability outside of 0 to 1", () => {
    expect(() => mask(4, 1.5, [1])).toThrow(/1.5/);
    expect(() => mask(4, Number.NaN, [1])).toThrow(/NaN/);
  });
});
