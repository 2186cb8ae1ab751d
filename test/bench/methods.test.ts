import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { tuners } from "#graft/peft/index";
import { methodJobs } from "../../bench/method-jobs.js";
import { bestOf, chosenJobs, type MethodRun, methodsBenchmark, methodsTable } from "../../bench/methods.js";
import type { BenchOptions } from "../../bench/options.js";

const run = (rate: number, accuracy: number | null): MethodRun => ({
  method: "lora",
  rate,
  rows: 100,
  threads: 2,
  seed: 0,
  cpu: "a CPU",
  accuracy,
  trained: 74_498,
  seconds: 12.34,
  peakMemoryMB: 321.5,
  error: accuracy === null ? "the loss is not finite" : null,
});

const options: BenchOptions = {
  folder: "",
  peers: [],
  threads: 2,
  steps: 8,
  rounds: 2,
  backend: "cpu",
  seeds: [0],
  rows: 100,
  only: ["lora"],
};

describe("every method on one job", () => {
  it("has a job for each registered method, with names and three rates that rise", () => {
    const registered = tuners().map(({ name }) => name);
    expect(registered.filter((name) => !methodJobs.some(({ method }) => method === name))).toEqual([]);
    expect(methodJobs.filter(({ method }) => !registered.includes(method))).toEqual([]);
    expect(new Set(methodJobs.map(({ name }) => name)).size).toBe(methodJobs.length);
    for (const { name, rates } of methodJobs)
      expect(
        [...rates].sort((a, b) => a - b),
        name,
      ).toEqual(rates);
  });

  it("refuses names that there are none of", () => {
    expect(chosenJobs(["ft", "lora"]).map(({ name }) => name)).toEqual(["ft", "lora"]);
    expect(() => chosenJobs(["lora", "lorra"])).toThrow("--only lorra: there are ft, ");
  });

  it("takes the best of a method's runs, if one went through", () => {
    expect(bestOf([run(1e-3, 0.8), run(2e-3, null), run(3e-3, 0.85), run(4e-3, 0.85)])?.rate).toBe(3e-3);
    expect(bestOf([run(1e-3, null)])).toBeUndefined();
  });

  it("makes no run again that the folder holds, and writes table and figures", async () => {
    const folder = await mkdtemp(join(tmpdir(), "graft-methods-"));
    onTestFinished(() => rm(folder, { recursive: true }));
    const [job] = chosenJobs(["lora"]);
    const [low, middle, high] = job!.rates;
    const runs = [run(low, 0.8), run(middle, 0.8567), run(high, null)];
    for (const one of runs) await writeFile(join(folder, `lora-${one.rate}.json`), JSON.stringify(one));
    const results = await methodsBenchmark(folder, options);
    expect(results).toEqual([{ job, best: runs[1], runs }]);
    expect(JSON.parse(await readFile(join(folder, "methods.json"), "utf8"))).toEqual(results);
    const table = await readFile(join(folder, "methods.md"), "utf8");
    expect(table).toBe(methodsTable(results));
    expect(table).toContain(
      `| lora | - | 85.7 % | ${middle} | 74,498 | 12.3 s | 322 MiB | ${low}: 80.0 %; ${middle}: 85.7 %; ${high}: error |`,
    );
  });
});
