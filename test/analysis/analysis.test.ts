import { readFileSync } from "node:fs";
import { Matrix } from "ml-matrix";
import { describe, expect, onTestFinished, test } from "vitest";
import { amplification } from "#graft/analysis/amplification";
import {
  decomposeUpdate,
  directionsOfA,
  grassmannDistance,
  randomDirections,
  rankThatKeeps,
  spectrumOf,
  subspaceSimilarity,
} from "#graft/analysis/index";
import { productsOf, toTensor } from "#graft/linear-algebra/products";
import { AutoModel } from "#graft/models/index";

interface Golden {
  readonly out: number;
  readonly in: number;
  readonly rank: number;
  readonly otherRank: number;
  readonly compared: number;
  readonly scaling: number;
  readonly singularValues: number[];
  readonly effectiveRank: number;
  readonly stableRank: number;
  readonly rankThatKeeps: Readonly<Record<string, number>>;
  readonly weightNorm: number;
  readonly updateNorm: number;
  readonly inUpdate: number;
  readonly inWeight: number;
  readonly similarity: number[][];
  readonly distance: number[][];
}

const goldens = JSON.parse(
  readFileSync(new URL("../golden/analysis/analysis.json", import.meta.url), "utf8"),
) as Readonly<Record<string, Golden>>;

/** The formula of reference/make_analysis_golden.py. */
function matrix(rows: number, columns: number, salt: number, decay = 0): Matrix {
  const made = new Matrix(rows, columns);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) {
      const whole = (i * 7919 + j * 104729 + (i + salt) * (j + 3 * salt) * 31 + i * i * j) % 1009;
      made.set(i, j, Math.fround((whole / 1009 - 0.5) / (1 + decay * i)));
    }
  }
  return made;
}

function caseOf(golden: Golden) {
  const a = matrix(golden.rank, golden.in, 1, 0.4);
  const b = matrix(golden.out, golden.rank, 2);
  const other = matrix(golden.otherRank, golden.in, 5, 0.3);
  for (let i = 0; i < Math.floor(golden.rank / 2); i++) {
    for (let j = 0; j < golden.in; j++) other.set(i, j, Math.fround(other.get(i, j) + a.get(i, j)));
  }
  return {
    update: { layer: "layer", a, b, scaling: golden.scaling },
    other,
    weight: toTensor(matrix(golden.out, golden.in, 3, 0.05)),
  };
}

/** The largest difference, by the size of the largest expected number. */
function error(got: readonly number[], expected: readonly number[]): number {
  expect(got.length).toBe(expected.length);
  const size = Math.max(...expected.map(Math.abs));
  return Math.max(...got.map((value, index) => Math.abs(value - (expected[index] as number)))) / size;
}

describe.each(Object.entries(goldens))("%s, against NumPy", (_, golden) => {
  const { update, other, weight } = caseOf(golden);

  test("the spectrum of an update, from its factors", () => {
    const { u, s, v } = decomposeUpdate(update);
    const count = Math.min(golden.rank, golden.in);
    expect(error(s.slice(0, count), golden.singularValues.slice(0, count))).toBeLessThan(1e-9);
    const whole = Matrix.mul(update.b.mmul(update.a), update.scaling);
    expect(Matrix.sub(u.mmul(Matrix.diag([...s])).mmul(v.transpose()), whole).norm()).toBeLessThan(1e-6);
    const { effectiveRank, stableRank, frobeniusNorm } = spectrumOf(s);
    expect(error([effectiveRank, stableRank], [golden.effectiveRank, golden.stableRank])).toBeLessThan(1e-6);
    expect(error([frobeniusNorm], [golden.updateNorm])).toBeLessThan(1e-9);
    for (const [share, rank] of Object.entries(golden.rankThatKeeps)) {
      expect(rankThatKeeps(Number(share), s), `rank for ${share}`).toBe(rank);
    }
  });

  test("phi and the Grassmann distance for all i and j", () => {
    const phi = subspaceSimilarity(directionsOfA(update), directionsOfA({ a: other }));
    expect(error(phi.flat(), golden.similarity.flat())).toBeLessThan(1e-6);
    // A distance of zero is the root of a difference that rounding leaves.
    const squared = (grid: readonly (readonly number[])[]) => grid.flat().map((value) => value ** 2);
    expect(error(squared(grassmannDistance(phi)), squared(golden.distance))).toBeLessThan(1e-6);
  });

  test("the update against its weight", async () => {
    const model = AutoModel.fromConfig({ model_type: "bert", vocab_size: 4 }, { withWeights: false, threads: 1 });
    onTestFinished(() => model.dispose());
    const triplets = decomposeUpdate(update);
    const got = amplification(weight, productsOf(weight), triplets, golden.compared);
    expect(error([got.weightNorm], [golden.weightNorm])).toBeLessThan(1e-6);
    expect(error([got.projections.update], [golden.inUpdate])).toBeLessThan(1e-6);
    expect(error([got.projections.weight], [golden.inWeight])).toBeLessThan(1e-6);
    expect(error([got.factor], [golden.updateNorm / golden.inUpdate])).toBeLessThan(1e-6);
    // Random directions find what a share of the dimensions finds on average, far less than W's own.
    expect(got.projections.random).toBeLessThan(got.projections.weight);
  });
});

test("phi of a subspace with itself is 1, whatever basis it is given in; of orthogonal ones 0", () => {
  const basis = randomDirections(40, 10, 3);
  const first = basis.subMatrix(0, 39, 0, 4);
  const turned = first.mmul(randomDirections(5, 5, 4));
  expect(subspaceSimilarity(first, turned).at(-1)?.at(-1)).toBeCloseTo(1, 12);
  expect(
    subspaceSimilarity(first, basis.subMatrix(0, 39, 5, 9))
      .at(-1)
      ?.at(-1),
  ).toBeCloseTo(0, 12);
});

test("phi of random subspaces is the larger one's share of the dimensions", () => {
  const phi = subspaceSimilarity(randomDirections(600, 8, 1), randomDirections(600, 64, 2));
  expect(phi.at(-1)?.at(-1)).toBeCloseTo(64 / 600, 1);
});

test("an update of zeros has no rank", () => {
  const { s } = decomposeUpdate({ layer: "", a: matrix(2, 9, 1), b: Matrix.zeros(7, 2), scaling: 1 });
  expect(spectrumOf(s)).toMatchObject({ frobeniusNorm: 0, effectiveRank: 0, stableRank: 0 });
  expect(rankThatKeeps(0.9, s)).toBe(0);
});
