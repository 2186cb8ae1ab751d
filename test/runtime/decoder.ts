import { defineProgram } from "#graft/compile/index";
import {
  add,
  concat,
  type Dim,
  initializer,
  matMul,
  multiplyDims,
  reshape,
  slice,
  softmax,
  type Tensor,
  tanh,
  transpose,
} from "#graft/graph/index";
import { Trace } from "#graft/nn/index";
import type { ProgramDefinition, StateTarget } from "#graft/runtime/index";
import { f32 } from "./graphs.js";

export const width = 8;
export const heads = 2;
const size = width / heads;
export const layers = 2;

/** How a step sees what came before: not at all, in caches that grow, or in caches with room for more. */
export type Past = "none" | "replaced" | "written";

/** What a step hides: far below every score. */
export const hidden = -1e9;

function weight(name: string, seed: number): Tensor {
  const values = Array.from({ length: width * width }, (_, i) => 0.6 * Math.sin(seed * 31 + i * 1.7));
  const data = f32([width, width], values);
  return initializer(name, data, { kind: "memory", data });
}

const split = (x: Tensor): Tensor => {
  const [batch, length] = x.shape as [Dim, Dim];
  return transpose(reshape(x, [batch, length, heads, size]), [0, 2, 1, 3]);
};

const join = (x: Tensor): Tensor => {
  const [batch, , length] = x.shape as [Dim, Dim, Dim, Dim];
  return reshape(transpose(x, [0, 2, 1, 3]), [batch, length, multiplyDims(heads, size)]);
};

/**
 * Two layers of causal attention.
 * Inputs: `x` [batch, new, width], `newBias` [new, new] and, with a past, `pastBias` [past], added to the scores.
 * Output: `y` like x. State: `keys.n` and `values.n` of each layer n, [batch, heads, past, size].
 */
export function decoder(past: Past): ProgramDefinition {
  const trace = new Trace("eval");
  const state: Record<string, StateTarget> = {};
  const outputs: Record<string, Tensor> = {};
  let x = trace.input("x", "float32", ["batch", "new", width]);
  const newBias = trace.input("newBias", "float32", ["new", "new"]);
  for (let n = 0; n < layers; n++) {
    const project = (part: number): Tensor => split(matMul(x, weight(`weight.${n}.${part}`, 4 * n + part)));
    const [query, key, value] = [project(0), project(1), project(2)];
    const alpha = 1 / Math.sqrt(size);
    const newScores = add(matMul(query, key, { transposeB: true, alpha }), newBias);
    let context: Tensor;
    if (past === "none") context = matMul(softmax(newScores, -1), value);
    else {
      const cache = (name: string) => trace.input(name, "float32", ["batch", heads, "past", size]);
      const [keys, values] = [cache(`keys.${n}`), cache(`values.${n}`)];
      const pastBias = trace.input("pastBias", "float32", ["past"]);
      const scores = concat([add(matMul(query, keys, { transposeB: true, alpha }), pastBias), newScores], 3);
      const seen = softmax(scores, -1);
      const ofPast = matMul(slice(seen, 3, 0, "past"), values);
      context = add(ofPast, matMul(slice(seen, 3, "past", seen.shape[3] as Dim), value));
      const isWritten = past === "written";
      for (const [name, old, fresh] of [
        ["keys", keys, key],
        ["values", values, value],
      ] as const) {
        outputs[`new.${name}.${n}`] = isWritten ? fresh : concat([old, fresh], 2);
        state[`new.${name}.${n}`] = { slot: `${name}.${n}`, ...(isWritten && { axis: 2 }) };
      }
    }
    x = add(x, tanh(matMul(join(context), weight(`weight.${n}.3`, 4 * n + 3))));
  }
  return defineProgram({
    trace,
    outputs: { y: x, ...outputs },
    purpose: past === "none" ? "prediction" : "generation",
    backend: "cpu",
    ...(past !== "none" && { state }),
  });
}
