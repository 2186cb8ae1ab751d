import { platform } from "#platform";
import { GraftError } from "../../errors.js";
import { copyBindings } from "../../graph/bindings.js";
import type { TensorData } from "../../tensor-data.js";
import type { Session } from "../backends/types.js";
import { copyTensor } from "../copy-tensor.js";
import type { Binding, ProgramDefinition } from "../definition.js";
import type { AccumulateResult, Feeding } from "../protocol.js";
import type { GradientAccumulators } from "./accumulators.js";
import { bindTensors, type CheckedInput, checkNames, prepareInput } from "./feeds.js";
import { MaskMaker } from "./masks.js";
import { ResidentFeeds } from "./resident-feeds.js";
import type { ResidentTensors } from "./residents.js";
import { type Destination, ProgramState } from "./state.js";

type Tensors = Record<string, TensorData>;

/** A compiled program inside the worker: gathers feeds, runs the session, keeps the gradients. */
export class ProgramCore {
  private readonly givenInputs: readonly CheckedInput[];
  private readonly slots: ResidentFeeds;
  private readonly state: ProgramState;
  /** Outputs that a run may return. */
  private readonly outputs: readonly string[];
  private readonly masks: MaskMaker | undefined;

  constructor(
    private readonly definition: ProgramDefinition,
    private readonly session: Session,
    residents: ResidentTensors,
    private readonly accumulators: GradientAccumulators,
  ) {
    const resident = new Set(definition.resident);
    const masked = new Set(definition.masks.map((mask) => mask.name));
    const inputs = definition.inputs.map(prepareInput);
    this.givenInputs = inputs.filter(({ name }) => !resident.has(name) && !masked.has(name));
    const slots = inputs.filter(({ name }) => resident.has(name));
    const { state = {} } = definition;
    const stateSlots = Object.values(state).map(({ slot }) => slot);
    this.slots = new ResidentFeeds(slots, stateSlots, residents, accumulators);
    this.state = new ProgramState(state, residents);
    this.outputs = definition.outputs.filter((name) => !Object.hasOwn(state, name));
    const dtypes = new Map(inputs.map(({ name, dtype }) => [name, dtype === "bool" ? "bool" : "uint8"] as const));
    this.masks = masked.size > 0 ? new MaskMaker(definition.masks, (name) => dtypes.get(name) ?? "uint8") : undefined;
  }

  /** Runs the graph and keeps its state; `fetch` defaults to all outputs that are no state. */
  async run(feeding: Feeding, fetch: readonly string[] = this.outputs): Promise<Tensors> {
    this.checkFetches(fetch);
    return this.pass(this.feeds(feeding), feeding, fetch);
  }

  /**
   * Runs forward and backward and adds the gradients, times `weight`, to the accumulators: under the names of the
   * residents that fill the slots.
   */
  async accumulate(feeding: Feeding, weight: number, fetch: readonly string[]): Promise<AccumulateResult> {
    const began = platform.now();
    const { loss: lossName, gradients } = this.definition;
    if (lossName === undefined || gradients === undefined) {
      throw new GraftError(
        "invalid-argument",
        "this program has no gradients to accumulate",
        "Compile a training program, with `loss` and `gradients` in its definition.",
      );
    }
    this.checkFetches(fetch);
    const feeds = this.feeds(feeding);
    const fetches = [...new Set([lossName, ...Object.values(gradients), ...fetch])];
    const runBegan = platform.now();
    const results = await this.pass(feeds, feeding, fetches);
    const engineMs = platform.now() - runBegan;
    const loss = Number(results[lossName]?.data[0]);
    // Taken before the gradients: those arrays become (and are scaled as) the accumulators.
    const kept = new Set(Object.values(gradients));
    const outputs = Object.fromEntries(
      fetch.map((name) => {
        const tensor = results[name] as TensorData;
        return [name, kept.has(name) ? copyTensor(tensor) : tensor];
      }),
    );
    this.accumulators.noteLoss(loss, this.gradientNames(feeding.bind));
    for (const [slot, output] of Object.entries(gradients)) {
      this.accumulators.add(this.slots.residentOf(slot, feeding.bind), results[output] as TensorData, weight);
    }
    return { loss, outputs, timing: { engineMs, totalMs: platform.now() - began } };
  }

  /** The resident tensors that this program gives gradients of; each once, whichever slots it fills. */
  gradientNames(binding: Binding | undefined): string[] {
    const slots = Object.keys(this.definition.gradients ?? {});
    return [...new Set(slots.map((slot) => this.slots.residentOf(slot, binding)))];
  }

  /**
   * Checks what a run for the sake of its state would be fed with, so that it is refused before anything has changed.
   * @throws GraftError as `run`
   */
  check(feeding: Feeding): void {
    if (this.state.outputs.length === 0) {
      throw new GraftError(
        "invalid-argument",
        "a program that runs after a step has no state: nothing would come of it",
        "Name the outputs that stay as `state` in its definition.",
      );
    }
    this.feeds(feeding);
    this.destinations(feeding);
  }

  release(): Promise<void> {
    return this.session.release();
  }

  private destinations({ bind, stateOffset }: Feeding): Destination[] {
    return this.state.destinations((slot) => this.slots.residentOf(slot, bind), stateOffset);
  }

  private async pass(feeds: Tensors, feeding: Feeding, fetches: readonly string[]): Promise<Tensors> {
    const destinations = this.destinations(feeding);
    const results = await this.session.run(feeds, [...fetches, ...this.state.outputs]);
    this.state.keep(results, destinations);
    return results;
  }

  private checkFetches(fetch: readonly string[]): void {
    const unknown = fetch.filter((name) => !this.outputs.includes(name));
    if (unknown.length === 0) return;
    const stays = this.state.outputs.length > 0 ? " State stays in the engine: getResident copies it." : "";
    throw new GraftError(
      "invalid-argument",
      `the program returns no output ${unknown.map((name) => `"${name}"`).join(", ")}`,
      `Its outputs are: ${this.outputs.join(", ")}.${stays}`,
    );
  }

  private feeds({ inputs, masks: maskKey, bind }: Feeding): Tensors {
    const bound = this.slots.bind(bind);
    checkNames(this.givenInputs, inputs);
    const bindings = copyBindings(bound.dims);
    bindTensors(this.givenInputs, (name) => inputs[name] as TensorData, bindings);
    const feeds = Object.assign(this.slots.feeds(bound), inputs);
    if (this.masks !== undefined) {
      if (maskKey === undefined) {
        throw new GraftError(
          "invalid-argument",
          "the program has dropout masks and was run without a key for them",
          "Give masks: { seed, step, microStep }.",
        );
      }
      this.masks.fill(feeds, maskKey, bindings.values);
    }
    return feeds;
  }
}
