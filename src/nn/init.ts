import { CounterRng } from "../random.js";
import { elementCount } from "../tensor-data.js";

/** Makes the elements of a new parameter of a shape. */
export type Initializer = (shape: readonly number[], random: CounterRng) => Float32Array;

export const zeros: Initializer = (shape) => new Float32Array(elementCount(shape));

export const ones: Initializer = (shape) => new Float32Array(elementCount(shape)).fill(1);

function filled(draw: (random: CounterRng) => number): Initializer {
  return (shape, random) => {
    const data = new Float32Array(elementCount(shape));
    for (let i = 0; i < data.length; i++) data[i] = draw(random);
    return data;
  };
}

/** Uniform in [low, high). */
export const uniform = (low: number, high: number): Initializer => filled((random) => random.uniform(low, high));

/** Normal with mean 0. */
export const normal = (standardDeviation: number): Initializer =>
  filled((random) => random.normal(0, standardDeviation));

/** Normal with mean 0, redrawn until it lies in [-2, 2] (PyTorch `trunc_normal_` with its default bounds). */
export const truncatedNormal = (standardDeviation: number): Initializer =>
  filled((random) => {
    let draw = random.normal(0, standardDeviation);
    while (Math.abs(draw) > 2) draw = random.normal(0, standardDeviation);
    return draw;
  });

/**
 * Uniform in [-bound, bound) with bound = sqrt(6 / ((1 + a^2) fanIn)) (He et al. 2015; PyTorch `kaiming_uniform_`).
 * fanIn is the product of all axes but the first.
 * @param negativeSlope a; PyTorch's Linear uses sqrt(5)
 */
export const kaimingUniform =
  (negativeSlope: number): Initializer =>
  (shape, random) => {
    const fanIn = elementCount(shape.slice(1));
    const bound = Math.sqrt(6 / ((1 + negativeSlope ** 2) * fanIn));
    return uniform(-bound, bound)(shape, random);
  };

/** A 32-bit number for a name (FNV-1a over UTF-16 units), the part of the random key that tells parameters apart. */
function hashName(name: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}

/** The random stream of one parameter: it depends on the seed and the parameter's name, not on the order of creation. */
export function parameterRandom(seed: number, name: string): CounterRng {
  return new CounterRng([seed, hashName(name)]);
}
