import { spawn, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { formatBytes, formatDuration, formatNumber } from "#graft/cli/shell/format";
import { oneLine, renderTable } from "#graft/cli/shell/table";
import { predictionOf } from "#graft/cli/work/probabilities";
import { graft, graftBinary, textModel, workFolder, writeTable } from "./graft.js";

const errorsModule = new URL("../../dist/cli/shell/errors.js", import.meta.url).href;
let folder: string;

beforeAll(async () => {
  folder = await workFolder();
  await textModel(join(folder, "bert"));
  await writeTable(join(folder, "train.tsv"), 32);
});

afterAll(() => rm(folder, { recursive: true, force: true }));

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
  for (const verb of ["train", "eval", "predict", "merge", "export", "inspect"]) {
    it(`graft ${verb} --help shows an example`, async () => {
      const { status, stdout } = await graft(folder, [verb, "--help"]);
      expect(status).toBe(0);
      expect(stdout).toMatch(new RegExp(`Examples:\n {2}# .+\n {2}\\$ graft ${verb} `));
    });
  }

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
      ]),
    ).toBe("label    n\n------  --\n고양이   1\na       20");
    expect(oneLine("a\u001b[31m\nb")).toBe("a\\u001b[31m\\nb");
  });

  it("numbers, bytes and durations", () => {
    expect([0.123456, 12, 5e-7, Number.NaN].map(formatNumber)).toEqual(["0.1235", "12", "5.000e-7", "NaN"]);
    expect([999, 5_242_880, 999_999].map(formatBytes)).toEqual(["999 B", "5.24 MB", "1.00 MB"]);
    expect([12.34, 245, 3723].map(formatDuration)).toEqual(["12.3 s", "4:05 min", "1:02:03 h"]);
  });

  it("probabilities by problem type", () => {
    const config = { problemType: null, numLabels: 2, id2label: { 0: "no", 1: "yes" } } as never;
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
