import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const script = fileURLToPath(new URL("../../reference/check_onnx.py", import.meta.url));

/** The Python with `onnx` and PEFT that some tests ask; undefined where they are left out. */
export const python = process.env.GRAFT_REFERENCE_PYTHON || undefined;

/** Said in the name of a test that needs it. */
export const withPython = python ? "" : " (left out: GRAFT_REFERENCE_PYTHON names no Python)";

/** What the official checker says of one file. */
export interface CheckerReport {
  readonly file: string;
  readonly ok: boolean;
  readonly error: string | null;
}

/** Checks every .onnx file below a folder. @throws Error with Python's own words where it does not run */
export async function checkFolder(folder: string): Promise<CheckerReport[]> {
  // The script prints a line for each file; it exits with 1 when one is wrong.
  const { stdout, stderr } = await promisify(execFile)(python as string, [script, folder], { maxBuffer: 1e8 }).catch(
    (error: { stdout?: string; stderr?: string }) => error,
  );
  if (!stdout) throw new Error(`${python} ${script} said nothing but: ${stderr ?? "it could not be started"}`);
  return stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as CheckerReport);
}
