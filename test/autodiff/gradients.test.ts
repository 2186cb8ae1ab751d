import { afterEach, describe, expect, test, vi } from "vitest";
import { gradients } from "#graft/autodiff/index";
import {
  add,
  cast,
  type Dim,
  erf,
  gelu,
  geluGradient,
  greater,
  initializer,
  input,
  layerNorm,
  matMul,
  mul,
  nodesInOrder,
  type OpName,
  ops,
  pow,
  reduceMean,
  reduceSum,
  scalar,
  type Tensor,
  where,
  withScope,
} from "#graft/graph/index";

const f32 = (name: string, ...shape: Dim[]): Tensor => input(name, "float32", shape);

function frozen(name: string, ...shape: number[]): Tensor {
  const data = new Float32Array(shape.reduce((a, b) => a * b, 1));
  return initializer(name, { dtype: "float32", shape }, { kind: "memory", data: { dtype: "float32", shape, data } });
}

/** How often operators are written while the gradients are, whether or not anything reads them. */
function written(write: () => unknown, ...names: OpName[]): number[] {
  const spies = names.map((op) => vi.spyOn(ops[op], "inferTypes"));
  write();
  return spies.map((spy) => spy.mock.calls.length);
}

afterEach(() => {
  vi.restoreAllMocks();
});

/** Four frozen layers of 8 features; layer k (if any) has an adapter of rank 2. */
function network(adapted: readonly number[]) {
  const adapters: Tensor[] = [];
  let x = f32("x", "batch", 8);
  for (let layer = 0; layer < 4; layer++) {
    x = withScope(`layer.${layer}`, () => {
      let y = matMul(x, frozen(`weight.${layer}`, 8, 8), { transposeB: true });
      if (adapted.includes(layer)) {
        const [a, b] = [f32(`a.${layer}`, 2, 8), f32(`b.${layer}`, 8, 2)];
        adapters.push(a, b);
        y = add(y, matMul(matMul(x, a, { transposeB: true }), b, { transposeB: true }));
      }
      return gelu(y);
    });
  }
  return { loss: reduceMean(x), adapters };
}

describe("gradients are written only where they are needed", () => {
  test("one adapter in the last layer costs three products, whatever lies below", () => {
    const { loss, adapters } = network([3]);
    // dB, d(x A'), dA: no gradient of a frozen weight, none of x, and the layers below are not entered.
    expect(written(() => gradients(loss, adapters), "matMul", "geluGradient")).toEqual([3, 1]);
  });

  test("each frozen layer above the first adapter costs one product", () => {
    const { loss, adapters } = network([1]);
    expect(written(() => gradients(loss, adapters), "matMul", "geluGradient")).toEqual([3 + 2, 3]);
  });

  test("the backward nodes carry the module that they belong to", () => {
    const { loss, adapters } = network([1]);
    const forward = new Set(nodesInOrder([loss]));
    const backward = nodesInOrder(gradients(loss, adapters) as Tensor[]).filter((node) => !forward.has(node));
    expect(new Set(backward.map((node) => node.scope))).toEqual(new Set(["layer.3'", "layer.2'", "layer.1'", "'"]));
  });

  test("frozen scale and bias of a norm get none, its input does", () => {
    const x = f32("x", 4, 8);
    const loss = reduceSum(layerNorm(x, frozen("scale", 8), frozen("bias", 8), 1e-5));
    // A sum over rows is what a gradient for scale or bias would need.
    expect(written(() => gradients(loss, [x]), "reduceSum", "reduceMean")).toEqual([0, 2]);
  });

  test("a tensor that does not reach the loss gets null", () => {
    const [x, unused] = [f32("x", 3), f32("unused", 3)];
    mul(unused, 2);
    const [dx, none] = gradients(reduceSum(mul(x, 3)), [x, unused]);
    expect(dx?.shape).toEqual([3]);
    expect(none).toBeNull();
  });
});

describe("gradients", () => {
  test("have the shape of their tensor, also named and broadcast", () => {
    const tensors = [f32("x", "batch", "sequence", 8), f32("row", "sequence", 1), f32("w", 8, 5), f32("s")] as const;
    const [x, row, w, s] = tensors;
    const loss = reduceMean(mul(matMul(add(x, row), w), s));
    for (const [position, gradient] of gradients(loss, tensors).entries()) {
      expect(gradient?.shape).toEqual(tensors[position]?.shape);
      expect(gradient?.dtype).toBe("float32");
    }
  });

  test("of several uses are summed once each", () => {
    const x = f32("x", 3);
    const [dx] = gradients(reduceSum(mul(mul(x, x), x)), [x]);
    expect(dx?.origin.kind === "node" && dx.origin.node.op).toBe("add");
  });

  test("of a square need no power", () => {
    const x = f32("x", 3);
    const loss = reduceSum(pow(x, 2));
    expect(nodesInOrder(gradients(loss, [x]) as Tensor[]).map(({ op }) => op)).not.toContain("pow");
  });

  test("do not pass through conditions and integers, as in PyTorch", () => {
    const x = f32("x", 3);
    const gate = cast(greater(x, 0), "float32");
    const steps = cast(cast(x, "int32"), "float32");
    const [dx, dGate] = gradients(reduceSum(add(where(greater(x, 1), mul(x, gate), 0), steps)), [x, gate]);
    expect(dx?.shape).toEqual([3]);
    expect(dGate?.shape).toEqual([3]);
    expect(gradients(reduceSum(steps), [x])).toEqual([null]);
  });

  test("of a tensor that is the loss is one", () => {
    const loss = f32("loss");
    expect(gradients(loss, [loss])[0]).toEqual(scalar(1));
  });
});

describe("refused", () => {
  test("a loss that is no scalar", () => {
    expect(() => gradients(f32("y", "batch", 2), [])).toThrow(
      "gradients of float32[batch,2]: the loss must be a float32 scalar",
    );
    expect(() => gradients(input("n", "int32", []), [])).toThrow("gradients of int32[]");
  });

  test("an operator without a gradient between a trainable tensor and the loss, by name and module", () => {
    const x = f32("x", 3);
    const y = withScope("encoder.layer.0", () => geluGradient(x, erf(x)));
    expect(() => gradients(reduceSum(y), [x])).toThrow(
      "the operator geluGradient has no gradient, but a trainable tensor reaches the loss through it (in encoder.layer.0)",
    );
  });
});
