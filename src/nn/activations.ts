import { add, gelu, mul, pow, relu, sigmoid, type Tensor, tanh } from "../graph/index.js";

/** Names that config files use for activations (transformers' ACT2FN). */
export const activationNames = [
  "gelu",
  "gelu_python",
  "gelu_new",
  "gelu_fast",
  "gelu_pytorch_tanh",
  "quick_gelu",
  "relu",
  "sigmoid",
  "silu",
  "swish",
  "tanh",
  "linear",
] as const;

export type ActivationName = (typeof activationNames)[number];

/** 0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) (Hendrycks and Gimpel 2016). */
function tanhGelu(x: Tensor): Tensor {
  const inner = mul(add(x, mul(pow(x, 3), 0.044715)), Math.sqrt(2 / Math.PI));
  return mul(mul(x, 0.5), add(tanh(inner), 1));
}

const silu = (x: Tensor): Tensor => mul(x, sigmoid(x));

/** Activations by their names in config files. */
export const activations: { readonly [K in ActivationName]: (x: Tensor) => Tensor } = {
  gelu,
  gelu_python: gelu,
  gelu_new: tanhGelu,
  gelu_fast: tanhGelu,
  gelu_pytorch_tanh: tanhGelu,
  quick_gelu: (x) => mul(x, sigmoid(mul(x, 1.702))),
  relu,
  sigmoid,
  silu,
  swish: silu,
  tanh,
  linear: (x) => x,
};
