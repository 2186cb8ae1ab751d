import { expect, test } from "vitest";
import { add, type Dim, initializer, input, mul, scalar, type Tensor } from "#graft/graph/index";
import { standardLowering } from "#graft/onnx/index";
import { lowered, withSession } from "../../graph/session.js";

function fixed(name: string, ...values: number[]): Tensor {
  const shape = [values.length];
  const data = { dtype: "float32", shape, data: Float32Array.from(values) } as const;
  return initializer(name, data, { kind: "memory", data });
}

const f32 = (name: string, ...shape: Dim[]): Tensor => input(name, "float32", shape);

test("initialisers of one name are told apart", async () => {
  const graph = lowered({ y: add(fixed("weight", 1, 2), fixed("weight", 10, 20)) }, standardLowering);
  await withSession(graph, async (run) => {
    const { y } = await run({});
    expect(y?.data).toEqual(Float32Array.of(11, 22));
  });
});

test("equal constants are one, others are not", () => {
  const x = f32("x", 2);
  const { initializer: constants } = lowered(
    { y: add(mul(x, 0.5), mul(x, scalar(0.5))), z: mul(x, 0.25) },
    standardLowering,
  );
  expect(constants.map(({ rawData }) => new Float32Array(rawData?.slice().buffer as ArrayBuffer)[0])).toEqual([
    0.5, 0.25,
  ]);
});

test("two inputs of one name are refused", () => {
  expect(() => lowered({ y: add(f32("lora", 2), f32("lora", 2)) }, standardLowering)).toThrow(
    'two tensors of the graph are called "lora"',
  );
});

test("outputs may be inputs, initialisers, and one tensor under two names", async () => {
  const [x, weight] = [f32("x", 2), fixed("weight", 3, 4)];
  const sum = add(x, weight);
  const graph = lowered({ same: x, weights: weight, sum, again: sum }, standardLowering);
  await withSession(graph, async (run) => {
    const results = await run({ x: { dtype: "float32", shape: [2], data: Float32Array.of(1, 1) } });
    expect(Object.entries(results).map(([name, { data }]) => [name, [...(data as Float32Array)]])).toEqual([
      ["same", [1, 1]],
      ["weights", [3, 4]],
      ["sum", [4, 5]],
      ["again", [4, 5]],
    ]);
  });
});
