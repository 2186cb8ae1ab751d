import { type Dim, reshape, slice, type Tensor } from "../../graph/index.js";

/** The first position of every sequence: [batch, sequence, features] as [batch, features]. */
export function firstPosition(x: Tensor): Tensor {
  const [batch, , features] = x.shape as [Dim, Dim, Dim];
  return reshape(slice(x, 1, 0, 1), [batch, features]);
}
