import { readFile, writeFile } from "node:fs/promises";
import { isDeepStrictEqual } from "node:util";
import { Uint8ArrayReader, Uint8ArrayWriter, ZipReader } from "@zip.js/zip.js/lib/zip-core-custom.js";
import { GraftError } from "#graft/errors";
import { openPickledWeights } from "#graft/pickle/index";
import { readAllTensors } from "#graft/safetensors/read";
import { bytesOf } from "#graft/tensor-data";
import { mutated, seeded, storedZip } from "./mutants.js";

/** Longest time that reading one small file may take, in milliseconds: far above a slow machine's worst. */
const LONGEST = 5000;

const codes: readonly string[] = ["invalid-pickle", "pickle-refused"];

interface Original {
  readonly name: string;
  readonly bytes: Uint8Array;
  /** Whether checksums guard it: what is read in spite of a mutation must be what was written. */
  readonly isGuarded: boolean;
  /** Its own files, where it is a zip: its pickle is mutated below correct checksums, too. */
  readonly inside: readonly (readonly [name: string, bytes: Uint8Array])[] | null;
}

type Outcome = { readonly tensors: unknown } | { readonly code: string };

async function outcome(path: string): Promise<Outcome> {
  try {
    const file = await openPickledWeights(path);
    const size = [...file.entries.values()].map(({ byteLength }) => byteLength);
    const tensors = await readAllTensors(file);
    const all = [...tensors].map(([name, tensor]) => [name, tensor.dtype, tensor.shape, [...bytesOf(tensor)]]);
    return { tensors: [all, size] };
  } catch (error) {
    if (error instanceof GraftError && codes.includes(error.code)) return { code: error.code };
    throw error;
  }
}

/** The files inside of a zip of torch's. */
async function insideOf(bytes: Uint8Array): Promise<Original["inside"]> {
  if (bytes[0] !== 0x50) return null;
  const entries = await new ZipReader(new Uint8ArrayReader(bytes)).getEntries();
  return Promise.all(
    entries.map(async (entry) => {
      if (entry.directory) throw new Error(`${entry.filename} is a folder`);
      const own = await entry.getData(new Uint8ArrayWriter(), { useWebWorkers: false });
      return [entry.filename.replace(/^[^/]*\//, ""), own] as const;
    }),
  );
}

/**
 * Reads mutated copies of files: each is refused with one of the reader's own errors, or, where checksums guard it, read
 * as it was written; and nothing takes long.
 * @param folder for the mutants
 * @returns how often each outcome came
 * @throws Error naming the seed of a mutant that breaks this
 */
export async function fuzz(
  paths: readonly string[],
  folder: string,
  count: number,
  firstSeed = 0,
): Promise<Record<string, number>> {
  const originals: (Original & { readonly read: Outcome })[] = [];
  for (const path of paths) {
    const bytes = new Uint8Array(await readFile(path));
    const inside = await insideOf(bytes);
    originals.push({ name: path, bytes, isGuarded: bytes[0] === 0x50, inside, read: await outcome(path) });
  }
  const outcomes: Record<string, number> = {};
  const mutant = `${folder}/mutant.pt`;
  for (let seed = firstSeed; seed < firstSeed + count; seed++) {
    const below = seeded(seed);
    const { name, bytes, isGuarded, inside, read } = originals[below(originals.length)] as (typeof originals)[number];
    const isInner = inside !== null && below(2) === 0;
    const made = isInner
      ? storedZip(inside.map(([file, own]) => [file, file === "data.pkl" ? mutated(own, below) : own]))
      : mutated(bytes, below);
    await writeFile(mutant, made);
    const start = performance.now();
    const found = await outcome(mutant).catch((error: unknown) => {
      throw new Error(`seed ${seed} of ${name} fails`, { cause: error });
    });
    const took = performance.now() - start;
    if (took > LONGEST) throw new Error(`seed ${seed} of ${name} takes ${Math.round(took)} ms`);
    if ("tensors" in found && isGuarded && !isInner && !isDeepStrictEqual(found, read)) {
      throw new Error(`seed ${seed} of ${name} is read as something else`);
    }
    const key = `${isInner ? "pickle inside" : "file"}: ${"code" in found ? found.code : "read"}`;
    outcomes[key] = (outcomes[key] ?? 0) + 1;
  }
  return outcomes;
}
