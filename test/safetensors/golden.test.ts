import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openSafetensors, readAllTensors } from "#graft/safetensors/read";
import { writeSafetensors } from "#graft/safetensors/write";
import { fromFloat32, type TensorData, toFloat32 } from "#graft/tensor-data";

interface GoldenFile {
  metadata: Record<string, string>;
  tensors: Record<string, { dtype: string; shape: number[]; values: string[] }>;
}

const golden = fileURLToPath(new URL("../golden/safetensors/", import.meta.url));
const values: Record<string, GoldenFile> = JSON.parse(await readFile(join(golden, "values.json"), "utf8"));
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "graft-safetensors-"));
});
afterAll(() => rm(folder, { recursive: true }));

/** The elements spelled as Python prints them. */
function spelled(tensor: TensorData): string[] {
  if (tensor.dtype === "bool") return [...tensor.data].map((value) => (value ? "True" : "False"));
  if (!tensor.dtype.includes("float")) return [...tensor.data].map(String);
  return [...(tensor.dtype === "float64" ? (tensor.data as Float64Array) : toFloat32(tensor))].map(String);
}

describe.each(Object.keys(values))("%s.safetensors, written by Python", (name) => {
  const path = join(golden, `${name}.safetensors`);
  const expected = values[name] as GoldenFile;

  test("is read with the same names, dtypes, shapes and values", async () => {
    const file = await openSafetensors(path);
    const tensors = await readAllTensors(file);
    expect(file.metadata).toEqual(expected.metadata);
    expect([...tensors.keys()].sort()).toEqual(Object.keys(expected.tensors).sort());
    for (const [tensorName, tensor] of tensors) {
      const { dtype, shape, values: elements } = expected.tensors[tensorName] as GoldenFile["tensors"][string];
      expect([tensorName, tensor.dtype, tensor.shape]).toEqual([tensorName, dtype, shape]);
      const numbers = dtype.includes("float");
      expect(numbers ? spelled(tensor).map(Number) : spelled(tensor)).toEqual(
        numbers ? elements.map(Number) : elements,
      );
    }
  });

  test("is written back byte for byte, whatever the order in which tensors are given", async () => {
    const file = await openSafetensors(path);
    const tensors = [...(await readAllTensors(file))].reverse();
    const copy = join(folder, `${name}.safetensors`);
    await writeSafetensors(copy, new Map(tensors), file.metadata);
    expect((await readFile(copy)).equals(await readFile(path))).toBe(true);
  });
});

test("16-bit floats survive the way through f32 and back to the bit", async () => {
  const tensors = await readAllTensors(await openSafetensors(join(golden, "every_dtype.safetensors")));
  let checked = 0;
  for (const tensor of tensors.values()) {
    if (tensor.dtype !== "float16" && tensor.dtype !== "bfloat16") continue;
    expect(fromFloat32(tensor.dtype, toFloat32(tensor))).toEqual(tensor.data);
    checked++;
  }
  expect(checked).toBe(4);
});
