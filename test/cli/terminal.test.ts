import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { existsSync, watch } from "node:fs";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { formatBytes, formatDuration, formatNumber } from "#graft/cli/shell/format";
import { precisionSummary, precisionTable } from "#graft/cli/shell/precision-table";
import { oneLine, renderTable } from "#graft/cli/shell/table";
import { predictionOf as made } from "#graft/tasks/probabilities";
import { graft, graftBinary, textModel, workFolder, writeTable } from "./graft.js";

const errorsModule = new URL("../../dist/node/cli/shell/errors.js", import.meta.url).href;
let folder: string;

beforeAll(async () => {
  folder = await workFolder();
  await textModel(join(folder, "bert"));
  await writeTable(join(folder, "train.tsv"), 32);
});

afterAll(() => rm(folder, { recursive: true, force: true }));

/** The exit status as a shell tells it: a process that SIGINT ended has 130, too. */
function statusOf(child: ChildProcess): Promise<number | string | null> {
  return new Promise((resolve) =>
    child.on("close", (code, signal) => resolve(signal === "SIGINT" ? 130 : (code ?? signal))),
  );
}

const endless = ["train", "--model", "bert", "--train", "train.tsv", "--output", "out", "--threads", "1"];

describe("Ctrl-C", () => {
  it("ends after the step, saves, and the run goes on with --resume", async () => {
    const child = spawn(process.execPath, [graftBinary, ...endless, "--max-steps", "100000", "--logging-steps", "5"], {
      cwd: folder,
    });
    let seen = "";
    child.stderr.on("data", (data: Buffer) => {
      const hadBegun = seen.includes("step 5/");
      seen += data.toString();
      if (!hadBegun && seen.includes("step 5/")) child.kill("SIGINT");
    });
    const status = await new Promise((resolve) => child.on("close", resolve));
    expect(seen).toContain("stopping after this step and saving");
    expect(status).toBe(130);
    const stopped = Number(/stopped after step (\d+)/.exec(seen)?.[1]);
    expect(stopped).toBeGreaterThanOrEqual(5);
    expect(existsSync(join(folder, `out/checkpoint-${stopped}/optimizer.safetensors`))).toBe(true);
    expect(existsSync(join(folder, "out/adapter_model.safetensors"))).toBe(true);
    const resumed = await graft(folder, [...endless, "--resume", "--max-steps", String(stopped + 3), "--json"]);
    expect(resumed.stderr).toContain("--max-steps (");
    expect(resumed.status).toBe(0);
    expect(JSON.parse(resumed.stdout).steps).toBe(stopped + 3);
  });
});

describe("Ctrl-C before the first step is done", () => {
  it.each([
    ["while files are read", "model  bert"],
    ["while the first step is prepared", "trainable params"],
  ])("%s ends the program at once, with nothing saved", async (_, awaited) => {
    const child = spawn(process.execPath, [graftBinary, ...endless, "--overwrite", "--logging-steps", "5"], {
      cwd: folder,
    });
    let seen = "";
    const listen = (data: Buffer) => {
      const isFirst = !seen.includes(awaited);
      seen += data.toString();
      if (isFirst && seen.includes(awaited)) child.kill("SIGINT");
    };
    child.stderr.on("data", listen);
    child.stdout.on("data", listen);
    expect(await statusOf(child)).toBe(130);
    expect(seen).not.toContain("stopping after this step");
    expect(seen).not.toContain("step 5/");
  });

  it.runIf(process.platform === "linux")(
    "an output that cannot be made is refused before anything is read",
    async () => {
      const args = endless.map((word) => (word === "out" ? "/proc/x" : word === "bert" ? "missing" : word));
      const refused = await graft(folder, args);
      expect(refused.status).toBe(1);
      expect(refused.stderr).toContain("cannot create /proc/x: nothing can be created in /proc");
    },
  );
});

