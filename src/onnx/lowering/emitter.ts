import { GraftError } from "../../errors.js";
import { type Dim, dimTerms, type Node, scalarValue, type Tensor, type TensorType } from "../../graph/index.js";
import { bytesOf, type DType, type TensorData } from "../../tensor-data.js";
import type { AttributeProto, NodeProto, TensorProto, ValueInfoProto } from "../proto/index.js";

export type Attributes = Readonly<Record<string, number | string | readonly number[]>>;

/** Attributes that ONNX declares as floats although their values may be whole numbers. */
const floatAttributes = new Set(["alpha", "beta", "epsilon"]);

function attributeProto(name: string, value: Attributes[string]): AttributeProto {
  if (typeof value === "string") return { name, type: "string", value };
  if (typeof value !== "number") return { name, type: "ints", value: [...value] };
  return { name, type: floatAttributes.has(name) ? "float" : "int", value };
}

/** A node's one output, written only when somebody reads it by name. */
export interface Deferred {
  readonly write: () => string;
  /** Whether each reader has it written anew, so that it need not live from the first to the last. Default false. */
  readonly again?: boolean;
}

export interface EmitOptions {
  readonly attributes?: Attributes;
  /** Number of outputs; 1 by default. */
  readonly outputs?: number;
  /** Operator domain; ONNX's own by default. */
  readonly domain?: string;
}

/** Graph-wide facts that lowering rules may use. */
export interface GraphFacts {
  /** Nodes that read a tensor. */
  readonly readers: ReadonlyMap<Tensor, readonly Node[]>;
  /** A graph input and axis where a named dimension can be read at run time. */
  readonly dimOrigins: ReadonlyMap<string, { readonly input: Tensor; readonly axis: number }>;
}

/** Collects the ONNX nodes and initialisers of one graph; lowering rules write through it. */
export class Emitter {
  readonly nodes: NodeProto[] = [];
  /** Nodes that read initialisers alone, see `emitFirst`. */
  readonly firstNodes: NodeProto[] = [];
  readonly initializers: TensorProto[] = [];
  readonly inputs: ValueInfoProto[] = [];
  /** What lowering rules measure on the way; outputs of the graph besides those asked for. */
  readonly measurements: ValueInfoProto[] = [];
  private readonly names = new Map<Tensor, string>();
  private readonly types = new Map<string, TensorType>();
  private readonly deferred = new Map<Tensor, Deferred>();
  private readonly memo = new Map<string, string>();
  private readonly taken = new Set<string>();
  private scope = "";

  constructor(
    readonly facts: GraphFacts,
    private readonly writeInitializer: (tensor: Tensor, name: string) => TensorProto,
  ) {}

  /** The name of a tensor's value; graph inputs and initialisers are declared at first use. */
  nameOf(tensor: Tensor): string {
    const known = this.names.get(tensor);
    if (known !== undefined) return known;
    const deferred = this.deferred.get(tensor);
    if (deferred) {
      const written = deferred.write();
      if (deferred.again) this.describe(written, tensor);
      else this.bind(tensor, written);
      return written;
    }
    const { origin } = tensor;
    if (origin.kind === "node") throw new Error(`${origin.node.op} is read before it is written`);
    const name =
      origin.kind === "input" ? this.declareInput(tensor, origin.name) : this.declareFixed(tensor, origin.name);
    this.names.set(tensor, name);
    return name;
  }

  private declareInput(tensor: Tensor, name: string): string {
    if (this.fresh(name) !== name) {
      throw new GraftError(
        "invalid-argument",
        `two tensors of the graph are called "${name}"`,
        "Give each input and each trained parameter a name of its own.",
      );
    }
    this.inputs.push({ name, dtype: tensor.dtype, shape: [...tensor.shape] });
    return name;
  }

  /** Equal scalars are one; other tensors are told apart even where their names are the same. */
  private declareFixed(tensor: Tensor, wish: string): string {
    const write = (): string => {
      const name = this.fresh(wish);
      this.initializers.push(this.writeInitializer(tensor, name));
      return name;
    };
    const value = scalarValue(tensor);
    return value === null ? write() : this.memoized(`scalar:${tensor.dtype}:${value}`, write);
  }

  /** Says under which name a tensor's value is found. */
  bind(tensor: Tensor, name: string): void {
    this.names.set(tensor, name);
    this.describe(name, tensor);
  }

  /** Says what a value is, for those behind which ONNX Runtime would lose track of the named dimensions. */
  describe(name: string, type: TensorType): string {
    this.types.set(name, type);
    return name;
  }

  /** Says how a tensor's value is written, should somebody ask for its name. */
  bindDeferred(tensor: Tensor, value: Deferred): void {
    this.deferred.set(tensor, value);
  }

