import type { Dim, Tensor } from "../graph/index.js";
import type { ModelConfig, Network } from "../models/index.js";
import type { Attachment, Module, Parameter, ParameterOptions, SiteName, Sites, Trace, Wrapper } from "../nn/index.js";
import type { TensorData } from "../tensor-data.js";
import type { CombineFactors } from "./combination.js";
import type { AdapterConfig, AnyConfigClass, OnWarning } from "./config/config-class.js";
import type { NamedModule } from "./matching/named-module.js";
import type { TargetKind } from "./matching/select.js";

/**
 * A tuning method: a value that edits a network through a host and says what came of it. Methods know the host's form,
 * and the host knows no method; both stand on this file.
 */
export interface Tuner<C extends AdapterConfig = AdapterConfig> {
  /** PEFT's `peft_type`, or a type of Graft's own where PEFT has no such method. */
  readonly type: string;
  /** Its name on the command line and in run files, in lower case: "ia3". */
  readonly name: string;
  /** One line for people who choose a method. */
  readonly help: string;
  readonly Config: AnyConfigClass;
  /**
   * Whether it trains the base's own weights, so that what is saved is a Hugging Face model folder and no adapter's, and
   * copies of saved modules are the model's own. It is loaded as a model is.
   */
  readonly isWholeModel?: boolean;
  /** Where `targetModules` may lead, for methods that have it. */
  readonly targets?: TargetKind;
  /** The config as it suits a network, where it asks for what follows from the network. Told remarks by `onWarning`. */
  fitted?(config: C, network: Network, onWarning: OnWarning): C;
  /**
   * Adds an adapter to a network. What it throws leaves the network as it was: the host takes its edits back.
   * @throws GraftError `target-modules-not-found`, `invalid-config`, `unsupported`
   */
  inject(host: Host, config: C): Injection;
  /**
   * Lets every row of a batch have its own of several adapters. Absent: rows cannot be mixed.
   * @throws GraftError `unsupported` naming what cannot be mixed
   */
  mix?(host: MixHost, adapters: readonly MixedAdapter[]): void;
  /** Makes one adapter's factors of several adapters'. Absent: adapters cannot be combined. */
  readonly combine?: CombineFactors;
  /** A key of the adapter's file as the method's files have it. Default: "base_model.model." before the module's path. */
  fileKey?(key: string): string;
  /**
   * The config as it is written, where more of it names modules than `targetModules`, `excludeModules` and
   * `modulesToSave`.
   * @param spell a module's path (of transformers 4) in the written spelling
   */
  writtenConfig?(config: C, injection: Injection, spell: (path: string) => string, modelType: string): C;
}

/** What a method made of a network. */
export interface Injection {
  /** How it is taken into the base weights; a reason where mathematics does not allow that. */
  readonly merge: readonly MergeStep[] | { readonly refused: string };
  /** Paths of the modules that it changes. */
  readonly targets: readonly string[];
  /** Groups with a learning rate or decay of their own; trained parameters in none have factor 1. */
  readonly groups?: readonly TrainedGroup[];
  /**
   * The tensors of the adapter's file by key, where they are not what is trained: others, or products of it.
   * Default: every parameter and copy that was made with a key.
   */
  readonly saved?: () => ReadonlyMap<string, Parameter>;
  /** Base parameters that PEFT writes into the adapter's file besides, by key; what a file holds of them is not read. */
  readonly alongside?: ReadonlyMap<string, Parameter>;
  /** Factors of low rank among its tensors, for optimisers that treat the two of a pair differently. */
  readonly factorPairs?: readonly FactorPair[];
  /** What is odd about it but not wrong: told to whoever adds the adapter. */
  readonly remarks?: readonly string[];
  /** Options of the config that training changes (AdaLoRA's ranks), as they are now; the config is written with them. */
  readonly learnt?: () => Readonly<Record<string, unknown>>;
  /** What it does after each update. */
  readonly afterStep?: AfterStep;
  /**
   * The adapter as one that leaves the base's weights as they are, where it changes them (PiSSA's residual).
   * @param before its tensors as they were before training; undefined: as it makes them
   */
  readonly unadjusted?: (before?: Elements) => Promise<Unadjusted>;
  /** Multiplies its effect on the weights, 1 being as configured. Absent: it has no scale. */
  readonly setScale?: (factor: number) => void;
}

