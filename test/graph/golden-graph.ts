import { gradients } from "#graft/autodiff/index";
import { add, cast, type Dim, evaluateDim, input, mul, reduceSum, type Tensor } from "#graft/graph/index";
import type { DType, TensorData } from "#graft/tensor-data";
import { builders, type GoldenName } from "./builders.js";
import { type GoldenCase, goldenTensor } from "./goldens.js";

/** "static": all sizes are numbers. "symbolic": every size is a product of named primes, as 12 is two*two*three. */
export type Sizes = "static" | "symbolic";

const primes = { two: 2, three: 3, five: 5, seven: 7 };

/** An input whose shape is the named primes, so that each has a value at run time. */
const primeSizes = input("primeSizes", "uint8", Object.keys(primes));
const primeSizesData: TensorData = {
  dtype: "uint8",
  shape: Object.values(primes),
  data: new Uint8Array(Object.values(primes).reduce((a, b) => a * b)),
};

function symbolic(size: number): Dim {
  const factors: string[] = [];
  let rest = size;
  for (const [name, prime] of Object.entries(primes)) {
    for (; rest > 1 && rest % prime === 0; rest /= prime) factors.push(name);
  }
  return rest === 1 && factors.length > 0 ? factors.sort().join("*") : size;
}

/** Pixels are cut into patches of known size: of a picture only the batch is named. */
const namedAxes: { readonly [K in GoldenName]?: (name: string, axis: number) => boolean } = {
  conv: (name, axis) => name === "x" && axis === 0,
};

export interface GoldenGraph {
  readonly inputs: readonly Tensor[];
  /** Outputs by their golden names, gradients by `grad.<input>`. */
  readonly outputs: Readonly<Record<string, Tensor>>;
  readonly feeds: Readonly<Record<string, TensorData>>;
  /** Inputs that the gradients are taken for. */
  readonly differentiated: readonly Tensor[];
}

const differentiable: ReadonlySet<DType> = new Set(["float32", "float16"]);

/** A case's graph: its outputs, and the gradients of the outputs' scalar products with the golden's `gradOut`. */
export function goldenGraph(golden: GoldenCase, sizes: Sizes): GoldenGraph {
  const op = golden.op as GoldenName;
  const isNamed = namedAxes[op] ?? (() => true);
  const shapeOf = (name: string, shape: readonly number[]): Dim[] =>
    shape.map((size, axis) => (sizes === "symbolic" && isNamed(name, axis) ? symbolic(size) : size));
  const feeds: Record<string, TensorData> = sizes === "symbolic" ? { primeSizes: primeSizesData } : {};
  const declare = (name: string): Tensor => {
    const data = goldenTensor(golden, name);
    feeds[name] = data;
    return input(name, data.dtype, shapeOf(name, data.shape));
  };
  const byName = new Map(golden.inputs.map((name) => [name, declare(name)]));
  const inputs = [...byName.values()];
  const built = builders[op]({
    input: (name) => byName.get(name) as Tensor,
    inputs,
    attributes: golden.attributes,
    dim: sizes === "symbolic" ? symbolic : (size) => size,
    sizeOf: (dim) => evaluateDim(dim, primes),
  });
  const results = [built].flat();
  const outputs: Record<string, Tensor> = Object.fromEntries(
    golden.outputs.map((name, position) => [name, results[position] as Tensor]),
  );
  const differentiated = golden.differentiated.map((name) => byName.get(name) as Tensor);
  const seeds: Tensor[] = [];
  if (differentiated.length > 0 && results.every((result) => differentiable.has(result.dtype))) {
    const terms = results.map((result, position) => {
      const name = golden.outputs[position] as string;
      const data = goldenTensor(golden, `gradO${name.slice(1)}`);
      feeds[`gradient of ${name}`] = data;
      const seed = input(`gradient of ${name}`, data.dtype, result.shape);
      seeds.push(seed);
      return reduceSum(mul(cast(result, "float32"), cast(seed, "float32")));
    });
    const written = gradients(terms.reduce(add), differentiated);
    for (const [position, name] of golden.differentiated.entries()) {
      const gradient = written[position];
      if (!gradient) throw new Error(`no gradient of ${op} for ${name}`);
      outputs[`grad.${name}`] = gradient;
    }
  }
  const declared = sizes === "symbolic" ? [primeSizes, ...inputs, ...seeds] : [...inputs, ...seeds];
  return { inputs: declared, outputs, feeds, differentiated };
}
