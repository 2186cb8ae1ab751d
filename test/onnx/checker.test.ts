import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { encodeModel, modelOf, standardLowering } from "#graft/onnx/index";
import { goldenGraph } from "../graph/golden-graph.js";
import { goldenCases } from "../graph/goldens.js";
import { lowered } from "../graph/session.js";

const python = process.env.GRAFT_REFERENCE_PYTHON;
const script = fileURLToPath(new URL("../../reference/check_onnx.py", import.meta.url));

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "graft-checker-"));
});
afterAll(() => rm(folder, { recursive: true }));

test.runIf(python)(
  "the official checker accepts every golden graph, forward and backward (GRAFT_REFERENCE_PYTHON)",
  async () => {
    let written = 0;
    for (const sizes of ["static", "symbolic"] as const) {
      await mkdir(join(folder, sizes));
      for (const golden of goldenCases) {
        const { outputs, inputs } = goldenGraph(golden, sizes);
        const model = encodeModel(modelOf(lowered(outputs, standardLowering, inputs)));
        await writeFile(join(folder, sizes, `${golden.op}-${golden.case}.onnx`), model);
        written++;
      }
    }
    // The script prints a line for each file; it exits with 1 when one is wrong.
    const { stdout } = await promisify(execFile)(python as string, [script, folder], { maxBuffer: 1e8 }).catch(
      (error: { stdout: string }) => error,
    );
    const reports: { file: string; ok: boolean; error: string | null }[] = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(reports.filter(({ ok }) => !ok)).toEqual([]);
    expect(reports).toHaveLength(written);
  },
);
