import { fromFloat32, type TensorData, toFloat32 } from "../tensor-data.js";

type Tensors = Readonly<Record<string, TensorData>>;

export interface FiniteDifferenceRequest {
  /** Computes a function's outputs by name from its inputs by name. */
  readonly evaluate: (inputs: Tensors) => Promise<Tensors>;
  readonly inputs: Tensors;
  /** The inputs to differentiate for: float32 or float16. */
  readonly wrt: readonly string[];
  /** d loss / d output, by output name: what the outputs are projected on. */
  readonly outputGradients: Tensors;
  /** Distance between the points; a power of two keeps them exact. Default 1/64. */
  readonly step?: number;
}

/** Weights of f at multiples of the step: the central difference whose error is of the step's fourth power. */
const stencil = [
  { offset: -2, weight: 1 / 12 },
  { offset: -1, weight: -8 / 12 },
  { offset: 1, weight: 8 / 12 },
  { offset: 2, weight: -1 / 12 },
] as const;

/**
 * The gradients of sum(outputGradients * outputs) by moving every element of the inputs in turn: what a gradient rule
 * should give wherever the function is smooth within two steps. It takes four evaluations for each element.
 * @returns gradients by input name
 */
export async function finiteDifferences(request: FiniteDifferenceRequest): Promise<Map<string, Float32Array>> {
  const { evaluate, inputs, wrt, outputGradients, step = 1 / 64 } = request;
  const seeds = Object.entries(outputGradients).map(([name, seed]) => [name, toFloat32(seed)] as const);
  const gradients = new Map<string, Float32Array>();
  for (const name of wrt) {
    const input = inputs[name] as TensorData<"float32" | "float16">;
    const values = toFloat32(input);
    const gradient = new Float32Array(values.length);
    for (let i = 0; i < values.length; i++) {
      let slope = 0;
      for (const { offset, weight } of stencil) {
        const moved = values.slice();
        moved[i] = (values[i] as number) + offset * step;
        const data = fromFloat32(input.dtype, moved);
        const outputs = await evaluate({ ...inputs, [name]: { ...input, data } });
        slope += weight * projection(outputs, seeds);
      }
      gradient[i] = slope / step;
    }
    gradients.set(name, gradient);
  }
  return gradients;
}

/** In float64, so that the outputs' own rounding is the only one. */
function projection(outputs: Tensors, seeds: readonly (readonly [string, Float32Array])[]): number {
  let sum = 0;
  for (const [name, seed] of seeds) {
    const output = toFloat32(outputs[name] as TensorData);
    for (let i = 0; i < seed.length; i++) sum += (seed[i] as number) * (output[i] as number);
  }
  return sum;
}
