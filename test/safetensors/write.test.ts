import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openSafetensors, readAllTensors } from "#graft/safetensors/read";
import { type WritableTensor, writeSafetensors } from "#graft/safetensors/write";
import { type TensorData, tensorData } from "#graft/tensor-data";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "graft-write-"));
});
afterEach(() => rm(folder, { recursive: true }));

const ramp = tensorData("float32", [2, 2], new Float32Array([1, 2, 3, 4]));
const write = (tensors: Record<string, WritableTensor>, metadata?: Record<string, string>) =>
  writeSafetensors(join(folder, "w.safetensors"), new Map(Object.entries(tensors)), metadata);

test("a lazily made tensor is written like a ready one", async () => {
  await write({ a: ramp, b: { dtype: "float32", shape: [2, 2], load: async () => ramp } });
  const tensors = await readAllTensors(await openSafetensors(join(folder, "w.safetensors")));
  expect(tensors.get("b")).toEqual(ramp);
  expect(tensors.get("a")).toEqual(ramp);
});

test("a view into a larger buffer writes its own elements only", async () => {
  const view = tensorData("float32", [2], new Float32Array([9, 1, 2, 9]).subarray(1, 3));
  await write({ view });
  const tensors = await readAllTensors(await openSafetensors(join(folder, "w.safetensors")));
  expect(tensors.get("view")?.data).toEqual(new Float32Array([1, 2]));
});

const refused: [string, Record<string, WritableTensor>, Record<string, string>, string][] = [
  ["the reserved name", { __metadata__: ramp }, {}, "invalid-argument"],
  ["half a surrogate pair in a name", { "\ud800": ramp }, {}, "invalid-argument"],
  ["half a surrogate pair in the metadata", { a: ramp }, { note: "\udc00" }, "invalid-argument"],
  ["data that is not the shape's", { a: { ...ramp, shape: [3] } as TensorData }, {}, "shape-mismatch"],
  [
    "a lazy tensor of another shape",
    { a: { dtype: "float32", shape: [3], load: async () => ramp } },
    {},
    "shape-mismatch",
  ],
];

test.each(refused)("%s is refused and the old file stays", async (_what, tensors, metadata, code) => {
  await write({ old: ramp });
  const before = await readFile(join(folder, "w.safetensors"));
  await expect(write(tensors, metadata)).rejects.toMatchObject({ name: "GraftError", code });
  expect(await readFile(join(folder, "w.safetensors"))).toEqual(before);
  expect(await readdir(folder)).toEqual(["w.safetensors"]);
});
