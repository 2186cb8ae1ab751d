import { GraftError } from "../../errors.js";
import type { Dim } from "../../graph/index.js";
import type { Network } from "../../models/index.js";
import { Linear, type Module, type Parameter } from "../../nn/index.js";
import type { MixHost } from "../tuner.js";
import { Adapter } from "./adapter.js";
import { AdapterHost, type Compute } from "./adapter-host.js";
import { bankOf, RowwiseLinear } from "./row-banks.js";

/** What a row takes that takes no adapter (PEFT's name). */
export const BASE = "__base__";

function unsupported(message: string): GraftError {
  return new GraftError("unsupported", message, "Let each adapter act alone, one batch at a time.");
}

/** @throws GraftError `unsupported` naming an adapter, chosen or not, that changes what all rows read */
function checkShared(loaded: Iterable<Adapter>): void {
  for (const { name, adjusted, copies } of loaded) {
    const changed = adjusted[0]?.parameter ?? copies.find(({ isPersistent }) => isPersistent)?.original;
    if (changed === undefined) continue;
    throw new GraftError(
      "unsupported",
      `rows cannot choose among adapters while ${name} is loaded: it changes ${changed.name}, which all rows share`,
      "Delete that adapter first (deleteAdapter). PiSSA and OLoRA can be saved as a plain LoRA, which changes no weight.",
    );
  }
}

/** @throws GraftError `unsupported` naming the adapter and why rows cannot choose it */
function checkMixable(adapters: readonly Adapter[]): void {
  const [first] = adapters;
  for (const { name, tuner, isMerged } of adapters) {
    if (isMerged) throw unsupported(`rows cannot choose among adapters while ${name} is merged into the weights`);
    if (tuner.mix === undefined)
      throw unsupported(`rows cannot choose the adapter ${name}: ${tuner.type} mixes no rows`);
    if (tuner !== first?.tuner) throw unsupported(`the adapters ${first?.name} and ${name} are of different methods`);
  }
}

/** The Linear that reads a saved parameter. @throws GraftError `unsupported` for a module of another kind */
function savedLinear(network: Network, original: Parameter): Linear {
  const owner = [...network.modules()].find((module) => [...module.ownParameters.values()].includes(original));
  if (owner instanceof Linear) return owner;
  throw unsupported(
    `adapters have their own ${original.name}, and rows can choose among linear layers only, not a ${owner?.constructor.name}`,
  );
}

/**
 * Several adapters of one method of which every row of a batch takes its own: their tensors lie in banks, and a row's
 * part is gathered by its index.
 */
export class MixedBatch {
  private readonly guest: Adapter;
  private readonly made: readonly object[];

  constructor(
    private readonly network: Network,
    private readonly adapters: readonly Adapter[],
    namesOf: (path: string) => readonly string[],
    compute: Compute,
    loaded: Iterable<Adapter>,
  ) {
    checkMixable(adapters);
    checkShared(loaded);
    const { tuner, config } = adapters[0] as Adapter;
    this.made = this.contents();
    this.guest = new Adapter("mixed", tuner, config, false);
    const host = new Banks(network, this.guest, namesOf, compute, adapters);
    try {
      const mixed = adapters.map(({ name, config, own }) => ({ name, config, parameters: own }));
      tuner.mix?.(host, mixed);
      this.mixSaved(host);
    } catch (error) {
      this.guest.undo();
      throw error;
    }
    network.guests.add(this.guest);
    this.guest.act(null);
  }

  /** Whether it is made of these adapters as they are now. */
  isOf(adapters: readonly Adapter[]): boolean {
    const contents = this.contents();
    return (
      adapters.length === this.adapters.length &&
      adapters.every((adapter, position) => adapter === this.adapters[position]) &&
      contents.every((content, position) => content === this.made[position])
    );
  }

  /** Bytes of the banks. */
  get bytes(): number {
    return this.guest.everything().reduce((sum, { elementCount }) => sum + elementCount * 4, 0);
  }

  /** Makes the banks' elements, so that the next call needs to wait for nothing. */
  async settle(): Promise<void> {
    for (const parameter of this.guest.everything()) await parameter.settle();
  }

  /** Lets the banks act, until the returned function is called. */
  act(): () => void {
    this.guest.act(0);
    return () => this.guest.act(null);
  }

  /** Takes it out of the network. @returns its parameters, which the engine may forget */
  remove(): Parameter[] {
    this.network.guests.delete(this.guest);
    this.guest.undo();
    return this.guest.everything();
  }

  private contents(): object[] {
    return this.adapters.flatMap((adapter) => adapter.everything().map(({ content }) => content));
  }

  /** Rows take their own adapter's saved layers, too; of an adapter without them, the base's. */
  private mixSaved(host: Banks): void {
    const originals = new Set(this.adapters.flatMap(({ copies }) => copies.map(({ original }) => original)));
    const layers = new Set([...originals].map((original) => savedLinear(this.network, original)));
    for (const { path, weight, bias } of layers) {
      const bank = (original: Parameter, key: string) =>
        host.bankOfAll(
          key,
          [original, ...this.adapters.map((adapter) => adapter.copyOf(original) ?? original)],
          original.shape,
        );
      const weights = bank(weight, `${path}.weights`);
      const biases = bias ? bank(bias, `${path}.biases`) : null;
      const module = this.network.find(path) as Module;
      host.wrap(module, (base) => new RowwiseLinear(base, this.guest, weights, biases));
    }
  }
}

/** A host whose parameters are banks. */
class Banks extends AdapterHost implements MixHost {
  constructor(
    network: Network,
    guest: Adapter,
    namesOf: (path: string) => readonly string[],
    compute: Compute,
    private readonly adapters: readonly Adapter[],
  ) {
    super(network, guest, namesOf, compute, null);
  }

  bank(key: string, symbolicShape: readonly Dim[]): Parameter {
    const own = this.adapters.map((adapter) => adapter.own.get(key) ?? null);
    const shapes = own.flatMap((parameter) => (parameter ? [parameter.shape] : []));
    const largest = (shapes[0] ?? []).map((_, axis) => Math.max(...shapes.map((shape) => shape[axis] as number)));
    return this.bankOfAll(key, [null, ...own], largest, symbolicShape);
  }

  /** A bank of parameters, the base's first. */
  bankOfAll(
    key: string,
    parameters: readonly (Parameter | null)[],
    shape: readonly number[],
    symbolicShape: readonly Dim[] = shape,
  ): Parameter {
    const bank = this.parameter(`${key}.bank`, [parameters.length, ...shape], {
      trainable: false,
      isSaved: false,
      symbolicShape: () => ["adapters", ...symbolicShape],
    });
    bank.source = { kind: "made", make: () => bankOf(parameters, shape) };
    return bank;
  }
}