/** Elements by the parameter that they are of. */
export type Elements = ReadonlyMap<Parameter, TensorData<"float32">>;

/** What an adapter is on a base whose weights it does not change. */
export interface Unadjusted {
  /** Options of the config that differ. */
  readonly options: Readonly<Record<string, unknown>>;
  /** Elements of its file in the place of those of its parameters, of other shapes. */
  readonly elements: Elements;
}

/** Two factors whose product, times a scale, is added to a weight. */
export interface FactorPair {
  /** [r, features in] */
  readonly a: Parameter;
  /** [features out, r] */
  readonly b: Parameter;
  readonly scaling: number;
  /** Path (of transformers 4) of the layer. */
  readonly path: string;
  /** The base's weight, which the product is added to. */
  readonly weight: Parameter;
  /** Whether the weight is stored as [features in, features out]. */
  readonly isTransposed: boolean;
  /** Whether the weight is an embedding table. */
  readonly isEmbedding: boolean;
}

/** What a method does after each update of training. Updates are numbered from 0. */
export interface AfterStep {
  /**
   * What it keeps between updates: parameters of the adapter that are made as settings, with elements. Checkpoints hold them,
   * the adapter's file does not.
   */
  readonly state: readonly Parameter[];
  /** Whether the graph of `write` is to run after an update. */
  isDue(step: number): boolean;
  /**
   * Writes the graph of the state's next elements, which runs where the gradients are. It is written once.
   * @param trace reads parameters as they are after the update
   * @param gradient of a trained parameter, as the update took it: summed over its batches, and clipped
   * @returns the elements of those parameters of `state` that change
   */
  write(trace: Trace, gradient: (parameter: Parameter) => Tensor): ReadonlyMap<Parameter, Tensor>;
  /** What is done then, after every update. What it changes of the state in memory needs no writing. */
  finish?(step: number, tensors: StepTensors): Promise<void>;
}

/** Small tensors, out of the worker's memory and into it. */
export interface StepTensors {
  /** Elements as they are now. */
  read(parameters: readonly Parameter[]): Promise<TensorData[]>;
  write(elements: ReadonlyMap<Parameter, TensorData<"float32">>): Promise<void>;
}

/** Parameters that an optimiser treats alike. */
export interface TrainedGroup {
  readonly parameters: readonly Parameter[];
  /** Factor on the learning rate. Default 1. */
  readonly learningRateScale?: number;
  /** Whether weight decay applies. Default: transformers' rule by the parameter's name. */
  readonly isDecayed?: boolean;
}

/** One base parameter that merging changes, and the graph that makes its new elements. */
export interface MergeStep {
  readonly parameter: Parameter;
  /** @param elements float32, the parameter as it is before @returns float32 of the same shape */
  write(trace: Trace, elements: Tensor): Tensor;
}

/** Whether an adapter acts at the moment; what it puts into a network asks before it does anything. */
export interface Acting {
  /** Whether its effect is to be computed: it is switched on, and its weights are not merged. */
  readonly isActing: boolean;
  /** Whether its effect is in the base weights. */
  readonly isMerged: boolean;
  readonly isTrainable: boolean;
}

/** How a copy of a base parameter behaves. */
export interface CopyOptions {
  /** Its name in the adapter's file, behind the prefix. Default: the parameter's own name. */
  readonly key?: (parameter: Parameter) => string;
  /** Whether it stays in force while the adapter is switched off, and after `unload` (PEFT's rule for trained biases). */
  readonly isPersistent?: boolean;
  /** Whether it counts besides its original, as PEFT counts modules_to_save. Default false: it is the base's, trained. */
  readonly isCounted?: boolean;
  /** Whether its values become the base's when the adapter is unloaded (PEFT's rule for saved modules). */
  readonly isKept?: boolean;
}

