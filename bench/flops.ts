import type { StepJob } from "./jobs.js";

/** What the arithmetic needs of config.json. */
export interface ModelShape {
  readonly hidden: number;
  readonly inner: number;
  readonly layers: number;
  /** Tokens of one row. */
  readonly tokens: number;
  /** Inputs of the patch projection (channels times patch area); 0 for texts. */
  readonly patch: number;
}

/** One frozen product of the forward pass of a layer: x [m, k] times w [n, k] transposed, so many times. */
export interface ProductShape {
  readonly m: number;
  readonly k: number;
  readonly n: number;
  readonly times: number;
}

export function modelShape(config: Readonly<Record<string, unknown>>, sequence: number | undefined): ModelShape {
  const number = (key: string): number => Number(config[key]);
  const shape = {
    hidden: number("hidden_size"),
    inner: number("intermediate_size"),
    layers: number("num_hidden_layers"),
  };
  if (sequence !== undefined) return { ...shape, tokens: sequence, patch: 0 };
  const patches = (number("image_size") / number("patch_size")) ** 2;
  return { ...shape, tokens: patches + 1, patch: number("num_channels") * number("patch_size") ** 2 };
}

/** Query, key, value and output; the first and the second linear layer of the feed-forward block. */
export function layerProducts({ hidden, inner, tokens }: ModelShape, batch: number): ProductShape[] {
  const m = batch * tokens;
  return [
    { m, k: hidden, n: hidden, times: 4 },
    { m, k: hidden, n: inner, times: 1 },
    { m, k: inner, n: hidden, times: 1 },
  ];
}

const product = (m: number, k: number, n: number): number => 2 * m * k * n;

/**
 * Floating-point operations of the matrix products of one step: LoRA on query and value of every layer, and a trained
 * head. Frozen weights get no gradient, and nothing flows below the first layer's adapters: there the backward pass
 * ends with the gradients of LoRA's A, without those of the layer's input, of its keys and of its query and value
 * projections' inputs.
 */
export function stepFlops(shape: ModelShape, { batch, rank, labels, kind }: StepJob): number {
  const { hidden, inner, layers, tokens, patch } = shape;
  const rows = batch * tokens;
  const square = product(rows, hidden, hidden);
  const feedForward = 2 * product(rows, hidden, inner);
  // q k', and the weights times v: both sum over all heads to the same work.
  const attention = batch * product(tokens, hidden, tokens);
  const lowRank = product(rows, hidden, rank);
  const forward = 4 * square + feedForward + 2 * attention + 2 * (2 * lowRank);
  // Gradients of B, of A and of the product in between, for two projections; then of the input.
  const adapters = 2 * (3 * lowRank);
  const backward = 4 * square + feedForward + 4 * attention + adapters + 2 * lowRank;
  const firstBackward = square + feedForward + 3 * attention + adapters;
  const embedding = patch === 0 ? 0 : product(batch * (tokens - 1), patch, hidden);
  const pooler = kind === "text" ? 2 * product(batch, hidden, hidden) : 0;
  const head = 3 * product(batch, hidden, labels);
  return embedding + layers * forward + (layers - 1) * backward + firstBackward + pooler + head;
}
