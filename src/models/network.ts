import type { Tensor } from "../graph/index.js";
import { Module, type Parameter, type Trace } from "../nn/index.js";
import type { ModelConfig } from "./config.js";
import type { InputName, InputRules, OutputName } from "./inputs.js";

export type NetworkInputs = { readonly [K in InputName]?: Tensor };
export type NetworkOutputs = { readonly [K in OutputName]?: Tensor };

/** What lives in a network without being part of its module tree: an adapter. */
export interface Guest {
  /** The parameters that graphs read while it acts; none while it does not. Stand-ins of the tree's parameters aside. */
  parameters(): Iterable<Parameter>;
}

/** The root of a model's module tree: what it reads, and the graph it writes. Paths are those of transformers 4. */
export abstract class Network extends Module {
  abstract readonly config: ModelConfig;
  /** The class of transformers that loads the weights, for config.json. */
  abstract readonly className: string;
  /** What this network reads, labels aside. */
  abstract readonly inputs: InputRules;
  /** Whether it takes labels and gives a loss. */
  abstract readonly hasHead: boolean;
  /** Adapters that live in it. */
  readonly guests = new Set<Guest>();

  /** Writes the graph. Which outputs there are depends on the network and on whether labels are given. */
  abstract forward(trace: Trace, inputs: NetworkInputs): NetworkOutputs;

  /** The parameters that graphs read now: the tree's, or what stands in for them, then those of acting guests. */
  *parametersInForce(): Generator<Parameter> {
    for (const parameter of this.parameters()) yield parameter.inForce;
    for (const guest of this.guests) yield* guest.parameters();
  }
}