  /** Runs a rule with a path that prefixes the names of the nodes it writes. */
  inScope(scope: string, write: () => void): void {
    this.scope = scope;
    write();
  }

  /** Writes a node with fresh output names. */
  emitAll(opType: string, input: readonly string[], options: EmitOptions = {}): string[] {
    const name = this.fresh(`${this.scope}/${opType}`);
    const count = options.outputs ?? 1;
    const output = Array.from({ length: count }, (_, position) => (count === 1 ? name : `${name}:${position}`));
    const attribute = Object.entries(options.attributes ?? {}).map(([key, value]) => attributeProto(key, value));
    this.nodes.push({ name, opType, domain: options.domain ?? "", input: [...input], output, attribute });
    return output;
  }

  /** Writes a node with one output and returns its name. */
  emit(opType: string, input: readonly string[], options: EmitOptions = {}): string {
    return this.emitAll(opType, input, options)[0] as string;
  }

  /**
   * Writes a node with one output before all others. Of what a node reads, ONNX Runtime computes first what stands last
   * in the file: what stands first is computed just before it is read, and does not wait in memory.
   */
  emitFirst(opType: string, input: readonly string[], options: EmitOptions = {}): string {
    const output = this.emit(opType, input, options);
    this.firstNodes.push(this.nodes.pop() as NodeProto);
    return output;
  }

  /** What `make` returned the first time for this key: values shared by several nodes. */
  memoized(key: string, make: () => string): string {
    let name = this.memo.get(key);
    if (name === undefined) {
      name = make();
      this.memo.set(key, name);
    }
    return name;
  }

  /** A constant tensor of small size; equal constants are one. */
  constant(dtype: DType, shape: readonly number[], values: readonly number[]): string {
    return this.memoized(`constant:${dtype}:[${shape}]:${values}`, () => {
      const name = this.fresh("constant");
      const rawData = bytesOf(smallTensor(dtype, shape, values));
      this.initializers.push({ name, dtype, dims: [...shape], rawData });
      return name;
    });
  }

  /** A float32 scalar constant. */
  number(value: number): string {
    return this.constant("float32", [], [value]);
  }

  /** Dimensions as an int64 vector: a constant where all are numbers, else computed from the inputs' shapes. */
  dimVector(dims: readonly Dim[]): string {
    if (dims.every((dim) => typeof dim === "number")) return this.constant("int64", [dims.length], dims);
    return this.memoized(`dims:${dims.join()}`, () => {
      const parts = dims.map((dim) => this.oneDim(dim));
      return parts.length === 1 ? (parts[0] as string) : this.emit("Concat", parts, { attributes: { axis: 0 } });
    });
  }

  private oneDim(dim: Dim): string {
    if (typeof dim === "number") return this.constant("int64", [1], [dim]);
    return this.memoized(`dim:${dim}`, () => {
      const terms = dimTerms(dim).map(({ coefficient, names }) => {
        const factors = names.map((name) => this.namedDim(name));
        if (coefficient !== 1 || factors.length === 0) factors.unshift(this.constant("int64", [1], [coefficient]));
        return factors.reduce((a, b) => this.emit("Mul", [a, b]));
      });
      return terms.reduce((a, b) => this.emit("Add", [a, b]));
    });
  }

  private namedDim(name: string): string {
    return this.memoized(`named:${name}`, () => {
      const origin = this.facts.dimOrigins.get(name);
      if (!origin) throw new Error(`no graph input has the dimension "${name}"`);
      const { input, axis } = origin;
      return this.emit("Shape", [this.nameOf(input)], { attributes: { start: axis, end: axis + 1 } });
    });
  }

  /** Types and shapes of the nodes' outputs, as far as they are known here. */
  valueInfo(): ValueInfoProto[] {
    return this.nodes.flatMap(({ output }) =>
      output.flatMap((name) => {
        const type = this.types.get(name);
        return type ? [{ name, dtype: type.dtype, shape: [...type.shape] }] : [];
      }),
    );
  }

  private fresh(wish: string): string {
    let name = wish;
    for (let n = 1; this.taken.has(name); n++) name = `${wish}_${n}`;
    this.taken.add(name);
    return name;
  }
}

function smallTensor(dtype: DType, shape: readonly number[], values: readonly number[]): TensorData {
  if (dtype === "int64") return { dtype, shape, data: BigInt64Array.from(values, BigInt) };
  if (dtype === "int32") return { dtype, shape, data: Int32Array.from(values) };
  if (dtype === "float32") return { dtype, shape, data: Float32Array.from(values) };
  if (dtype === "int8") return { dtype, shape, data: Int8Array.from(values) };
  return { dtype: "uint8", shape, data: Uint8Array.from(values) };
}
