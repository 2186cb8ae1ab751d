import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { goldenFolder } from "./golden.js";

/** A temporary folder that is removed after the test. */
export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "graft-models-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** A copy of a golden model that the test may spoil; `config` is merged into its config.json. */
export async function copyOf(name: string, config: Record<string, unknown> = {}): Promise<string> {
  const folder = await temporaryFolder();
  await cp(goldenFolder(name), folder, { recursive: true });
  const path = join(folder, "config.json");
  const changed = { ...JSON.parse(await readFile(path, "utf8")), ...config };
  await writeFile(path, JSON.stringify(changed));
  return folder;
}
