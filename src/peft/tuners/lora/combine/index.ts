import { Matrix } from "ml-matrix";
import { CounterRng } from "../../../../random.js";
import { elementCount, type TensorData } from "../../../../tensor-data.js";
import type { CombinedFactors, CombineFactors, WeightedFactors } from "../../../combination.js";
import { combined } from "./arithmetic.js";
import { factorsOf, matrixTriplets, productTriplets } from "./svd.js";

type Float32Tensor = TensorData<"float32">;

const rankOf = ({ a }: WeightedFactors): number => a.shape[0] as number;
const rowsOf = ({ b }: WeightedFactors): number => b.shape[0] as number;
const columnsOf = ({ a }: WeightedFactors): number => elementCount(a.shape.slice(1));

const elements = ({ data }: Float32Tensor): Float64Array => Float64Array.from(data);

const exact = (a: Float32Array, b: Float32Array): CombinedFactors => ({ a, b, whole: 0, lost: 0 });

/** All A below one another, each times its weight and scale, and all B beside one another: their product is the sum. */
function stacked(factors: readonly WeightedFactors[]): { a: Float32Array; b: Float32Array; rank: number } {
  const rank = factors.reduce((sum, one) => sum + rankOf(one), 0);
  const [rows, columns] = [rowsOf(factors[0] as WeightedFactors), columnsOf(factors[0] as WeightedFactors)];
  const a = new Float32Array(rank * columns);
  const b = new Float32Array(rows * rank);
  let at = 0;
  for (const one of factors) {
    const own = rankOf(one);
    // In float32 step by step, as PyTorch multiplies.
    const scaled = one.a.data.map((value) => Math.fround(value * one.weight) * one.scaling);
    a.set(scaled, at * columns);
    for (let row = 0; row < rows; row++) b.set(one.b.data.subarray(row * own, (row + 1) * own), row * rank + at);
    at += own;
  }
  return { a, b, rank };
}

/** A and B for themselves, each with the root of its share: products of one adapter's A with another's B come in besides. */
function apart(
  factors: readonly WeightedFactors[],
  combination: Parameters<CombineFactors>[1],
  random: CounterRng,
): CombinedFactors {
  const shares = factors.map(({ weight, scaling }) => weight * scaling);
  const roots = shares.map((share) => Math.sqrt(Math.abs(share)));
  const signed = roots.map((root, index) => ((shares[index] as number) >= 0 ? root : -root));
  const a = combined({ tensors: factors.map((one) => elements(one.a)), weights: signed }, combination, random);
  const b = combined({ tensors: factors.map((one) => elements(one.b)), weights: roots }, combination, random);
  return exact(Float32Array.from(a), Float32Array.from(b));
}

/** scaling * B A: [out, in] */
function updateOf(factors: WeightedFactors): Float64Array {
  const [rows, columns, rank] = [rowsOf(factors), columnsOf(factors), rankOf(factors)];
  const update = new Float64Array(rows * columns);
  for (let row = 0; row < rows; row++) {
    for (let k = 0; k < rank; k++) {
      const left = (factors.b.data[row * rank + k] as number) * factors.scaling;
      for (let column = 0; column < columns; column++) {
        const at = row * columns + column;
        update[at] = (update[at] as number) + left * (factors.a.data[k * columns + column] as number);
      }
    }
  }
  return update;
}

const squares = (values: Iterable<number>): number => {
  let sum = 0;
  for (const value of values) sum += value * value;
  return sum;
};

/** Makes one LoRA of several in a layer, as PEFT's `add_weighted_adapter`. */
export const combineFactors: CombineFactors = (factors, combination, place) => {
  const { type, rank, seed, svdClamp } = combination;
  const key = [seed, ...new TextEncoder().encode(place)];
  if (type === "cat") {
    const { a, b } = stacked(factors);
    return exact(a, b);
  }
  if (!type.endsWith("svd")) return apart(factors, combination, new CounterRng(key));
  const [rows, columns] = [rowsOf(factors[0] as WeightedFactors), columnsOf(factors[0] as WeightedFactors)];
  if (type === "svd") {
    const { a, b, rank: whole } = stacked(factors);
    const triplets = productTriplets(matrix(b, rows, whole), matrix(a, whole, columns));
    const kept = factorsOf(triplets, rank, svdClamp);
    return { ...kept, whole: squares(triplets.s), lost: squares(triplets.s.slice(rank)) };
  }
  const weights = factors.map(({ weight }) => weight);
  const update = combined({ tensors: factors.map(updateOf), weights }, combination, new CounterRng(key));
  const triplets = matrixTriplets(update, [rows, columns], rank, new CounterRng([...key, 1]));
  const whole = squares(update);
  return { ...factorsOf(triplets, rank, svdClamp), whole, lost: Math.max(0, whole - squares(triplets.s)) };
};

function matrix(data: Float32Array, rows: number, columns: number): Matrix {
  return Matrix.from1DArray(rows, columns, Array.from(data));
}