describe("a run that was stopped", () => {
  const course = ["--max-steps", "40", "--lora-dropout", "0.2", "--learning-rate", "0.01"];
  const args = (output: string) => [...endless.map((word) => (word === "out" ? output : word)), ...course];
  const adapterOf = (output: string) => readFile(join(folder, output, "adapter_model.safetensors"));

  /** Sends SIGINT once or twice as soon as the run says what is awaited each time. */
  async function interrupted(output: string, awaited: readonly string[]): Promise<{ status: unknown; seen: string }> {
    const save = ["--save-strategy", "steps", "--save-steps", "4", "--logging-steps", "1"];
    const child = spawn(process.execPath, [graftBinary, ...args(output), ...save], { cwd: folder });
    let seen = "";
    let sent = 0;
    child.stderr.on("data", (data: Buffer) => {
      seen += data.toString();
      const next = awaited[sent];
      if (next === undefined || !seen.includes(next)) return;
      sent++;
      child.kill("SIGINT");
    });
    return { status: await statusOf(child), seen };
  }

  it("ends with the bytes of one that was not, after one Ctrl-C and after two", async () => {
    expect((await graft(folder, args("whole"))).status).toBe(0);
    const once = await interrupted("once", ["step 6/"]);
    expect(once.status).toBe(130);
    const twice = await interrupted("twice", ["step 6/", "press Ctrl-C again"]);
    expect(twice.status).toBe(130);
    // What the second one left half-written has a temporary name, and the next run removes it.
    const ended = spawnSync(process.execPath, ["-e", ""]).pid;
    const hidden = async () => (await readdir(join(folder, "twice"))).filter((name) => name.startsWith("."));
    await mkdir(join(folder, `twice/.checkpoint-7.tmp-${ended}-0123abcd`));
    await writeFile(join(folder, `twice/.adapter_model.safetensors.tmp-${ended}-0123abcd`), "");
    await writeFile(join(folder, `twice/.other.tmp-${process.pid}-0123abcd`), "");
    for (const output of ["once", "twice"]) {
      const resumed = await graft(folder, [...args(output), "--resume"]);
      expect(resumed.status).toBe(0);
      expect(await adapterOf(output)).toEqual(await adapterOf("whole"));
    }
    expect(await hidden()).toEqual([`.other.tmp-${process.pid}-0123abcd`]);
  });

  it("within a save, by a second Ctrl-C, goes on from the checkpoint before", async () => {
    const output = join(folder, "within");
    await mkdir(output);
    const watcher = watch(output);
    const save = ["--overwrite", "--save-steps", "4", "--logging-steps", "1"];
    const child = spawn(process.execPath, [graftBinary, ...args("within"), ...save], { cwd: folder });
    watcher.on("change", (_, name) => {
      if (!String(name).startsWith(".checkpoint-8.tmp-")) return;
      watcher.close();
      child.kill("SIGINT");
      child.kill("SIGTERM");
    });
    expect(await statusOf(child)).toBe(130);
    expect((await graft(folder, [...args("within"), "--resume"])).status).toBe(0);
    expect((await readdir(output)).filter((name) => name.startsWith("."))).toEqual([]);
    expect(await adapterOf("within")).toEqual(await adapterOf("whole"));
  });

  it("in the evaluation after training keeps the adapter and ends with status 130", async () => {
    await writeTable(join(folder, "long.tsv"), 20_000);
    const test = ["--test", "long.tsv", "--report-to", "none", "--save-strategy", "no"];
    const child = spawn(process.execPath, [graftBinary, ...args("tested"), ...test], { cwd: folder });
    const output = join(folder, "tested");
    let seen = "";
    child.stderr.on("data", (data: Buffer) => {
      seen += data.toString();
    });
    const poll = setInterval(() => {
      if (!existsSync(join(output, "adapter_config.json"))) return;
      clearInterval(poll);
      child.kill("SIGINT");
    }, 5);
    expect(await new Promise((resolve) => child.on("close", resolve))).toBe(130);
    expect(seen).toContain("stopped: the adapter is in tested");
    expect(existsSync(join(output, "graft.json"))).toBe(true);
  });
});

describe("output that is no terminal", () => {
  it("holds no control characters, and standard output the result alone", async () => {
    const run = ["--max-steps", "6", "--logging-steps", "2", "--eval", "train.tsv", "--eval-strategy", "epoch"];
    const plain = await graft(folder, [...endless, ...run, "--overwrite"]);
    expect(plain.status).toBe(0);
    for (const text of [plain.stdout, plain.stderr]) expect(text.replaceAll("\n", "")).not.toMatch(/\p{Cc}/u);
    expect(plain.stdout).toMatch(/^trainable params: .*\nsteps +6 /);
    const json = await graft(folder, [...endless, ...run, "--overwrite", "--json"]);
    expect(json.stdout.trimEnd().split("\n")).toHaveLength(1);
    expect(JSON.parse(json.stdout).steps).toBe(6);
    for (const args of [
      ["eval", "out", "train.tsv"],
      ["merge", "out", "merged"],
      ["export", "out", "exported"],
      ["inspect", "out"],
      ["inspect", "bert"],
    ]) {
      const { stdout, status } = await graft(folder, [...args, "--json"]);
      expect(status).toBe(0);
      expect(stdout.trimEnd().split("\n")).toHaveLength(1);
      expect(JSON.parse(stdout)).toBeTypeOf("object");
    }
  });
});

it("a run leaves no trace of ONNX Runtime's telemetry", () => {
  const { ORT_DISABLE_TELEMETRY: _, ...env } = process.env;
  const args = [graftBinary, ...endless.map((word) => (word === "out" ? "quiet" : word)), "--max-steps", "1"];
  const { pid, status } = spawnSync(process.execPath, args, { cwd: folder, env });
  expect(status).toBe(0);
  expect(existsSync(`/tmp/mat-debug-${pid}.log`)).toBe(false);
});

describe("faults of Graft", () => {
  const script = `const { reportError } = await import(${JSON.stringify(errorsModule)});
    process.exitCode = reportError(new TypeError("x is not a function\\nmore"), process.argv[1] === "json");`;
  const report = (mode: string, debug: string) => {
    const env = { ...process.env, GRAFT_DEBUG: debug };
    return spawnSync(process.execPath, ["--input-type=module", "-e", script, mode], { encoding: "utf8", env });
  };

  it("are one line and how to see the stack, which is shown on demand only", () => {
    const plain = report("text", "0");
    expect(plain.stderr).toMatch(/^error \[unexpected\]: x is not a function\nhint: .*GRAFT_DEBUG=1.*\n$/);
    expect(plain.status).toBe(1);
    expect(report("text", "1").stderr).toMatch(/\n +at /);
    expect(JSON.parse(report("json", "0").stdout).error.code).toBe("unexpected");
  });
});

