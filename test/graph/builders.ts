import * as graph from "#graft/graph/index";
import { type Dim, type OpName, productOf, type Tensor } from "#graft/graph/index";
import { PatchEmbeddings } from "#graft/models/architectures/patch-embeddings";
import { activations } from "#graft/nn/activations";
import type { PatchProjection } from "#graft/nn/patch-projection";
import { Trace } from "#graft/nn/trace";
import type { DType } from "#graft/tensor-data";

/** What a golden case gives to the function that writes its graph. */
export interface BuildContext {
  /** An input of the case. */
  readonly input: (name: string) => Tensor;
  readonly inputs: readonly Tensor[];
  readonly attributes: Readonly<Record<string, unknown>>;
  /** A size as a dimension: the number itself, or in symbolic graphs an expression of named dimensions. */
  readonly dim: (size: number) => Dim;
  /** The size that a dimension stands for. */
  readonly sizeOf: (dim: Dim) => number;
}

type Builder = (context: BuildContext) => Tensor | Tensor[];

/** Golden functions that are written with several operators. */
type Composite =
  | "crossEntropy"
  | "mseLoss"
  | "bceWithLogits"
  | "geluTanh"
  | "split"
  | "conv"
  | "linearGelu"
  | "attention";

const unary =
  (f: (x: Tensor) => Tensor): Builder =>
  ({ input }) =>
    f(input("x"));

const binary =
  (f: (a: Tensor, b: Tensor) => Tensor): Builder =>
  ({ input }) =>
    f(input("a"), input("b"));

const reduction =
  (f: (x: Tensor, axes: readonly number[], keepDims: boolean) => Tensor): Builder =>
  ({ input, attributes: { axes, keepDims } }) =>
    f(input("x"), axes as number[], keepDims as boolean);

const alongAxis =
  (f: (x: Tensor, axis: number) => Tensor): Builder =>
  ({ input, attributes: { axis } }) =>
    f(input("x"), axis as number);

/** NumPy's slice: bounds may count from the end or lie beyond it. */
const slice: Builder = ({ input, attributes, dim }) => {
  const { axes, starts, ends } = attributes as Record<string, number[]>;
  let x = input("x");
  for (const [position, axis] of (axes as number[]).entries()) {
    const size = x.shape.at(axis) as Dim;
    const bound = (value: number): Dim => {
      if (value >= 2 ** 31 - 1) return size;
      return value < 0 ? graph.addDims(size, graph.multiplyDims(dim(-value), -1)) : dim(value);
    };
    x = graph.slice(x, axis, bound(starts?.[position] as number), bound(ends?.[position] as number));
  }
  return x;
};

/** A convolution whose stride is its kernel is what ViT's patch embedding computes. */
const conv: Builder = ({ input }) => {
  const [x, weight, bias] = ["x", "weight", "bias"].map(input) as [Tensor, Tensor, Tensor];
  const [, numChannels, ...imageSize] = x.shape as [Dim, number, number, number];
  const [hiddenSize, , ...patchSize] = weight.shape as [number, number, number, number];
  const layer = new PatchEmbeddings({ hiddenSize, numChannels, imageSize, patchSize, initializerRange: 0.02 });
  const trace = new Trace("eval");
  const projection = layer.projection as PatchProjection;
  trace.parameters.set(projection.weight, weight).set(projection.bias, bias);
  const rows = layer.forward(trace, x);
  const grid = imageSize.map((size, axis) => size / (patchSize[axis] as number));
  return graph.reshape(graph.transpose(rows, [0, 2, 1]), [x.shape[0] as Dim, hiddenSize, ...grid]);
};

