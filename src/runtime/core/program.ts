import { platform } from "#platform";
import { GraftError } from "../../errors.js";
import { type Bindings, copyBindings, emptyBindings } from "../../graph/bindings.js";
import type { TensorData } from "../../tensor-data.js";
import type { Session } from "../backends/types.js";
import { copyTensor } from "../copy-tensor.js";
import type { MaskKey, ProgramDefinition } from "../definition.js";
import type { AccumulateResult } from "../protocol.js";
import type { GradientAccumulators } from "./accumulators.js";
import { bindTensors, type CheckedInput, checkNames, prepareInput } from "./feeds.js";
import { MaskMaker } from "./masks.js";
import type { ResidentTensors } from "./residents.js";

type Tensors = Record<string, TensorData>;

/** A compiled program inside the worker: gathers feeds, runs the session, keeps the gradients. */
export class ProgramCore {
  private readonly givenInputs: readonly CheckedInput[];
  private readonly residentInputs: readonly CheckedInput[];
  private readonly masks: MaskMaker | undefined;
  private residentFeeds: Tensors = {};
  private residentBindings: Bindings = emptyBindings();
  private residentVersion = -1;

  constructor(
    private readonly definition: ProgramDefinition,
    private readonly session: Session,
    private readonly residents: ResidentTensors,
    private readonly accumulators: GradientAccumulators,
  ) {
    const resident = new Set(definition.resident);
    const masked = new Set(definition.masks.map((mask) => mask.name));
    const inputs = definition.inputs.map(prepareInput);
    this.givenInputs = inputs.filter(({ name }) => !resident.has(name) && !masked.has(name));
    this.residentInputs = inputs.filter(({ name }) => resident.has(name));
    const dtypes = new Map(inputs.map(({ name, dtype }) => [name, dtype === "bool" ? "bool" : "uint8"] as const));
    this.masks = masked.size > 0 ? new MaskMaker(definition.masks, (name) => dtypes.get(name) ?? "uint8") : undefined;
  }

  /** Runs the graph; `fetch` defaults to all declared outputs. */
  async run(inputs: Tensors, maskKey: MaskKey | undefined, fetch: readonly string[] | undefined): Promise<Tensors> {
    const fetches = fetch ?? this.definition.outputs;
    this.checkFetches(fetches);
    return this.session.run(this.feeds(inputs, maskKey), fetches);
  }

  /** Runs forward and backward and adds the gradients, times `weight`, to the accumulators. */
  async accumulate(
    inputs: Tensors,
    maskKey: MaskKey | undefined,
    weight: number,
    fetch: readonly string[],
  ): Promise<AccumulateResult> {
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
    const feeds = this.feeds(inputs, maskKey);
    const fetches = [...new Set([lossName, ...Object.values(gradients), ...fetch])];
    const runBegan = platform.now();
    const results = await this.session.run(feeds, fetches);
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
    this.accumulators.noteLoss(loss, this.gradientNames());
    for (const parameter in gradients) {
      this.accumulators.add(parameter, results[gradients[parameter] as string] as TensorData, weight);
    }
    return { loss, outputs, timing: { engineMs, totalMs: platform.now() - began } };
  }

  /** The resident tensors that this program gives gradients of. */
  gradientNames(): string[] {
    return Object.keys(this.definition.gradients ?? {});
  }

  release(): Promise<void> {
    return this.session.release();
  }

  private checkFetches(fetch: readonly string[]): void {
    const unknown = fetch.filter((name) => !this.definition.outputs.includes(name));
    if (unknown.length === 0) return;
    throw new GraftError(
      "invalid-argument",
      `the program has no output ${unknown.map((name) => `"${name}"`).join(", ")}`,
      `Its outputs are: ${this.definition.outputs.join(", ")}.`,
    );
  }

  private feeds(inputs: Tensors, maskKey: MaskKey | undefined): Tensors {
    this.refreshResidents();
    checkNames(this.givenInputs, inputs);
    const bindings = copyBindings(this.residentBindings);
    bindTensors(this.givenInputs, (name) => inputs[name] as TensorData, bindings);
    const feeds = { ...this.residentFeeds, ...inputs };
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

  /** Resident tensors are looked up and checked again only when one was set or removed. */
  private refreshResidents(): void {
    if (this.residentVersion === this.residents.version) return;
    const bindings = emptyBindings();
    bindTensors(this.residentInputs, (name) => this.residents.get(name), bindings);
    this.residentFeeds = Object.fromEntries(this.residentInputs.map(({ name }) => [name, this.residents.get(name)]));
    this.residentBindings = bindings;
    this.residentVersion = this.residents.version;
  }
}
