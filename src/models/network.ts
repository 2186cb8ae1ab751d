import { GraftError } from "../errors.js";
import type { Tensor } from "../graph/index.js";
import { Module, type Trace } from "../nn/index.js";
import type { ModelConfig } from "./config.js";
import type { Head } from "./heads/head.js";
import type { NetworkInputs, NetworkOutputs, Ports } from "./ports.js";

/** The root of a model's module tree: what it reads, and the graph it writes. Paths are those of transformers 4. */
export abstract class Network extends Module {
  abstract readonly config: ModelConfig;
  /** The class of transformers that loads the weights, for config.json. */
  abstract readonly className: string;
  /** What this network reads, labels aside. */
  abstract readonly inputs: Ports;
  /** What it learns from labels; null for a model without a head, which takes none. */
  abstract readonly head: Head | null;
  /** Tokens that adapters put before a sequence; they take positions, so that as many fewer are left for the text. */
  readonly virtualTokens?: number;

  /** Writes the graph. Which outputs there are depends on the network and on whether labels are given. */
  abstract forward(trace: Trace, inputs: NetworkInputs): NetworkOutputs;
}

/** An input that the network cannot do without. */
export function requireInput(inputs: NetworkInputs, name: string): Tensor {
  const tensor = inputs[name];
  if (tensor) return tensor;
  throw new GraftError("invalid-argument", `the model needs the input ${name}`, `Add ${name} to the inputs.`);
}