describe("help", () => {
  for (const verb of ["train", "eval", "predict", "merge", "export", "inspect", "inspect-data"]) {
    it(`graft ${verb} --help shows an example`, async () => {
      const { status, stdout } = await graft(folder, [verb, "--help"]);
      expect(status).toBe(0);
      expect(stdout).toMatch(new RegExp(`Examples:\n {2}# .+\n {2}\\$ graft ${verb} `));
    });
  }

  it("names options as flags, and says where each verb takes the labels from", async () => {
    const training = (await graft(folder, ["train", "--help"])).stdout;
    expect(training).not.toMatch(/\b[a-z]+[A-Z]\w/);
    expect(training).toMatch(/Default: from the\s+training data/);
    for (const verb of ["eval", "predict", "merge", "export"]) {
      const { stdout } = await graft(folder, [verb, "--help"]);
      expect(stdout.replace(/\s+/g, " ")).toContain("order of their ids. Default: those of graft.json or config.json");
    }
  });

  it("graft alone shows the verbs and counts as wrong usage; --version prints the version", async () => {
    expect(await graft(folder, [])).toMatchObject({
      status: 2,
      stdout: expect.stringContaining("graft train run.yaml"),
    });
    expect((await graft(folder, ["--version"])).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });
});

describe("what is shown", () => {
  it("tables align, wide characters included, and data cannot steer the terminal", () => {
    const columns = [{ title: "label" }, { title: "n", align: "right" }] as const;
    expect(
      renderTable(columns, [
        ["고양이", "1"],
        ["a", "20"],
        ["👩‍👩‍👧", "3"],
      ]),
    ).toBe("label    n\n------  --\n고양이   1\na       20\n👩‍👩‍👧       3");
    expect(oneLine("a\u001b[31m\nb")).toBe("a\\u001b[31m\\nb");
  });

  it("int8's decisions: what stays float32 first, then the largest errors, and why", () => {
    const products = Array.from({ length: 30 }, (_, at) => ({
      product: `layer.${at}.weight (forward)`,
      error: at === 3 ? 0.0712 : at === 4 ? Number.NaN : at / 1000,
      keptFloat32: at === 3 || at === 4,
    }));
    const report = { used: "int8", reason: "", speedup: 2.04, products } as const;
    expect(precisionSummary(report)).toBe("28 of 30 in int8 (a product is 2.0x as fast)");
    const lines = precisionTable(report, 5)?.split("\n") ?? [];
    expect(lines[2]).toMatch(/^layer\.4\.weight \(forward\) +- +f32 +int8 gives no finite numbers$/);
    expect(lines[3]).toMatch(/^layer\.3\.weight \(forward\) +7\.12 % +f32 +above 5 %$/);
    expect(lines[4]).toMatch(/^layer\.29\.weight \(forward\) +2\.90 % +int8 +at most 5 %$/);
    expect(lines[9]).toBe("... and 23 more with smaller errors (--all shows them)");
    expect(precisionTable(report, 30)?.split("\n")).toHaveLength(32);
    const unused = { used: "f32", reason: "int8 products are not faster here", products: [] } as const;
    expect(precisionSummary(unused)).toBe(unused.reason);
    expect(precisionTable(unused, 5)).toBeUndefined();
  });

  it("numbers, bytes and durations", () => {
    expect([0.123456, 12, 5e-7, Number.NaN].map(formatNumber)).toEqual(["0.1235", "12", "5.000e-7", "NaN"]);
    expect([999, 5_242_880, 999_999].map(formatBytes)).toEqual(["999 B", "5.24 MB", "1.00 MB"]);
    expect([12.34, 245, 3723].map(formatDuration)).toEqual(["12.3 s", "4:05 min", "1:02:03 h"]);
  });

  it("probabilities by problem type", () => {
    const config = { problemType: null, numLabels: 2, id2label: { 0: "no", 1: "yes" } } as never;
    const predictionOf = (...args: Parameters<typeof made>) => made(...args).json;
    const two = predictionOf([1000, 1000], config, 5);
    expect(two).toEqual({
      labels: [
        { label: "no", id: 0, probability: 0.5 },
        { label: "yes", id: 1, probability: 0.5 },
      ],
    });
    expect(predictionOf([0, Math.log(3)], config, 1)).toMatchObject({ labels: [{ label: "yes" }] });
    const several = { ...(config as object), problemType: "multi_label_classification" } as never;
    expect(predictionOf([0, -800], several, 2)).toMatchObject({ labels: [{ probability: 0.5 }, { probability: 0 }] });
    const value = { ...(config as object), problemType: "regression" } as never;
    expect(predictionOf([2.5], value, 1)).toEqual({ value: 2.5 });
  });
});
