import { GraphEngine, type GraphEngineOptions, type GraphProgram } from "../compile/index.js";
import { GraftError } from "../errors.js";
import { add, matMul, mul, type Tensor } from "../graph/index.js";
import { kaimingUniform, Parameter, parameterRandom, Trace, uniform, zeros } from "../nn/index.js";
import { elementCount, type TensorData } from "../tensor-data.js";
import { LoraConfig } from "./tuners/registry.js";

export interface LinearOptions extends GraphEngineOptions {
  /** Rank; 0 (default) makes a plain linear layer. */
  readonly r?: number;
  /** Default 1. The update is loraAlpha / r * B A. */
  readonly loraAlpha?: number;
  /** Probability that an input of the update is dropped in training. Default 0. */
  readonly loraDropout?: number;
  /** Whether the weight is stored as [inFeatures, outFeatures]. Default false. */
  readonly fanInFanOut?: boolean;
  /** Whether `eval` adds the update to the weight and `train` takes it out again. Default true. */
  readonly mergeWeights?: boolean;
  /** Default true. */
  readonly bias?: boolean;
  /** Of the initial elements and of dropout. Default 0. */
  readonly seed?: number;
}

type Float32Tensor = TensorData<"float32">;

/** A program and the names of what it is fed. */
interface Compiled {
  readonly program: GraphProgram;
  readonly fed: ReadonlySet<string>;
}

/**
 * One linear layer with LoRA, with the behaviour of the paper's own library (loralib's `lora.Linear`): switching to
 * evaluation merges the update into the weight, switching to training subtracts it again. Both happen in float32, so
 * the weight comes back to rounding, not to the bit (a PeftModel's does).
 */
export class Linear {
  /** [outFeatures, inFeatures], or the transpose with `fanInFanOut`; frozen where r > 0. */
  readonly weight: Parameter;
  /** [outFeatures] or none. */
  readonly bias: Parameter | null;
  /** [r, inFeatures] or none. */
  readonly loraA: Parameter | null = null;
  /** [outFeatures, r] or none. */
  readonly loraB: Parameter | null = null;
  readonly r: number;
  readonly scaling: number;
  private readonly options: Required<Pick<LinearOptions, "loraDropout" | "fanInFanOut" | "mergeWeights" | "seed">>;
  private readonly engine: GraphEngine;
  /** One program for each graph that the layer's modes make; a graph serves any number of rows and any weights. */
  private readonly programs = new Map<string, Promise<Compiled>>();
  private isTraining = true;
  private isMerged = false;
  private calls = 0;

  /**
   * @param inFeatures, outFeatures whole numbers from 1
   * @throws GraftError `invalid-config` for sizes and options out of range
   */
  constructor(
    readonly inFeatures: number,
    readonly outFeatures: number,
    options: LinearOptions = {},
  ) {
    const { r = 0, loraAlpha = 1, loraDropout = 0, fanInFanOut = false, mergeWeights = true, bias = true } = options;
    const { seed = 0 } = options;
    checkSizes(inFeatures, outFeatures);
    const checked = new LoraConfig({ r: r === 0 ? 1 : r, loraAlpha, loraDropout });
    this.r = r;
    this.scaling = r === 0 ? 0 : checked.scaling;
    this.options = { loraDropout, fanInFanOut, mergeWeights, seed };
    this.engine = new GraphEngine(options);
    const make = (name: string, shape: readonly number[], data: Float32Array): Parameter => {
      const parameter = new Parameter(shape);
      parameter.name = name;
      parameter.setData({ dtype: "float32", shape, data });
      return parameter;
    };
    const kaiming = (name: string, shape: readonly number[]): Float32Array =>
      kaimingUniform(Math.sqrt(5))(shape, parameterRandom(seed, name));
    const drawn = kaiming("weight", [outFeatures, inFeatures]);
    this.weight = fanInFanOut
      ? make("weight", [inFeatures, outFeatures], transposed(drawn, outFeatures, inFeatures))
      : make("weight", [outFeatures, inFeatures], drawn);
    this.weight.trainable = r === 0;
    const bound = 1 / Math.sqrt(inFeatures);
    const biasData = uniform(-bound, bound)([outFeatures], parameterRandom(seed, "bias"));
    this.bias = bias ? make("bias", [outFeatures], biasData) : null;
    if (r > 0) {
      this.loraA = make("lora_A", [r, inFeatures], kaiming("lora_A", [r, inFeatures]));
      this.loraB = make("lora_B", [outFeatures, r], zeros([outFeatures, r], parameterRandom(seed, "lora_B")));
    }
  }

  /** Whether dropout acts. */
  get training(): boolean {
    return this.isTraining;
  }

  /** Whether the weight holds the update. */
  get merged(): boolean {
    return this.isMerged;
  }

  /** Training mode (the update beside the weight), or with `false` evaluation mode (the update in the weight). */
  train(mode = true): this {
    this.isTraining = mode;
    if (this.options.mergeWeights && this.isMerged === mode) {
      if (this.r > 0) this.addUpdate(mode ? -1 : 1);
      this.isMerged = !mode;
    }
    return this;
  }

  eval(): this {
    return this.train(false);
  }

