import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("..", import.meta.url));

export interface ChildResult {
  readonly status: number;
  /** What ended it from outside, where something did. */
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
  /** Seconds from the start of the process to its end, and to its first output. */
  readonly seconds: number;
  readonly firstOutputSeconds: number;
}

/** Runs a program to its end in the repository's root. */
export function runChild(command: string, args: readonly string[]): Promise<ChildResult> {
  return new Promise((resolve, reject) => {
    const start = performance.now();
    const elapsed = (): number => (performance.now() - start) / 1000;
    // Python holds back what it writes into a pipe otherwise.
    const environment = { ...process.env, PYTHONUNBUFFERED: "1" };
    const child = spawn(command, args, { cwd: root, env: environment, stdio: ["ignore", "pipe", "pipe"] });
    let stdout = "";
    let stderr = "";
    let firstOutputSeconds = 0;
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      if (stdout === "") firstOutputSeconds = elapsed();
      stdout += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text;
    });
    child.on("error", reject);
    child.on("close", (code, signal) =>
      resolve({ status: code ?? 1, signal, stdout, stderr, seconds: elapsed(), firstOutputSeconds }),
    );
  });
}

/** A side that did not run, and why. */
export class SkippedSide extends Error {}

/** The JSON of a program's last line. @throws SkippedSide with the reason that the program gave */
export function jsonOf<T>({ status, signal, stdout, stderr }: ChildResult): T {
  const last = stdout.trim().split("\n").at(-1) ?? "";
  if (status === 0) return JSON.parse(last) as T;
  const said = last.startsWith("{") ? (JSON.parse(last) as { error?: { message?: string } }).error?.message : undefined;
  throw new SkippedSide(
    said ?? (stderr.trim().split("\n").slice(-3).join(" | ") || `ended with ${signal ?? `status ${status}`}`),
  );
}

/** Runs one of bench/sides in a process of its own. */
export function runSide(name: string, options: Readonly<Record<string, unknown>>): Promise<ChildResult> {
  const script = fileURLToPath(new URL(`./sides/${name}.js`, import.meta.url));
  return runChild(process.execPath, [script, JSON.stringify(options)]);
}

/** The interpreter that GRAFT_REFERENCE_PYTHON names. */
export function referencePython(): string | undefined {
  return process.env.GRAFT_REFERENCE_PYTHON || undefined;
}

export const WITHOUT_PYTHON = "GRAFT_REFERENCE_PYTHON names no Python with torch, transformers and peft";

/** Runs a script of reference/. @throws SkippedSide without a Python */
export async function runReference(script: string, args: readonly string[]): Promise<ChildResult> {
  const python = referencePython();
  if (python === undefined) throw new SkippedSide(WITHOUT_PYTHON);
  return runChild(python, [`reference/${script}`, ...args]);
}
