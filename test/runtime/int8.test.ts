import { mkdtemp, readdir, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { defineProgram } from "#graft/compile/index";
import { gelu, matMul, type Tensor } from "#graft/graph/index";
import { Parameter, Trace } from "#graft/nn/index";
import type { OutlierFeature, WeightType } from "#graft/onnx/index";
import { exactWeightType } from "#graft/precision/int8/kernels";
import { int8Products } from "#graft/precision/int8/products";
import { CounterRng } from "#graft/random";
import { quantizedTensors } from "#graft/runtime/core/quantized-weights";
import { Scratch } from "#graft/runtime/core/scratch";
import { Engine, type QuantizedForm } from "#graft/runtime/index";

const [rows, inner, outer] = [6, 128, 96];
const rng = new CounterRng([7]);
const normals = (length: number): Float32Array => Float32Array.from({ length }, () => rng.normal());

let engine: Engine;
/** What this CPU multiplies exactly. */
let exactHere: WeightType;
/** The temporary folder of this file's engine. */
let temporary: string;
beforeAll(async () => {
  temporary = await realpath(await mkdtemp(join(tmpdir(), "graft-test-")));
  vi.stubEnv("TMPDIR", temporary);
  engine = await Engine.create({ threads: 1 });
  exactHere = await exactWeightType(engine);
});
afterAll(async () => {
  await engine.dispose();
  vi.unstubAllEnvs();
  await rm(temporary, { recursive: true });
});

interface Variant {
  readonly outliers?: readonly OutlierFeature[];
  readonly weightType?: WeightType;
  /** Where the weight lies; in memory where left out. */
  readonly file?: string;
  /** What is done to x before the product, in the graph. */
  readonly before?: (x: Tensor) => Tensor;
}

/** x W' (forward) or x W (backward) in int8, and in float64 here (where nothing is done before). */
async function products(x: Float32Array, weight: Float32Array, forward: boolean, variant: Variant = {}) {
  const { before = (tensor) => tensor, outliers = [], weightType = exactHere, file } = variant;
  const parameter = new Parameter([outer, inner]);
  parameter.name = `weight ${rng.nextWord()}`;
  parameter.setData({ dtype: "float32", shape: [outer, inner], data: weight });
  if (file) parameter.source = { kind: "file", path: file, offset: 0, byteLength: weight.byteLength, version: "" };
  const trace = new Trace("eval", true);
  const width = forward ? inner : outer;
  const left = before(trace.input("x", "float32", ["rows", width]));
  const y = matMul(left, trace.parameter(parameter), { transposeB: forward });
  const definition = defineProgram({
    trace,
    outputs: { y },
    purpose: "training",
    backend: "cpu",
    frozen: int8Products({
      weightType,
      outliers: new Map([[`${parameter.name} (${forward ? "forward" : "backward"})`, outliers]]),
    }),
  });
  expect(definition.quantizedData).toHaveLength(1);
  const program = await engine.compile(definition);
  const results = await program.run({ x: { dtype: "float32", shape: [rows, width], data: x } });
  const exact = Float64Array.from({ length: rows * (forward ? outer : inner) }, (_, at) => {
    const columns = forward ? outer : inner;
    const [row, column] = [Math.floor(at / columns), at % columns];
    let sum = 0;
    for (let k = 0; k < width; k++) {
      sum += x[row * width + k]! * weight[forward ? column * inner + k : k * inner + column]!;
    }
    return sum;
  });
  return { rounded: results.y!.data as Float32Array, exact };
}

function relativeError(rounded: ArrayLike<number>, exact: Float64Array, from = 0, to = exact.length): number {
  let difference = 0;
  let square = 0;
  for (let i = from; i < to; i++) {
    difference += (rounded[i]! - exact[i]!) ** 2;
    square += exact[i]! ** 2;
  }
  return Math.sqrt(difference / square);
}

describe("int8 products with frozen weights", () => {
  it.each([
    ["forward", true],
    ["backward", false],
  ])("are within 2 %% of the exact product of normal data, %s", async (_, forward) => {
    const { rounded, exact } = await products(
      normals(rows * (forward ? inner : outer)),
      normals(outer * inner),
      forward,
    );
    const error = relativeError(rounded, exact);
    expect(error).toBeLessThan(0.02);
    // Exactly zero would mean that nothing was rounded.
    expect(error).toBeGreaterThan(1e-4);
  });

  it.each([
    ["forward", true],
    ["backward", false],
  ])("are the same to the bit with uint8 weights, which every CPU multiplies exactly, %s", async (_, forward) => {
    const [x, weight] = [normals(rows * (forward ? inner : outer)), normals(outer * inner)];
    const here = await products(x, weight, forward);
    const everywhere = await products(x, weight, forward, { weightType: "uint8" });
    expect(everywhere.rounded).toEqual(here.rounded);
    expect(relativeError(everywhere.rounded, everywhere.exact)).toBeLessThan(0.02);
  });

  it("are the same from a file of weights, and leave no file behind", async () => {
    const file = join(temporary, "weights");
    const [x, weight] = [normals(rows * inner), normals(outer * inner)];
    await writeFile(file, new Uint8Array(weight.buffer));
    const fromMemory = await products(x, weight, true);
    const fromFile = await products(x, weight, true, { file });
    expect(fromFile.rounded).toEqual(fromMemory.rounded);
    expect((await readdir(temporary)).filter((name) => name.startsWith("graft-"))).toEqual([]);
  });

  it("are refused where a weight holds NaN", async () => {
    const weight = normals(outer * inner).fill(Number.NaN, 7, 8);
    await expect(products(normals(rows * inner), weight, true)).rejects.toMatchObject({ code: "not-finite" });
  });

  it("are exact where all operands are the largest there are", async () => {
    const { rounded, exact } = await products(
      new Float32Array(rows * inner).fill(127),
      new Float32Array(outer * inner).fill(127),
      true,
    );
    expect(relativeError(rounded, exact)).toBeLessThan(1e-6);
  });

  it("give zeros for rows of zeros and keep a huge value from spoiling other rows", async () => {
    const x = normals(rows * inner);
    x.fill(0, 0, inner);
    x[inner + 3] = 1e6;
    const { rounded, exact } = await products(x, normals(outer * inner), true);
    expect([...rounded.subarray(0, outer)].every((value) => value === 0)).toBe(true);
    expect([...rounded].every(Number.isFinite)).toBe(true);
    expect(relativeError(rounded, exact, outer, 2 * outer)).toBeLessThan(0.02);
    expect(relativeError(rounded, exact, 2 * outer)).toBeLessThan(0.02);
  });

  it("take constant columns and columns of zeros", async () => {
    const weight = normals(outer * inner);
    weight.fill(0.25, 0, inner);
    weight.fill(0, inner, 2 * inner);
    const { rounded, exact } = await products(normals(rows * inner), weight, true);
    for (let row = 0; row < rows; row++) expect(rounded[row * outer + 1]).toBe(0);
    expect(relativeError(rounded, exact)).toBeLessThan(0.02);
  });

  it("do not turn a row of NaN, as a LayerNorm makes of one NaN, into numbers", async () => {
    const x = normals(rows * inner);
    x.fill(Number.NaN, 0, inner);
    const { rounded } = await products(x, normals(outer * inner), true);
    expect([...rounded.subarray(0, outer)].some(Number.isFinite)).toBe(false);
    expect([...rounded.subarray(outer)].every(Number.isFinite)).toBe(true);
  });
});

describe("int8 products with outlier features", () => {
  const feature = 5;
  const withOutlier = (): Float32Array =>
    normals(rows * inner).map((value, at) => (at % inner === feature ? 64 * value : value));

  it.each([
    ["forward", true],
    ["backward", false],
  ])("are several times as accurate when those are set apart, %s", async (_, forward) => {
    const width = forward ? inner : outer;
    const x = Float32Array.from({ length: rows * width }, (_, at) => rng.normal() * (at % width === feature ? 64 : 1));
    const weight = normals(outer * inner);
    const plain = await products(x, weight, forward);
    const apart = await products(x, weight, forward, { outliers: [{ feature, factor: 8 }] });
    const [before, after] = [plain, apart].map(({ rounded, exact }) => relativeError(rounded, exact));
    expect(after).toBeLessThan(0.02);
    expect(after).toBeLessThan(before! / 1.5);
  });

  it("multiply by the factors exactly: with one of 1 nothing changes", async () => {
    const [x, weight] = [withOutlier(), normals(outer * inner)];
    const plain = await products(x, weight, true);
    const apart = await products(x, weight, true, { outliers: [{ feature, factor: 1 }] });
    expect(apart.rounded).toEqual(plain.rounded);
  });
});

describe("int8 products with GELU's output", () => {
  const geluOf = async (x: Float32Array, weight: Float32Array) => {
    const { rounded } = await products(x, weight, true, { before: gelu });
    return rounded;
  };

  /** x times the normal distribution function, by Abramowitz and Stegun 7.1.26 (error below 1.5e-7). */
  const exactGelu = (x: number): number => {
    const z = Math.abs(x) / Math.SQRT2;
    const t = 1 / (1 + 0.3275911 * z);
    const series = [1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592].reduce(
      (sum, c) => (sum + c) * t,
      0,
    );
    const erf = Math.sign(x) * (1 - series * Math.exp(-z * z));
    return 0.5 * x * (1 + erf);
  };

  it("are within 1.2 % of the exact product, tighter than for data of both signs", async () => {
    const x = normals(rows * inner).map((value) => 2 * value);
    const weight = normals(outer * inner);
    const exact = Float64Array.from({ length: rows * outer }, (_, at) => {
      const [row, column] = [Math.floor(at / outer), at % outer];
      let sum = 0;
      for (let k = 0; k < inner; k++) sum += exactGelu(x[row * inner + k]!) * weight[column * inner + k]!;
      return sum;
    });
    const rounded = await geluOf(x, weight);
    expect(relativeError(rounded, exact)).toBeLessThan(0.012);
    expect(relativeError(rounded, exact)).toBeGreaterThan(1e-4);
  });

  it("take rows that GELU makes all but zero, and keep rows of NaN apart", async () => {
    const x = normals(rows * inner);
    x.fill(-20, 0, inner);
    x.fill(Number.NaN, inner, 2 * inner);
    const rounded = await geluOf(x, normals(outer * inner));
    expect([...rounded.subarray(0, outer)].every((value) => Math.abs(value) < 1e-6)).toBe(true);
    expect([...rounded.subarray(outer, 2 * outer)].some(Number.isFinite)).toBe(false);
    expect([...rounded.subarray(2 * outer)].every(Number.isFinite)).toBe(true);
  });
});

describe("quantizedTensors", () => {
  const straight = { path: "w", transposed: false, factor: 1, outliers: [] };
  const quantized = (
    values: readonly number[],
    rows: number,
    columns: number,
    forms: readonly QuantizedForm[],
    dtype: WeightType = "int8",
  ) =>
    quantizedTensors({
      source: { kind: "memory", data: { dtype: "float32", shape: [rows, columns], data: Float32Array.from(values) } },
      rows,
      columns,
      dtype,
      forms,
    });

  it("use the whole range of each column and round to nearest, halves to even", async () => {
    const tensors = await quantized([1, -10, 0, 0.5, 2.5, 0], 2, 3, [straight]);
    expect([...tensors.w!.values.data]).toEqual([127, -127, 0, 64, 32, 0]);
    for (const [column, scale] of [1 / 127, 10 / 127, 0].entries()) {
      expect(tensors.w!.scales.data[column]).toBeCloseTo(scale, 7);
    }
    const halves = await quantized([127, 0.5, -0.5, 1.5, -1.5, 2.5, -2.5], 7, 1, [straight]);
    expect([...halves.w!.values.data]).toEqual([127, 0, 0, 2, -2, 2, -2]);
  });

  it("are larger by 128 in uint8", async () => {
    const tensors = await quantized(
      [1, -10, 0, 0.5, 2.5, 0],
      2,
      3,
      [straight, { ...straight, path: "half", factor: 0.5 }],
      "uint8",
    );
    for (const path of ["w", "half"]) {
      expect(tensors[path]!.values.dtype).toBe("uint8");
      expect([...tensors[path]!.values.data]).toEqual([255, 1, 128, 192, 160, 128]);
    }
    expect(tensors.w!.scales.data[0]).toBeCloseTo(1 / 127, 7);
  });

  it("are the same in memory that has served a larger matrix", async () => {
    const scratch = new Scratch();
    const outliers = [{ feature: 1, factor: 0.25 }];
    const forms = [
      straight,
      { path: "t", transposed: true, factor: 1, outliers: [] },
      { path: "apart", transposed: false, factor: 1, outliers },
      { path: "t apart", transposed: true, factor: 1, outliers },
    ];
    for (const [rows, columns, dtype] of [
      [40, 30, "int8"],
      [7, 9, "uint8"],
      [7, 9, "int8"],
    ] as const) {
      const data = { dtype: "float32", shape: [rows, columns], data: normals(rows * columns) } as const;
      const wanted = { source: { kind: "memory", data } as const, rows, columns, dtype, forms };
      expect(await quantizedTensors(wanted, scratch)).toEqual(await quantizedTensors(wanted));
    }
  });

  it("make both forms of a matrix that fills no whole number of blocks", async () => {
    const [rows, columns] = [70, 131];
    const values = normals(rows * columns);
    const turned = { path: "t", transposed: true, factor: 1, outliers: [] };
    const tensors = await quantized([...values], rows, columns, [straight, turned]);
    expect(tensors.t!.values.shape).toEqual([columns, rows]);
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        const exact = values[row * columns + column]!;
        for (const [path, at, scaleAt] of [
          ["w", row * columns + column, column],
          ["t", column * rows + row, row],
        ] as const) {
          const scale = Number(tensors[path]!.scales.data[scaleAt]);
          const rounded = Number(tensors[path]!.values.data[at]) * scale;
          if (!(Math.abs(rounded - exact) <= 0.5001 * scale))
            throw new Error(`${path} at ${row}, ${column}: ${rounded}`);
        }
      }
    }
  });

  it("multiply the factor into the scales alone", async () => {
    const tensors = await quantized([1, 2], 1, 2, [straight, { ...straight, path: "half", factor: 0.5 }]);
    expect(tensors.half!.values).toEqual(tensors.w!.values);
    expect(tensors.half!.scales.data[1]).toBeCloseTo(Number(tensors.w!.scales.data[1]) / 2, 7);
  });

  it.each([
    ["straight", false],
    ["transposed", true],
  ])("multiply the rows of outlier features before rounding, %s", async (_, transposed) => {
    const elements = [1, 2, 3, 4, 5, 6];
    const outliers = [{ feature: 1, factor: 4 }];
    const scaled = transposed ? [1, 8, 3, 4, 20, 6] : [1, 2, 3, 16, 20, 24];
    const form = { path: "w", transposed, factor: 1 };
    const apart = await quantized(elements, 2, 3, [{ ...form, outliers }]);
    expect(apart).toEqual(await quantized(scaled, 2, 3, [{ ...form, outliers: [] }]));
  });
});