  /**
   * @param x float32 [..., inFeatures]
   * @returns float32 [..., outFeatures]
   * @throws GraftError `shape-mismatch`
   */
  async forward(x: Float32Tensor): Promise<Float32Tensor> {
    const rows = elementCount(x.shape.slice(0, -1));
    // As they are at the moment of the call: `train` and `eval` may change them while the program is compiled.
    const held = new Map(this.parameters().map((parameter) => [parameter.name, tensorOf(parameter)]));
    const masks = { seed: this.options.seed, step: this.calls++, microStep: 0 };
    const { program, fed } = await this.compiled();
    const flat = { dtype: "float32", shape: [rows, x.shape.at(-1) ?? 1], data: x.data } as const;
    const weights = Object.fromEntries([...held].filter(([name]) => fed.has(name)));
    const outputs = await program.run({ x: flat, ...weights }, { masks });
    const data = (outputs.y as Float32Tensor).data;
    return { dtype: "float32", shape: [...x.shape.slice(0, -1), this.outFeatures], data };
  }

  /** Frees what `forward` made, and ends an engine of its own. A later `forward` makes it again. */
  async dispose(): Promise<void> {
    this.programs.clear();
    await this.engine.dispose();
  }

  /** The program of the mode that the layer is in. A failure is not remembered: the next call tries again. */
  private compiled(): Promise<Compiled> {
    const hasUpdate = this.r > 0 && !this.isMerged;
    const drops = hasUpdate && this.isTraining && this.options.loraDropout > 0;
    const key = `update:${hasUpdate} dropout:${drops}`;
    const known = this.programs.get(key);
    if (known) return known;
    const compiled = this.compile();
    this.programs.set(key, compiled);
    compiled.catch(() => {
      if (this.programs.get(key) === compiled) this.programs.delete(key);
    });
    return compiled;
  }

  private async compile(): Promise<Compiled> {
    const trace = new Trace(this.isTraining ? "train" : "eval");
    const y = this.write(trace, trace.input("x", "float32", ["rows", this.inFeatures]));
    const program = await this.engine.compile(trace, { y });
    return { program, fed: new Set(trace.inputs.keys()) };
  }

  private parameters(): Parameter[] {
    return [this.weight, this.bias, this.loraA, this.loraB].filter((one) => one !== null);
  }

  private write(trace: Trace, x: Tensor): Tensor {
    const read = (parameter: Parameter): Tensor => trace.input(parameter.name, "float32", parameter.shape);
    const product = matMul(x, read(this.weight), { transposeB: !this.options.fanInFanOut });
    const result = this.bias ? add(product, read(this.bias)) : product;
    if (!this.loraA || !this.loraB || this.isMerged) return result;
    const down = matMul(trace.dropout(x, this.options.loraDropout), read(this.loraA), { transposeB: true });
    return add(result, mul(matMul(down, read(this.loraB), { transposeB: true }), this.scaling));
  }

  private addUpdate(sign: 1 | -1): void {
    if (!this.loraA || !this.loraB) return;
    const update = updateOf(tensorOf(this.loraA).data, tensorOf(this.loraB).data, this.r, this.scaling);
    const { fanInFanOut } = this.options;
    const laidOut = fanInFanOut ? transposed(update, this.outFeatures, this.inFeatures) : update;
    const { shape, data: weight } = tensorOf(this.weight);
    const data = weight.map((value, index) => value + sign * (laidOut[index] as number));
    this.weight.setData({ dtype: "float32", shape, data });
  }
}

/**
 * scaling * B A in steps rounded to float32, as PyTorch takes them.
 * @param a [r, inFeatures]
 * @param b [outFeatures, r]
 * @returns [outFeatures, inFeatures]
 */
function updateOf(a: Float32Array, b: Float32Array, rank: number, scaling: number): Float32Array {
  const inFeatures = a.length / rank;
  const outFeatures = b.length / rank;
  const update = new Float32Array(outFeatures * inFeatures);
  const row = new Float64Array(inFeatures);
  const factor = Math.fround(scaling);
  for (let out = 0; out < outFeatures; out++) {
    row.fill(0);
    for (let k = 0; k < rank; k++) {
      const left = b[out * rank + k] as number;
      const offset = k * inFeatures;
      for (let i = 0; i < inFeatures; i++) row[i] = (row[i] as number) + left * (a[offset + i] as number);
    }
    for (let i = 0; i < inFeatures; i++) update[out * inFeatures + i] = Math.fround(row[i] as number) * factor;
  }
  return update;
}

function checkSizes(inFeatures: number, outFeatures: number): void {
  if ([inFeatures, outFeatures].every((size) => Number.isSafeInteger(size) && size > 0)) return;
  throw new GraftError(
    "invalid-config",
    `a linear layer from ${inFeatures} to ${outFeatures} features`,
    "Both sizes are whole numbers from 1.",
  );
}

/** A parameter's elements; they are in memory always here. */
function tensorOf(parameter: Parameter): Float32Tensor {
  if (parameter.source.kind !== "memory") throw new Error(`${parameter.name} has no elements in memory`);
  return parameter.source.data as Float32Tensor;
}

/** A row-major [rows, columns] matrix as [columns, rows]. */
function transposed(matrix: Float32Array, rows: number, columns: number): Float32Array {
  const out = new Float32Array(matrix.length);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++)
      out[column * rows + row] = matrix[row * columns + column] as number;
  }
  return out;
}
