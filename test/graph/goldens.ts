import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { openSafetensors, readAllTensors } from "#graft/safetensors/read";
import type { TensorData } from "#graft/tensor-data";

/** One case of reference/op_cases.py with the numbers that PyTorch computed for it. */
export interface GoldenCase {
  readonly op: string;
  readonly case: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Readonly<Record<string, unknown>>;
  /** Inputs whose gradient autograd computed. */
  readonly differentiated: readonly string[];
  readonly tensors: ReadonlyMap<string, TensorData>;
}

const folder = fileURLToPath(new URL("../golden/ops/", import.meta.url));

async function load(): Promise<GoldenCase[]> {
  const entries: Omit<GoldenCase, "tensors">[] = JSON.parse(readFileSync(`${folder}manifest.json`, "utf8"));
  const files = new Map<string, Map<string, TensorData>>();
  for (const op of new Set(entries.map((entry) => entry.op))) {
    files.set(op, await readAllTensors(await openSafetensors(`${folder}${op}.safetensors`)));
  }
  return entries.map((entry) => {
    const prefix = `${entry.case}/`;
    const own = [...(files.get(entry.op) ?? [])].filter(([name]) => name.startsWith(prefix));
    return { ...entry, tensors: new Map(own.map(([name, tensor]) => [name.slice(prefix.length), tensor])) };
  });
}

export const goldenCases = await load();

/** A tensor of a case: an input, an output, `gradOut` or `grad.<input>`. */
export function goldenTensor(golden: GoldenCase, name: string): TensorData {
  const tensor = golden.tensors.get(name);
  if (!tensor) throw new Error(`the golden of ${golden.op} ${golden.case} has no ${name}`);
  return tensor;
}
