import type { Dim } from "../../graph/index.js";
import type { Guest } from "../../models/index.js";
import type { Adjustment, Parameter } from "../../nn/index.js";
import type { TensorData } from "../../tensor-data.js";
import type { AdapterConfig } from "../config/config-class.js";
import type { Acting, Injection, TrainedGroup, Tuner } from "../tuner.js";

/** A copy of a base parameter that an adapter trains. */
export interface Copy {
  readonly original: Parameter;
  readonly copy: Parameter;
  /** Its name in the adapter's file, behind the prefix. */
  readonly key: string;
  readonly isPersistent: boolean;
  readonly isKept: boolean;
  readonly isCounted: boolean;
}

const nothing: Injection = { merge: [], targets: [] };

/** One adapter in a network: its tensors, and everything that it changed there. */
export class Adapter implements Guest, Acting {
  /** Its place among those that act; null: it does not. */
  position: number | null = null;
  isMerged = false;
  injection: Injection = nothing;
  private factor = 1;
  /** Its own tensors by key. */
  readonly own = new Map<string, Parameter>();
  /** Their shapes in graphs, by slot. */
  readonly shapes = new Map<Parameter, (slot: string) => readonly Dim[]>();
  /** Keys of those that its file does not hold. */
  readonly unsaved = new Set<string>();
  readonly uncounted = new Set<Parameter>();
  /** Tensors of its file that are computed when it is written, by key. */
  readonly products = new Map<string, { readonly parameter: Parameter; make(): Promise<TensorData<"float32">> }>();
  readonly copies: Copy[] = [];
  readonly adjusted: { readonly parameter: Parameter; readonly adjustment: Adjustment }[] = [];
  /** What takes its edits back, in the order in which they were made. */
  private readonly undos: (() => void)[] = [];

  constructor(
    readonly name: string,
    readonly tuner: Tuner,
    readonly config: AdapterConfig,
    readonly isTrainable: boolean,
  ) {}

  get isActing(): boolean {
    return this.position !== null && !this.isMerged;
  }

  /** Its tensors while it acts, also where they are merged. */
  *parameters(): Generator<Parameter> {
    if (this.position !== null) yield* this.own.values();
  }

  /** What is trained: its own trained tensors, then its copies. */
  trained(): Parameter[] {
    return [...this.ownTrained, ...this.copies.map(({ copy }) => copy)];
  }

  /** The tensors of its file, by key behind the prefix; products are to be made anew. */
  saved(): ReadonlyMap<string, Parameter> {
    const given = this.injection.saved?.();
    const own = given ?? new Map([...this.own].filter(([key]) => !this.unsaved.has(key)));
    const products = [...this.products].map(([key, { parameter, make }]) => {
      parameter.source = { kind: "made", make };
      return [key, parameter] as const;
    });
    return new Map([...own, ...products, ...this.copies.map(({ key, copy }) => [key, copy] as const)]);
  }

  /** What training needs and its file does not hold as it is, by key: trained tensors, and what is kept between updates. */
  trainedBeside(): ReadonlyMap<string, Parameter> {
    const { saved, afterStep } = this.injection;
    const isBeside = (key: string): boolean =>
      this.trainedKeys.has(key) && (saved !== undefined || this.unsaved.has(key));
    const state = new Set(afterStep?.state);
    return new Map([...this.own].filter(([key, parameter]) => isBeside(key) || state.has(parameter)));
  }

  /** Whether its file holds all that it trains, as it is at the moment: what else is kept between updates begins anew. */
  get isWholeInFile(): boolean {
    const saved = this.saved();
    return [...this.own].every(([key, parameter]) => !this.trainedKeys.has(key) || saved.get(key) === parameter);
  }

  /** What is odd about it but not wrong. */
  get remarks(): readonly string[] {
    return this.injection.remarks ?? [];
  }

  /** Its own tensors and its copies. */
  everything(): Parameter[] {
    return [...this.own.values(), ...this.copies.map(({ copy }) => copy)];
  }

  /** Its copy of a base parameter; undefined where it has none. */
  copyOf(parameter: Parameter): Parameter | undefined {
    return this.copies.find(({ original }) => original === parameter)?.copy;
  }

  /** Its own tensors that count as parameters. */
  counted(): Parameter[] {
    return [...this.own.values()].filter((parameter) => !this.uncounted.has(parameter));
  }

  /** The groups of its trained parameters, those without a group of their own in the last one. */
  groups(): TrainedGroup[] {
    const own = this.injection.groups ?? [];
    const grouped = new Set(own.flatMap(({ parameters }) => parameters));
    return [...own, { parameters: this.trained().filter((parameter) => !grouped.has(parameter)) }];
  }

  /** Its tensors that are to be trained, whether it acts or not. */
  readonly trainedKeys = new Set<string>();

  private get ownTrained(): Parameter[] {
    return [...this.own].filter(([key]) => this.trainedKeys.has(key)).map(([, parameter]) => parameter);
  }

  /** Multiplies its effect, 1 being as configured. */
  setScale(factor: number): void {
    if (factor === this.factor) return;
    this.injection.setScale?.(factor);
    this.factor = factor;
  }

  onRemoval(undo: () => void): void {
    this.undos.push(undo);
  }

  /** Takes back everything that it changed, the last change first. */
  undo(): void {
    for (const undo of this.undos.reverse()) undo();
    this.undos.length = 0;
  }

  /**
   * Lets it act at a position, or not: names its slots, puts its copies in force, and has its parameters trained.
   * @param position among the acting adapters; null: it does not act
   */
  act(position: number | null): void {
    this.position = position;
    const end = `#${position ?? 0}`;
    for (const [key, parameter] of this.own) {
      parameter.slot = `${key}${end}`;
      parameter.symbolicShape = this.shapes.get(parameter)?.(end) ?? parameter.shape;
    }
    for (const { original, copy, isPersistent } of this.copies) {
      if (position !== null || isPersistent) original.standIn = copy;
      else if (original.standIn === copy) original.standIn = null;
    }
    for (const parameter of this.trained()) parameter.trainable = position !== null && this.isTrainable;
  }
}
