import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { encodeModel, modelOf, standardLowering } from "#graft/onnx/index";
import { goldenGraph } from "../graph/golden-graph.js";
import { goldenCases } from "../graph/goldens.js";
import { lowered } from "../graph/session.js";
import { checkFolder, python, withPython } from "./official-checker.js";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "graft-checker-"));
});
afterAll(() => rm(folder, { recursive: true }));

test.runIf(python)(`the official checker accepts every golden graph, forward and backward${withPython}`, async () => {
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
  const reports = await checkFolder(folder);
  expect(reports.filter(({ ok }) => !ok)).toEqual([]);
  expect(reports).toHaveLength(written);
});
