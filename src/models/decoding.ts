import { addDims, type Dim, multiplyDims, pad, type Tensor } from "../graph/index.js";
import { Cache, type LayerPast, type Trace } from "../nn/index.js";
import { CausalLM } from "./architectures/decoder.js";
import type { Network } from "./network.js";
import type { StatefulGraph } from "./runner.js";

/** The graphs of generation, and what they keep in the engine. */
export interface Decoding {
  /**
   * Reads prompts: `input_ids` and `attention_mask` [batch, sequence], `position_ids` where `countsTokens`, and `visible`
   * [batch, capacity], which says how long the cache is to be. Gives `logits` [batch, vocabSize] of the last position and
   * makes the cache.
   */
  readonly begin: StatefulGraph;
  /**
   * Reads one more token of each row: `input_ids` and `position_ids` [batch, 1], `visible` [batch, capacity] (1 where the
   * cache holds a token that is seen), `place` [1] where `hasWindows`. It writes into the cache at the run's
   * `stateOffset`.
   */
  readonly next: StatefulGraph;
  /** Names of the cache's residents. */
  readonly slots: readonly string[];
  /** Whether `next` is told where its token stands. */
  readonly hasWindows: boolean;
  /** Whether positions are given, which count tokens alone; where virtual tokens are, all positions count. */
  readonly countsTokens: boolean;
  /** Positions in the cache before a prompt's own. */
  readonly virtualTokens: number;
  readonly vocabSize: number;
  /** The longest text, virtual tokens included. */
  readonly longest: number;
}

const kinds = ["keys", "values"] as const;

const slotOf = (layer: number, kind: keyof LayerPast): string => `past.${layer}.${kind}`;
const outputOf = (layer: number, kind: keyof LayerPast): string => `present.${layer}.${kind}`;

/** A network that can generate; undefined for another one. */
export function causalLMOf(network: Network): CausalLM | undefined {
  return network instanceof CausalLM ? network : undefined;
}

/** What each layer wrote, by output name. */
function presentOf(written: readonly LayerPast[], change: (x: Tensor) => Tensor): Record<string, Tensor> {
  return Object.fromEntries(
    written.flatMap((layer, index) => kinds.map((kind) => [outputOf(index, kind), change(layer[kind])])),
  );
}

function stateOf(layers: number, axis: { readonly axis?: number }) {
  const targets = Array.from({ length: layers }, (_, layer) =>
    kinds.map((kind) => [outputOf(layer, kind), { slot: slotOf(layer, kind), ...axis }] as const),
  );
  return Object.fromEntries(targets.flat());
}

/** An input that every run is given. */
const whole = (trace: Trace, name: string, shape: readonly Dim[]): Tensor => trace.input(name, "int32", shape);

function beginGraph(network: CausalLM, countsTokens: boolean): StatefulGraph {
  return {
    name: `begin:${countsTokens}`,
    purpose: "prediction",
    write(trace) {
      const shape = ["batch", "sequence"];
      whole(trace, "visible", ["batch", "capacity"]);
      const inputs = {
        inputIds: whole(trace, "input_ids", shape),
        attentionMask: whole(trace, "attention_mask", shape),
        ...(countsTokens && { positionIds: whole(trace, "position_ids", shape) }),
      };
      const { logits, written } = network.next(trace, inputs, new Cache());
      const toCapacity = (x: Tensor): Tensor => pad(x, 2, 0, addDims("capacity", multiplyDims(x.shape[2] as Dim, -1)));
      return { outputs: { logits, ...presentOf(written, toCapacity) }, state: stateOf(written.length, {}) };
    },
  };
}

function nextGraph(network: CausalLM, hasWindows: boolean): StatefulGraph {
  return {
    name: "next",
    purpose: "generation",
    write(trace) {
      const { numKeyValueHeads, headDim, windows } = network.config;
      const cache = ["batch", numKeyValueHeads, "capacity", headDim];
      const layers = windows.map((_, layer) => ({
        keys: trace.input(slotOf(layer, "keys"), "float32", cache),
        values: trace.input(slotOf(layer, "values"), "float32", cache),
      }));
      const visible = whole(trace, "visible", ["batch", "capacity"]);
      const place = hasWindows ? whole(trace, "place", [1]) : null;
      const inputs = {
        inputIds: whole(trace, "input_ids", ["batch", 1]),
        positionIds: whole(trace, "position_ids", ["batch", 1]),
      };
      const { logits, written } = network.next(trace, inputs, new Cache({ layers, visible, place }));
      return {
        outputs: { logits, ...presentOf(written, (x) => x) },
        state: stateOf(written.length, { axis: 2 }),
      };
    },
  };
}

/** How a language model generates, with what acts in it now. */
export function decodingOf(network: CausalLM): Decoding {
  const { windows, vocabSize, maxPositionEmbeddings: longest } = network.config;
  const hasWindows = windows.some((window) => window !== null);
  const countsTokens = network.virtualTokens === 0;
  return {
    begin: beginGraph(network, countsTokens),
    next: nextGraph(network, hasWindows),
    slots: windows.flatMap((_, layer) => kinds.map((kind) => slotOf(layer, kind))),
    hasWindows,
    countsTokens,
    virtualTokens: network.embeddingSites.virtualTokens,
    vocabSize,
    longest: longest - (network.virtualTokens - network.embeddingSites.virtualTokens),
  };
}
