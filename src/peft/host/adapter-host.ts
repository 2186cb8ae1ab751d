import { GraftError } from "../../errors.js";
import type { Tensor } from "../../graph/index.js";
import { type ModelConfig, type Network, readSource } from "../../models/index.js";
import {
  type Attachment,
  innermost,
  type Module,
  Parameter,
  type SiteName,
  type Sites,
  type Trace,
  Wrapper,
} from "../../nn/index.js";
import type { TensorData } from "../../tensor-data.js";
import type { NamedModule } from "../matching/named-module.js";
import type { Beginning, CopyOptions, Host, OwnedOptions } from "../tuner.js";
import type { Adapter } from "./adapter.js";

/** Who puts merged weights before a parameter's own. */
export const MERGE = "merge";

/** `a.b.weight` of the adapter "french" as `a.b.french.weight`, as PEFT calls it in memory. */
function nameOf(key: string, adapter: string): string {
  const end = /\.(weight|bias)$/.exec(key);
  return end ? `${key.slice(0, end.index)}.${adapter}${end[0]}` : `${key}.${adapter}`;
}

/** Puts a module in another one's place below a network. */
function replace(network: Network, old: Module, replacement: Module): void {
  const end = old.path.lastIndexOf(".");
  const parent = network.find(old.path.slice(0, Math.max(end, 0)));
  if (parent) innermost(parent).replaceChild(old.path.slice(end + 1), replacement);
}

/** Takes one wrapper out of those that stand around a module. */
function unwrap(network: Network, wrapper: Wrapper): void {
  const outermost = network.find(wrapper.path);
  if (outermost === wrapper) replace(network, wrapper, wrapper.base);
  for (let outer = outermost; outer instanceof Wrapper; outer = outer.base) {
    if (outer.base === wrapper) outer.base = wrapper.base;
  }
}

/** All modules below the root of a network with their names; those without a name are left out. */
export function namedModules(network: Network, namesOf: (path: string) => readonly string[]): NamedModule[] {
  const below = [...network.modules()].filter((module) => module.path !== "" && !(module instanceof Wrapper));
  const named = below.map((module) => ({ module, names: namesOf(module.path) }));
  return named.filter(({ names }) => names.length > 0);
}

/** Runs a graph over the network's parameters. @returns what `write` names */
export type Compute = (write: (trace: Trace) => Record<string, Tensor>) => Promise<Record<string, TensorData>>;

/** Edits a network for one adapter, and remembers how to take each edit back. */
export class AdapterHost implements Host {
  constructor(
    readonly network: Network,
    readonly acting: Adapter,
    private readonly namesOf: (path: string) => readonly string[],
    readonly compute: Compute,
    readonly beginning: Beginning | null,
  ) {}

  get adapter(): string {
    return this.acting.name;
  }

  get config(): ModelConfig {
    return this.network.config;
  }

  modules(): NamedModule[] {
    return namedModules(this.network, this.namesOf);
  }

  parameter(key: string, shape: readonly number[], options: OwnedOptions = {}): Parameter {
    const { isSaved = true, isCounted = true, symbolicShape, made, madeBy, madeFrom = [], ...others } = options;
    const parameter = new Parameter(shape, { ...others, residency: "slot", owner: this.adapter });
    parameter.name = nameOf(key, this.adapter);
    this.acting.own.set(key, parameter);
    if (symbolicShape) this.acting.shapes.set(parameter, symbolicShape);
    const make = made ? () => this.make(made, madeFrom) : madeBy;
    if (make) parameter.source = { kind: "made", make };
    if (!isSaved || parameter.isSetting) this.acting.unsaved.add(key);
    if (!isCounted || parameter.isSetting) this.acting.uncounted.add(parameter);
    if (parameter.trainable) this.acting.trainedKeys.add(key);
    return parameter;
  }

  product(key: string, shape: readonly number[], write: (trace: Trace) => Tensor): void {
    const parameter = new Parameter(shape, { trainable: false, owner: this.adapter });
    parameter.name = nameOf(key, this.adapter);
    this.acting.products.set(key, { parameter, make: () => this.make(write, [...this.acting.own.values()]) });
  }

  private async make(write: (trace: Trace) => Tensor, from: readonly Parameter[]): Promise<TensorData<"float32">> {
    for (const parameter of from) await parameter.settle();
    const { made } = await this.compute((trace) => ({ made: write(trace) }));
    return made as TensorData<"float32">;
  }

  copied(): Parameter[] {
    return this.acting.copies.map(({ original }) => original);
  }

  wrap<W extends Wrapper>(module: Module, make: (base: Module) => W): W {
    const outermost = this.network.find(module.path) ?? module;
    const wrapper = make(outermost);
    replace(this.network, outermost, wrapper);
    this.acting.onRemoval(() => unwrap(this.network, wrapper));
    return wrapper;
  }

  at<S extends SiteName>(sites: Sites, site: S, attachment: Omit<Attachment<S>, "isActing">): void {
    const { acting } = this;
    const whole = {
      get isActing() {
        return acting.isActing;
      },
      signature: attachment.signature,
      ...(attachment.addedPositions === undefined ? {} : { addedPositions: attachment.addedPositions }),
      ...(attachment.isAtBeginning && { isAtBeginning: true }),
      transform: attachment.transform,
    };
    acting.onRemoval(sites.attach(site, whole));
  }

  copy(parameters: readonly Parameter[], options: CopyOptions = {}): Parameter[] {
    const { key = ({ name }) => name, isPersistent = false, isKept = isPersistent, isCounted = false } = options;
    return parameters.map((original) => {
      const copy = new Parameter(original.shape, {
        symbolicShape: original.symbolicShape,
        initializer: original.initializer,
        residency: "slot",
        owner: this.adapter,
      });
      // In memory a layer has one name, whether it is wrapped or not.
      copy.name = nameOf(key(original).replace(".base_layer.", "."), this.adapter);
      copy.slot = `${original.name}#copy`;
      copy.source = original.source;
      copy.storage = original.storage;
      this.acting.copies.push({ original, copy, key: key(original), isPersistent, isKept, isCounted });
      this.acting.onRemoval(() => {
        if (original.standIn === copy) original.standIn = null;
      });
      return copy;
    });
  }

  baseElements(parameter: Parameter): Promise<TensorData<"float32">> {
    return readSource(parameter);
  }

  adjust(parameter: Parameter, elements: () => Promise<TensorData<"float32">>): void {
    const other = parameter.adjustments.find(({ by }) => by !== MERGE);
    if (other) {
      throw new GraftError(
        "unsupported",
        `the adapter ${other.by} keeps elements of its own in ${parameter.name} for as long as it is loaded`,
        "Only one adapter of a model can leave a residual in a weight (PiSSA, OLoRA): delete the other one first.",
      );
    }
    const adjustment = { by: this.adapter, elements };
    const merged = parameter.adjustments.findIndex(({ by }) => by === MERGE);
    parameter.adjustments.splice(merged < 0 ? parameter.adjustments.length : merged, 0, adjustment);
    this.acting.adjusted.push({ parameter, adjustment });
    this.acting.onRemoval(() => {
      const at = parameter.adjustments.indexOf(adjustment);
      if (at >= 0) parameter.adjustments.splice(at, 1);
    });
  }
}
