import { GraftError } from "../errors.js";
import type { Tensor } from "../graph/index.js";
import { Module, type Parameter, type Sites, type Trace, type TransformerLayer } from "../nn/index.js";
import type { ModelConfig } from "./config.js";
import type { Head } from "./heads/head.js";
import { type NameScheme, oneSpelling } from "./module-names.js";
import type { NetworkInputs, NetworkOutputs, Ports } from "./ports.js";

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
  abstract readonly inputs: Ports;
  /** What it learns from labels; null for a model without a head, which takes none. */
  abstract readonly head: Head | null;
  /** How its parts are called in files and in other versions of transformers: its architecture's. */
  names: NameScheme = oneSpelling();
  /** Adapters that live in it. */
  readonly guests = new Set<Guest>();

  /** Writes the graph. Which outputs there are depends on the network and on whether labels are given. */
  abstract forward(trace: Trace, inputs: NetworkInputs): NetworkOutputs;

  /** The parameters that graphs read now: the tree's, or what stands in for them, then those of acting guests. */
  *parametersInForce(): Generator<Parameter> {
    for (const parameter of this.parameters()) yield parameter.inForce;
    for (const guest of this.guests) yield* guest.parameters();
  }

  /** The layers of the stack, the first first. */
  get layers(): readonly (Module & TransformerLayer)[] {
    return this.body.layers;
  }

  /** Where vectors enter the first layer. */
  get embeddingSites(): Sites {
    return this.body.embeddingSites;
  }

  /** Whether it reads tokens, so that vectors can stand before them. */
  get readsTokens(): boolean {
    return "inputIds" in this.inputs;
  }

  /** What all that acts at sites means for the graph; "" where nothing does. */
  siteSignature(): string {
    const layers = this.layers.map(({ index, sites }) => [index, sites.signature()] as const);
    const signatures = [["embeddings", this.embeddingSites.signature()] as const, ...layers];
    return signatures
      .filter(([, signature]) => signature !== "")
      .map(([place, signature]) => `${place}(${signature})`)
      .join();
  }

  /** How many positions stand before a sequence's own, as tokens or as keys: the longest sequence is shorter by them. */
  get virtualTokens(): number {
    return this.embeddingSites.virtualTokens + this.prefixLength;
  }

  /**
   * Keys before all tokens, as the first layer has them. Models that number positions count them, as if they were tokens
   * that came earlier (as transformers does with a past).
   */
  protected get prefixLength(): number {
    return this.layers[0]?.sites.virtualTokens ?? 0;
  }

  /** The network below this head. A network without one overrides `layers` and `embeddingSites`. */
  private get body(): Network {
    for (const child of this.children.values()) if (child instanceof Network) return child;
    throw new Error(`${this.className} has neither layers nor a network that has them`);
  }
}

/** An input that the network cannot do without. */
export function requireInput(inputs: NetworkInputs, name: string): Tensor {
  const tensor = inputs[name];
  if (tensor) return tensor;
  throw new GraftError("invalid-argument", `the model needs the input ${name}`, `Add ${name} to the inputs.`);
}
