import { gradients as gradientsOf } from "../../autodiff/index.js";
import { type GraphEngineOptions, type GraphProgram, SharedEngine } from "../../compile/index.js";
import { GraftError } from "../../errors.js";
import { type Dim, mul, reduceSum, type Tensor } from "../../graph/index.js";
import { type Initializer, Module, Parameter, Trace } from "../../nn/index.js";
import type { TensorData } from "../../tensor-data.js";
import { LoraConfig } from "../tuners/registry.js";
import { namedParameters } from "./named-parameters.js";

export type Float32Tensor = TensorData<"float32">;

/** Options that every layer has. Layers without an `engine` and with the same options of an engine share one. */
export interface LoRALayerOptions extends GraphEngineOptions {
  /** Rank; 0 (default) makes a plain layer. */
  readonly r?: number;
  /** Default 1. The update is loraAlpha / r * B A. */
  readonly loraAlpha?: number;
  /** Whether `eval` adds the update to the weight and `train` takes it out again. Default true. */
  readonly mergeWeights?: boolean;
  /** Of the initial elements and of dropout. Default 0. */
  readonly seed?: number;
}

/** What a program is fed of a call, and what its output is. */
export interface Prepared {
  readonly x: TensorData;
  /** As the program gives it. */
  readonly flat: readonly number[];
  /** As the caller gets it. */
  readonly shape: readonly number[];
}

/** A program and the names of what it is fed. */
interface Compiled {
  readonly program: GraphProgram;
  readonly fed: ReadonlySet<string>;
}

type Read = (name: string) => Tensor;

/** Before the names of outputs that are gradients. */
const GRADIENT = "gradient:";

const own = ["r", "loraAlpha", "mergeWeights", "seed"];
const ofEngine = ["engine", "backend", "threads", "workerUrl", "wasmPaths", "profileFolder"];

/**
 * One layer with LoRA, with the behaviour of the paper's own library (loralib 0.1.2): switching to evaluation merges the
 * update into the weight, switching to training subtracts it again. Both happen in float32, so the weight comes back to
 * rounding, not to the bit (a PeftModel's does).
 */
export abstract class LoRALayer<X extends TensorData = Float32Tensor> extends Module {
  readonly r: number;
  /** loraAlpha / r; 0 without LoRA. */
  readonly scaling: number;
  private readonly mergeWeights: boolean;
  private readonly seed: number;
  private readonly engine: SharedEngine;
  /** One program for each graph that the layer's modes make; a graph serves any number of rows and any weights. */
  private readonly programs = new Map<string, Promise<Compiled>>();
  private isTraining = true;
  private isMerged = false;
  private calls = 0;

  /**
   * @param loraDropout probability that an input of the update is dropped in training
   * @param known names of the layer's further options
   * @throws GraftError `invalid-config` for options out of range, `unsupported` for options that there are none of
   */
  protected constructor(
    options: LoRALayerOptions,
    protected readonly loraDropout: number,
    known: readonly string[],
  ) {
    super();
    const unknown = Object.keys(options).filter((name) => ![...own, ...ofEngine, ...known].includes(name));
    if (unknown.length > 0) {
      throw new GraftError(
        "unsupported",
        `lora.${new.target.name} has no option ${unknown.join(", ")}`,
        `Its options are ${[...own, ...known].join(", ")}, and those of an engine.`,
      );
    }
    const { r = 0, loraAlpha = 1, mergeWeights = true, seed = 0 } = options;
    const { scaling } = new LoraConfig({ r: r === 0 ? 1 : r, loraAlpha, loraDropout });
    this.r = r;
    this.scaling = r === 0 ? 0 : scaling;
    this.mergeWeights = mergeWeights;
    this.seed = seed;
    this.engine = new SharedEngine(options);
  }