/** How the graph of each golden function is written. The compiler lists operators that are missing. */
export const builders: { readonly [K in OpName | Composite]: Builder } = {
  matMul: ({ input, attributes }) => graph.matMul(input("a"), input("b"), attributes),
  add: binary(graph.add),
  sub: binary(graph.sub),
  mul: binary(graph.mul),
  div: binary(graph.div),
  maximum: binary(graph.maximum),
  minimum: binary(graph.minimum),
  equal: binary(graph.equal),
  greater: binary(graph.greater),
  less: binary(graph.less),
  where: ({ input }) => graph.where(input("condition"), input("a"), input("b")),
  neg: unary(graph.neg),
  abs: unary(graph.abs),
  exp: unary(graph.exp),
  log: unary(graph.log),
  sqrt: unary(graph.sqrt),
  reciprocal: unary(graph.reciprocal),
  sin: unary(graph.sin),
  cos: unary(graph.cos),
  erf: unary(graph.erf),
  tanh: unary(graph.tanh),
  sigmoid: unary(graph.sigmoid),
  relu: unary(graph.relu),
  gelu: unary(graph.gelu),
  geluGradient: ({ input }) => graph.geluGradient(input("x"), input("dy")),
  pow: ({ input, attributes }) => graph.pow(input("x"), attributes.exponent as number),
  cast: ({ input, attributes: { through, to } }) => {
    const inner = through === undefined ? input("x") : graph.cast(input("x"), through as DType);
    return graph.cast(inner, to as DType);
  },
  dimension({ input, attributes: { axes, extra } }) {
    const sizes = (axes as number[]).map((axis) => input("x").shape[axis] as Dim);
    const value = graph.dimension(graph.addDims(productOf(sizes), extra as number));
    return typeof value === "number" ? graph.scalar(value) : value;
  },
  reduceSum: reduction(graph.reduceSum),
  reduceMean: reduction(graph.reduceMean),
  reduceMax: reduction(graph.reduceMax),
  cumSum: alongAxis(graph.cumSum),
  reshape({ input, attributes, dim, sizeOf }) {
    const shape = attributes.shape as number[];
    const known = shape.filter((size) => size !== -1).reduce((a, b) => a * b, 1);
    const rest = sizeOf(productOf(input("x").shape)) / known;
    return graph.reshape(
      input("x"),
      shape.map((size) => dim(size === -1 ? rest : size)),
    );
  },
  transpose: ({ input, attributes }) => graph.transpose(input("x"), attributes.permutation as number[]),
  expand: ({ input, attributes, dim }) => graph.expand(input("x"), (attributes.shape as number[]).map(dim)),
  after: ({ input }) => graph.after(input("x"), input("other")),
  stopGradient: ({ input }) => graph.mul(input("x"), graph.stopGradient(input("x"))),
  concat: ({ inputs, attributes }) => graph.concat(inputs, attributes.axis as number),
  slice,
  pad: ({ input, attributes, dim }) =>
    graph.pad(input("x"), attributes.axis as number, dim(attributes.before as number), dim(attributes.after as number)),
  gather: ({ input, attributes }) => graph.gather(input("x"), input("indices"), attributes.axis as number),
  gatherGradient: ({ input, attributes, dim }) =>
    graph.gatherGradient(
      input("indices"),
      input("updates"),
      attributes.axis as number,
      (attributes.shape as number[]).map(dim),
    ),
  gatherElements: ({ input, attributes }) =>
    graph.gatherElements(input("x"), input("indices"), attributes.axis as number),
  scatterElementsAdd: ({ input, attributes }) =>
    graph.scatterElementsAdd(input("x"), input("indices"), input("updates"), attributes.axis as number),
  softmax: alongAxis(graph.softmax),
  logSoftmax: alongAxis(graph.logSoftmax),
  layerNorm({ input, inputs, attributes }) {
    const features = [input("x").shape.at(-1) as Dim];
    const [scale, bias] =
      inputs.length > 1
        ? [input("gamma"), input("beta")]
        : [graph.expand(graph.scalar(1), features), graph.expand(graph.scalar(0), features)];
    return graph.layerNorm(input("x"), scale, bias, attributes.epsilon as number);
  },
  rmsNorm: ({ input, attributes }) => graph.rmsNorm(input("x"), input("gamma"), attributes.epsilon as number),
  dropout: ({ input, attributes }) => graph.dropout(input("x"), input("mask"), attributes.keepProbability as number),

  crossEntropy: ({ input, attributes }) => graph.crossEntropy(input("logits"), input("labels"), attributes),
  mseLoss: ({ input }) => graph.meanSquaredError(input("input"), input("target")),
  bceWithLogits: ({ input }) => graph.binaryCrossEntropyWithLogits(input("logits"), input("target")),
  geluTanh: unary(activations.gelu_pytorch_tanh),
  split({ input, attributes, dim }) {
    let end: Dim = 0;
    return (attributes.sizes as number[]).map((size) => {
      const start = end;
      end = graph.addDims(start, dim(size));
      return graph.slice(input("x"), attributes.axis as number, start, end);
    });
  },
  conv,
  linearGelu: ({ input }) =>
    graph.gelu(graph.add(graph.matMul(input("x"), input("weight"), { transposeB: true }), input("bias"))),
  attention({ input, attributes }) {
    const scores = graph.matMul(graph.mul(input("query"), attributes.scale as number), input("key"), {
      transposeB: true,
    });
    return graph.matMul(graph.softmax(scores, -1), input("value"));
  },
};

export type GoldenName = keyof typeof builders;
