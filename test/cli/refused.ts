import { existsSync } from "node:fs";
import { readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "vitest";
import { graft } from "./graft.js";

/** A command line that must be refused. */
export interface Refused {
  readonly name: string;
  readonly args: readonly string[];
  readonly code: string;
  /** What the message or the hint must say. */
  readonly says: readonly (string | RegExp)[];
}

/**
 * Runs a command that must end with status 1, one error and one hint, and leave nothing half-written.
 * @param folder holds the adapter `good`, which must stay as it is; `out` must not become an adapter or a model
 */
export async function expectRefusal(folder: string, { args, code, says }: Omit<Refused, "name">): Promise<void> {
  const before = await readdir(folder);
  const adapter = await readFile(join(folder, "good/adapter_model.safetensors"));
  const { status, stdout, stderr } = await graft(folder, args);
  expect(stderr).toMatch(new RegExp(`^error \\[${code}\\]: .+\\nhint: .+\\n$`, "m"));
  for (const text of says) expect(stderr).toMatch(text);
  expect(stderr).not.toMatch(/\n +at /);
  expect(stdout.includes("error")).toBe(false);
  expect(status).toBe(1);
  // A run that fails in the middle leaves its log, never an adapter or a model.
  for (const file of ["adapter_config.json", "adapter_model.safetensors", "model.safetensors", "onnx"]) {
    expect(existsSync(join(folder, "out", file)), file).toBe(false);
  }
  await rm(join(folder, "out"), { recursive: true, force: true });
  expect(await readdir(folder)).toEqual(before);
  expect(await readFile(join(folder, "good/adapter_model.safetensors"))).toEqual(adapter);
}