  /** The weight that the update belongs to. */
  protected abstract readonly frozen: Parameter;
  /** Whether there are A and B. */
  protected abstract readonly hasUpdate: boolean;
  /** scaling * B A in the weight's layout. */
  protected abstract update(): Float32Array;
  /** The form of `x` in graphs. */
  protected abstract readonly input: readonly Dim[];
  /** @throws GraftError `shape-mismatch` and others for an input that does not fit */
  protected abstract prepare(x: X): Prepared;
  /**
   * @param hasUpdate whether the update is beside the weight
   * @param read a parameter by its name
   */
  protected abstract write(trace: Trace, x: Tensor, hasUpdate: boolean, read: Read): Tensor;

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
    if (this.mergeWeights && this.isMerged === mode) {
      if (this.hasUpdate) this.addUpdate(mode ? -1 : 1);
      this.isMerged = !mode;
    }
    return this;
  }

  eval(): this {
    return this.train(false);
  }

  /** @throws GraftError `shape-mismatch` */
  async forward(x: X): Promise<Float32Tensor> {
    const prepared = this.prepare(x);
    const { y } = await this.run(prepared, false, this.calls++);
    return { ...(y as Float32Tensor), shape: prepared.shape };
  }

  /**
   * Gradients of sum(forward(x) * gradOutput) with the dropout of the last `forward`: by name those of the trainable
   * parameters that the layer computes with as it is, and `x`, where `x` is of numbers and the layer is no convolution.
   * @param gradOutput of the shape of `forward`'s result
   * @throws GraftError `shape-mismatch`
   */
  async gradients(x: X, gradOutput: Float32Tensor): Promise<Record<string, Float32Tensor>> {
    const prepared = this.prepare(x);
    if (gradOutput.shape.join() !== prepared.shape.join()) {
      throw new GraftError(
        "shape-mismatch",
        `gradOutput is [${gradOutput.shape}], and the output of this input is [${prepared.shape}]`,
        "Give one number for each of the output.",
      );
    }
    const fed = { gradOutput: { ...gradOutput, shape: prepared.flat } };
    const outputs = await this.run(prepared, true, Math.max(0, this.calls - 1), fed);
    const found = Object.entries(outputs).flatMap(([output, tensor]): [string, Float32Tensor][] => {
      if (!output.startsWith(GRADIENT)) return [];
      const name = output.slice(GRADIENT.length);
      const { data, shape } = tensor as Float32Tensor;
      return [[name, { dtype: "float32", shape: name === "x" ? x.shape : shape, data }]];
    });
    return Object.fromEntries(found);
  }

  /** Frees what `forward` made; the last layer of a shared engine ends it. A later `forward` makes it again. */
  async dispose(): Promise<void> {
    this.programs.clear();
    await this.engine.dispose();
  }

  /** Makes a parameter with its first elements. */
  protected made(name: string, shape: readonly number[], initializer: Initializer): Parameter {
    const parameter = new Parameter(shape, { initializer });
    parameter.name = name;
    parameter.initialize(this.seed, name);
    return parameter;
  }

  private async run(
    { x }: Prepared,
    isBackward: boolean,
    step: number,
    more: Readonly<Record<string, Float32Tensor>> = {},
  ): Promise<Readonly<Record<string, TensorData>>> {
    // As they are at the moment of the call: `train` and `eval` may change them while the program is compiled.
    const held = [...namedParameters(this)].map(([name, parameter]) => [name, tensorOf(parameter)] as const);
    const { program, fed } = await this.compiled(isBackward);
    const weights = Object.fromEntries(held.filter(([name]) => fed.has(name)));
    return program.run({ x, ...weights, ...more }, { masks: { seed: this.seed, step, microStep: 0 } });
  }

  /** The program of the mode that the layer is in. A failure is not remembered: the next call tries again. */
  private compiled(isBackward: boolean): Promise<Compiled> {
    const hasUpdate = this.hasUpdate && !this.isMerged;
    const drops = hasUpdate && this.isTraining && this.loraDropout > 0;
    const trained = [...namedParameters(this)].filter(([, { trainable }]) => isBackward && trainable);
    const key = `update:${hasUpdate} dropout:${drops} gradients:${isBackward} ${trained.map(([name]) => name)}`;
    const known = this.programs.get(key);
    if (known) return known;
    const compiled = this.compile(
      hasUpdate,
      isBackward,
      trained.map(([name]) => name),
    );
    this.programs.set(key, compiled);
    compiled.catch(() => {
      if (this.programs.get(key) === compiled) this.programs.delete(key);
    });
    return compiled;
  }

  private async compile(hasUpdate: boolean, isBackward: boolean, trained: readonly string[]): Promise<Compiled> {
    const parameters = namedParameters(this);
    const trace = new Trace(this.isTraining ? "train" : "eval");
    const x = trace.input("x", this.inputDType, this.input);
    const read = (name: string): Tensor =>
      trace.input(name, "float32", (parameters.get(name) as Parameter).symbolicShape);
    const y = this.write(trace, x, hasUpdate, read);
    const outputs = { y, ...(isBackward ? this.written(trace, x, y, trained) : {}) };
    const program = await this.engine.compile(trace, outputs);
    return { program, fed: new Set(trace.inputs.keys()) };
  }

  /** The gradients that a graph has, by name. */
  private written(trace: Trace, x: Tensor, y: Tensor, trained: readonly string[]): Record<string, Tensor> {
    const loss = reduceSum(mul(y, trace.input("gradOutput", "float32", y.shape)));
    const names = [...(this.passesGradient ? ["x"] : []), ...trained].filter((name) => trace.inputs.has(name));
    const found = gradientsOf(
      loss,
      names.map((name) => (name === "x" ? x : (trace.inputs.get(name) as Tensor))),
    );
    return Object.fromEntries(
      names.flatMap((name, at) => (found[at] ? [[`${GRADIENT}${name}`, found[at] as Tensor]] : [])),
    );
  }

  /** What `x` is of. */
  protected get inputDType(): "float32" | "int32" {
    return "float32";
  }

  /** Whether `gradients` has that of `x`. */
  protected get passesGradient(): boolean {
    return true;
  }

  private addUpdate(sign: 1 | -1): void {
    const update = this.update();
    const { shape, data: weight } = tensorOf(this.frozen);
    const data = weight.map((value, index) => value + sign * (update[index] as number));
    this.frozen.setData({ dtype: "float32", shape, data });
  }
}

/** A parameter's elements; they are in memory always here. */
export function tensorOf(parameter: Parameter): Float32Tensor {
  if (parameter.source.kind !== "memory") throw new Error(`${parameter.name} has no elements in memory`);
  return parameter.source.data as Float32Tensor;
}

/** @throws GraftError `invalid-config` for sizes that are no whole numbers from 1 */
export function checkSizes(what: string, sizes: readonly number[]): void {
  if (sizes.every((size) => Number.isSafeInteger(size) && size > 0)) return;
  throw new GraftError("invalid-config", what, "Sizes are whole numbers from 1.");
}
