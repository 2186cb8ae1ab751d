import { fileURLToPath } from "node:url";
import { openSafetensors, readAllTensors, type SafetensorsFile } from "#graft/safetensors/read";
import { type TensorData, toFloat32 } from "#graft/tensor-data";

/** Path of a file or folder below test/golden. */
export function goldenPath(path: string): string {
  return fileURLToPath(new URL(`../golden/${path}`, import.meta.url));
}

/** A golden file's header and tensors. */
export async function readGolden(path: string): Promise<{ file: SafetensorsFile; tensors: Map<string, TensorData> }> {
  const file = await openSafetensors(goldenPath(path));
  return { file, tensors: await readAllTensors(file) };
}

/** |found - wanted| / |wanted| over all elements; infinite where the lengths differ. */
export function relativeL2(found: TensorData | undefined, wanted: TensorData | undefined): number {
  if (!found || !wanted || found.data.length !== wanted.data.length) return Number.POSITIVE_INFINITY;
  const a = toFloat32(found);
  const b = toFloat32(wanted);
  let difference = 0;
  let norm = 0;
  for (let i = 0; i < a.length; i++) {
    difference += ((a[i] as number) - (b[i] as number)) ** 2;
    norm += (b[i] as number) ** 2;
  }
  return norm === 0 ? Math.sqrt(difference) : Math.sqrt(difference / norm);
}