/** What a method may do to a network, and nothing else. Everything that it does is undone when the adapter is removed. */
export interface Host {
  /** The adapter's name. */
  readonly adapter: string;
  readonly acting: Acting;
  readonly network: Network;
  readonly config: ModelConfig;
  /** The modules below the root that have a name, as they are without adapters. */
  modules(): readonly NamedModule[];
  /**
   * A tensor of the adapter.
   * @param key its name in the adapter's file behind the prefix, e.g. `<module path>.ia3_l`
   * @param options what it begins with, whether it is trained (default true), and saved (default true)
   */
  parameter(key: string, shape: readonly number[], options?: OwnedOptions): Parameter;
  /**
   * A tensor of the adapter's file that is computed from trained ones whenever the file is written; those it is made
   * from are not in the file (`isSaved: false`).
   * @param write its graph
   */
  product(key: string, shape: readonly number[], write: (trace: Trace) => Tensor): void;
  /** How a fresh adapter begins; null for one whose elements are loaded. */
  readonly beginning: Beginning | null;
  /** Puts a wrapper around a module; later ones stand around earlier ones. */
  wrap<W extends Wrapper>(module: Module, make: (base: Module) => W): W;
  /** Changes what flows by at a site while the adapter acts. */
  at<S extends SiteName>(sites: Sites, site: S, attachment: Omit<Attachment<S>, "isActing">): void;
  /** Copies base parameters; the copies are read in their places and trained while the adapter acts. */
  copy(parameters: readonly Parameter[], options?: CopyOptions): Parameter[];
  /** The base parameters that the adapter has copies of so far: those of saved modules come first. */
  copied(): readonly Parameter[];
  /** Runs a graph in the engine. @returns what `write` names */
  compute(write: (trace: Trace) => Record<string, Tensor>): Promise<Record<string, TensorData>>;
  /** A base parameter's own elements, without copies and adjustments. @throws GraftError `missing-tensor` */
  baseElements(parameter: Parameter): Promise<TensorData<"float32">>;
  /**
   * Changes the elements that a base parameter has while the adapter is there (PiSSA's residual).
   * @throws GraftError `unsupported` where another adapter does so
   */
  adjust(parameter: Parameter, elements: () => Promise<TensorData<"float32">>): void;
}

/** How a fresh adapter begins. */
export interface Beginning {
  /** Of all that is drawn. */
  readonly seed: number;
  /** Ids of the tokens whose vectors it begins with, for methods that ask for them. */
  readonly initTokenIds?: Iterable<number> | undefined;
}

export interface OwnedOptions extends Omit<ParameterOptions, "owner" | "residency" | "symbolicShape"> {
  readonly isSaved?: boolean;
  /** Whether it counts as a parameter. Default true, but for settings; PEFT counts no buffers. */
  readonly isCounted?: boolean;
  /**
   * The shape in graphs, where it has named dimensions: adapters that act together at other positions need other names.
   * @param slot text that tells the positions apart
   */
  readonly symbolicShape?: (slot: string) => readonly Dim[];
  /** A graph that makes what it begins with, run when that is first needed. Instead of `initializer`. */
  readonly made?: (trace: Trace) => Tensor;
  /** The same, made in another way than by one graph. */
  readonly madeBy?: () => Promise<TensorData<"float32">>;
  /** Parameters that `made` reads and that may themselves be made. */
  readonly madeFrom?: readonly Parameter[];
}

/** An adapter that rows of a mixed batch may choose. */
export interface MixedAdapter {
  readonly name: string;
  readonly config: AdapterConfig;
  /** Its parameters by key. */
  readonly parameters: ReadonlyMap<string, Parameter>;
}

/** What `mix` may do besides. Row 0 of every bank is the base's. */
export interface MixHost extends Host {
  /**
   * One tensor of each adapter in a bank [adapters + 1, ...shape], padded with zeros; of those that lack it, and of the
   * base, zeros alone.
   * @param symbolicShape the shape in graphs of one adapter's part
   */
  bank(key: string, symbolicShape: readonly Dim[]): Parameter;
}
