import { GraftError } from "../errors.js";
import { cast, type Dim, dropout, initializer, input, type Tensor, type TensorSource } from "../graph/index.js";
import type { DType } from "../tensor-data.js";
import type { Parameter } from "./parameter.js";

/** "train": dropout acts. "eval": it does not. */
export type Mode = "train" | "eval";

/** A dropout mask that the step worker makes: uint8 zeros and ones, a function of seed, step and site alone. */
export interface MaskSite {
  /** Name of the graph input. */
  readonly name: string;
  readonly shape: readonly Dim[];
  readonly keepProbability: number;
  /** Position among the trace's sites; part of the random key. */
  readonly site: number;
}

/**
 * One writing of a graph by a module tree. It remembers what the graph reads: the inputs, the parameters
 * (trainable ones become graph inputs, frozen ones initialisers) and the dropout sites.
 */
export class Trace {
  readonly inputs = new Map<string, Tensor>();
  readonly parameters = new Map<Parameter, Tensor>();
  /** What is added to the loss (an adapter's regularisation), by whose it is: once, however often a layer is called. */
  readonly lossTerms = new Map<object, Tensor>();
  readonly masks: MaskSite[] = [];
  /** Whether it continues a text whose earlier tokens are in a cache: what stands at the beginning is there already. */
  continues = false;

  /**
   * @param frozen take trainable parameters as initialisers too (prediction before any training, export): weights stay
   *   in their file, and the engine may prepare them
   */
  constructor(
    readonly mode: Mode,
    private readonly frozen = false,
  ) {}

  /** A tensor that each run is fed; one and the same for one name. */
  input(name: string, dtype: DType, shape: readonly Dim[]): Tensor {
    return remember(this.inputs, name, () => input(name, dtype, shape));
  }

  /** The parameter in force as a float32 tensor of this graph. */
  parameter(parameter: Parameter): Tensor {
    return this.original(parameter.inForce);
  }

  /** The parameter itself, also where a copy stands in for it. */
  original(parameter: Parameter): Tensor {
    return remember(this.parameters, parameter, () =>
      this.isFed(parameter) ? this.fed(parameter) : this.fixed(parameter),
    );
  }

  /** A parameter that runs feed. */
  protected fed({ inputName, symbolicShape }: Parameter): Tensor {
    return input(inputName, "float32", symbolicShape);
  }

  /** A parameter that is built in. */
  protected fixed(parameter: Parameter): Tensor {
    const { name, shape, storage, adjustments } = parameter;
    const dtype = adjustments.length > 0 ? "float32" : storage;
    return cast(initializer(name, { dtype, shape }, elementsOf(parameter)), "float32");
  }

  /** Whether runs feed a parameter from the engine's resident tensors. */
  isFed(parameter: Parameter): boolean {
    return parameter.residency === "slot" || (parameter.trainable && !this.frozen);
  }

  /**
   * Dropout at its own site: in training x * mask / (1 - probability), else x itself.
   * @param x float32
   */
  dropout(x: Tensor, probability: number): Tensor {
    if (this.mode === "eval" || probability === 0) return x;
    return dropout(x, this.randomMask(x.shape, 1 - probability), 1 - probability);
  }

  /**
   * Random zeros and ones at a site of their own, drawn anew for each pass in training.
   * @param keepProbability of a one
   * @returns uint8 of the shape
   */
  randomMask(shape: readonly Dim[], keepProbability: number): Tensor {
    const site = this.masks.length;
    const mask = { name: `dropout.${site}`, shape, keepProbability, site };
    this.masks.push(mask);
    return input(mask.name, "uint8", mask.shape);
  }
}

/** Where the elements in force lie. @throws GraftError `missing-tensor` */
export function elementsOf(parameter: Parameter): TensorSource {
  const adjusted = parameter.adjustments.at(-1)?.elements;
  if (typeof adjusted === "object") return { kind: "memory", data: adjusted };
  if (parameter.isUnsettled) throw new Error(`${parameter.name} was not settled before it was traced`);
  if (parameter.source.kind === "memory" || parameter.source.kind === "file") return parameter.source;
  throw new GraftError(
    "missing-tensor",
    `parameter ${parameter.name} has a shape but no elements`,
    "Load the model from a folder with weights, or initialise it, before running it.",
  );
}

function remember<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  let value = map.get(key);
  if (value === undefined) {
    value = make();
    map.set(key, value);
  }
  return value;
}
