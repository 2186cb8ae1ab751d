import { GraftError } from "../errors.js";
import { type Dim, dropout, initializer, input, type Tensor, type TensorSource } from "../graph/index.js";
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
  readonly scalars = new Map<string, Tensor>();
  readonly masks: MaskSite[] = [];

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

  /** A resident float32 scalar (a LoRA scale): changing it needs no new graph. */
  scalar(name: string): Tensor {
    return remember(this.scalars, name, () => input(name, "float32", []));
  }

  /** The parameter as a tensor of this graph. */
  parameter(parameter: Parameter): Tensor {
    return remember(this.parameters, parameter, () => {
      const { name, symbolicShape: shape } = parameter;
      // A named dimension (an adapter's rank) is known only when the parameter is fed.
      const isFed = (parameter.trainable && !this.frozen) || shape.some((dim) => typeof dim === "string");
      if (isFed) return input(name, "float32", shape);
      return initializer(name, { dtype: "float32", shape }, elementsOf(parameter));
    });
  }

  /**
   * Dropout at its own site: in training x * mask / (1 - probability), else x itself.
   * @param x float32
   */
  dropout(x: Tensor, probability: number): Tensor {
    if (this.mode === "eval" || probability === 0) return x;
    const site = this.masks.length;
    const keepProbability = 1 - probability;
    const mask = { name: `dropout.${site}`, shape: x.shape, keepProbability, site };
    this.masks.push(mask);
    return dropout(x, input(mask.name, "uint8", mask.shape), keepProbability);
  }
}

function elementsOf(parameter: Parameter): TensorSource {
  if (parameter.override) return { kind: "memory", data: parameter.override };
  if (parameter.source.kind !== "shape") return parameter.source;
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
