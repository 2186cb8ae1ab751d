import { GraftError } from "../../errors.js";
import { type Bindings, emptyBindings } from "../../graph/bindings.js";
import type { TensorData } from "../../tensor-data.js";
import type { Binding } from "../definition.js";
import type { GradientAccumulators } from "./accumulators.js";
import { bindTensors, type CheckedInput } from "./feeds.js";
import { gradientPrefix, type ResidentTensors } from "./residents.js";

/** Bindings that a program remembers. Another one more is checked again, which takes a fraction of a millisecond. */
const remembered = 64;

/** One way of filling a program's slots, checked against its declarations. */
export interface BoundSlots {
  /** Slot and resident name. */
  readonly names: readonly (readonly [slot: string, resident: string])[];
  /** The named dimensions that these residents give. */
  readonly dims: Bindings;
}

/**
 * Fills a program's slots from the resident tensors, and from the gradient sums, which are called `gradient:` and the
 * name of the resident. A binding is checked once, and again only after a tensor was set or
 * removed. Tensors themselves are not remembered, so that one that is removed is free at once.
 */
export class ResidentFeeds {
  private readonly checked = new Map<string, BoundSlots>();
  private readonly slotNames: ReadonlySet<string>;
  private version = -1;

  constructor(
    private readonly slots: readonly CheckedInput[],
    stateSlots: readonly string[],
    private readonly residents: ResidentTensors,
    private readonly gradients: GradientAccumulators,
  ) {
    this.slotNames = new Set([...slots.map(({ name }) => name), ...stateSlots]);
  }

  /** @throws GraftError `missing-tensor`, `dtype-mismatch`, `shape-mismatch`; `invalid-argument` for unknown slots */
  bind(binding: Binding = {}): BoundSlots {
    if (this.version !== this.residents.version) this.checked.clear();
    this.version = this.residents.version;
    const key = JSON.stringify(binding);
    const known = this.checked.get(key);
    if (known !== undefined) return known;
    const bound = this.check(binding);
    const oldest = this.checked.size >= remembered ? this.checked.keys().next().value : undefined;
    if (oldest !== undefined) this.checked.delete(oldest);
    this.checked.set(key, bound);
    return bound;
  }

  /** The tensors by slot, as they are now. */
  feeds({ names }: BoundSlots): Record<string, TensorData> {
    const feeds: Record<string, TensorData> = {};
    for (const [slot, resident] of names) feeds[slot] = this.tensor(resident, slot);
    return feeds;
  }

  /** The resident that fills a slot. */
  residentOf(slot: string, binding: Binding = {}): string {
    return Object.hasOwn(binding, slot) ? (binding[slot] as string) : slot;
  }

  private tensor(name: string, slot: string): TensorData {
    if (!name.startsWith(gradientPrefix)) return this.residents.get(name, slot);
    const trained = name.slice(gradientPrefix.length);
    const sum = this.gradients.get(trained);
    if (sum !== undefined) return sum;
    throw new GraftError(
      "missing-tensor",
      `there is no gradient of "${trained}" for slot "${slot}"`,
      "Accumulate one first: gradients are there until the optimiser's step clears them.",
    );
  }

  private check(binding: Binding): BoundSlots {
    const unknown = Object.keys(binding).filter((slot) => !this.slotNames.has(slot));
    if (unknown.length > 0) {
      throw new GraftError(
        "invalid-argument",
        `the program has no slot ${unknown.map((slot) => `"${slot}"`).join(", ")}`,
        `Its slots are: ${[...this.slotNames].join(", ") || "none"}.`,
      );
    }
    const inputs = this.slots.map((slot) => {
      const resident = this.residentOf(slot.name, binding);
      const label = resident === slot.name ? slot.label : `slot "${slot.name}", filled by resident "${resident}",`;
      return { ...slot, label, resident };
    });
    const residentOf = new Map(inputs.map(({ name, resident }) => [name, resident]));
    const dims = emptyBindings();
    bindTensors(inputs, (slot) => this.tensor(residentOf.get(slot) as string, slot), dims);
    return { names: [...residentOf], dims };
  }
}
