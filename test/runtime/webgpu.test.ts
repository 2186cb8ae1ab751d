import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { chromiumFolder, softwareDriver } from "../browser/chromium.js";
import { expectClose } from "../browser/numbers.js";
import { type TinyRun, tinyRun } from "../browser/tiny-run.js";

const script = fileURLToPath(new URL("./webgpu-run.ts", import.meta.url));
const golden = fileURLToPath(new URL("../golden", import.meta.url));

const software = {
  LD_LIBRARY_PATH: chromiumFolder,
  VK_ICD_FILENAMES: softwareDriver,
  VK_DRIVER_FILES: softwareDriver,
  XDG_RUNTIME_DIR: "/tmp",
};

/** What the run printed, or the error that it ended with. */
function runWith(environment: Readonly<Record<string, string>>): Promise<TinyRun | Error> {
  const env = { ...process.env, ...environment };
  return new Promise((resolve, reject) => {
    execFile(process.execPath, ["--import", "tsx", script], { env }, (error, stdout) => {
      try {
        resolve(error ?? (JSON.parse(stdout) as TinyRun));
      } catch {
        reject(new Error(`no JSON: ${stdout}`));
      }
    });
  });
}

/** ONNX Runtime's own words: any other failure is one of the test. */
const hasNoAdapter = (outcome: TinyRun | Error): boolean =>
  outcome instanceof Error && outcome.message.includes("Failed to get a WebGPU adapter");

test("backend webgpu in Node gives the processor's losses and logits where there is an adapter", async (context) => {
  let run = await runWith({});
  if (hasNoAdapter(run)) {
    if (!existsSync(softwareDriver)) {
      console.warn(`WebGPU in Node skipped: no adapter, and no software driver at ${softwareDriver}`);
      context.skip("no WebGPU adapter");
    }
    run = await runWith(software);
  }
  if (run instanceof Error) throw run;
  const expected = await tinyRun({ golden, backend: "cpu", threads: 1 });
  expect(run.backend).toBe("webgpu");
  expectClose(run.before, expected.before);
  expectClose(run.losses, expected.losses);
  expectClose(run.logits, expected.logits);
}, 180_000);
