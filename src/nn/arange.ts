import { cumSum, type Dim, expand, scalar, sub, type Tensor } from "../graph/index.js";

/** 0, 1, ... count - 1: int32 [count]. */
export function arange(count: Dim): Tensor {
  return sub(cumSum(expand(scalar(1, "int32"), [count]), 0), 1);
}
