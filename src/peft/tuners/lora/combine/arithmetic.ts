import type { CounterRng } from "../../../../random.js";
import type { Combination } from "../../../combination.js";

/** Tensors of equal size, as elements, and the weight of each. */
interface Weighted {
  readonly tensors: readonly Float64Array[];
  readonly weights: readonly number[];
}

/** The sum of tensors, each times its weight. */
export function weightedSum({ tensors, weights }: Weighted): Float64Array {
  const sum = new Float64Array((tensors[0] as Float64Array).length);
  for (const [index, tensor] of tensors.entries()) {
    const weight = weights[index] as number;
    for (let i = 0; i < sum.length; i++) sum[i] = (sum[i] as number) + weight * (tensor[i] as number);
  }
  return sum;
}

/** The share of largest elements; the others are 0. */
function largest(tensor: Float64Array, density: number): Float64Array {
  const order = Array.from(tensor.keys()).sort((x, y) => Math.abs(tensor[y] as number) - Math.abs(tensor[x] as number));
  const kept = new Float64Array(tensor.length);
  for (const index of order.slice(0, Math.trunc(density * tensor.length))) kept[index] = tensor[index] as number;
  return kept;
}

/** A random share of the elements, enlarged so that their expected sum stays. */
function randomShare(tensor: Float64Array, density: number, random: CounterRng): Float64Array {
  return tensor.map((value) => (random.uniform() < density ? value / density : 0));
}

/** The mean, over the tensors that have the majority's sign, of what each has times its weight (TIES). */
function disjointMean({ tensors, weights }: Weighted, method: Combination["majoritySignMethod"]): Float64Array {
  const mean = new Float64Array((tensors[0] as Float64Array).length);
  for (let i = 0; i < mean.length; i++) {
    const values = tensors.map((tensor) => tensor[i] as number);
    const votes = method === "total" ? values : values.map(Math.sign);
    const majority = votes.reduce((sum, value) => sum + value, 0) >= 0 ? 1 : -1;
    let sum = 0;
    let count = 0;
    for (const [index, value] of values.entries()) {
      if (Math.sign(value) !== majority) continue;
      sum += value * (weights[index] as number);
      count++;
    }
    mean[i] = sum / Math.max(count, 1);
  }
  return mean;
}

/** How the tensors of a combination become one, by its name without "_svd". */
export function combined(
  weighted: Weighted,
  { type, density, majoritySignMethod }: Combination,
  random: CounterRng,
): Float64Array {
  const { tensors, weights } = weighted;
  const plain = type.replace("_svd", "");
  const keepsAll = density === null || density >= 1;
  const prune = (tensor: Float64Array): Float64Array => {
    if (keepsAll || plain === "linear" || plain === "svd") return tensor;
    return plain.startsWith("dare") ? randomShare(tensor, density, random) : largest(tensor, density);
  };
  const pruned = { tensors: tensors.map(prune), weights };
  return plain.endsWith("ties") ? disjointMean(pruned, majoritySignMethod) : weightedSum(pruned);
}
