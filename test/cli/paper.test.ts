import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { AutoModelForSequenceClassification, getPeftModel, LoraConfig } from "graft-peft";
import { beforeAll, expect, test } from "vitest";
import { graft, workFolder } from "./graft.js";

const config = {
  model_type: "bert",
  vocab_size: 30,
  hidden_size: 16,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  intermediate_size: 32,
  max_position_embeddings: 16,
};
let folder: string;

/** An adapter with updates that are not zero, beside its base. */
async function adapter(name: string, r: number, seed: number): Promise<void> {
  const model = await AutoModelForSequenceClassification.fromPretrained(join(folder, "base"), { threads: 1 });
  const lora = new LoraConfig({
    r,
    targetModules: ["query", "value"],
    initLoraWeights: false,
    baseModelNameOrPath: "../base",
  });
  const peft = getPeftModel(model, lora, { seed });
  await peft.savePretrained(join(folder, name));
  await peft.dispose();
}

beforeAll(async () => {
  folder = await workFolder();
  const model = AutoModelForSequenceClassification.fromConfig(config, { threads: 1 });
  await model.savePretrained(join(folder, "base"));
  await model.dispose();
  await adapter("r2", 2, 0);
  await adapter("r4", 4, 1);
}, 60_000);

test("graft analyze writes a page with figures, Markdown and JSON", async () => {
  const done = await graft(folder, ["analyze", "r2", "--against", "r4", "--output", "report"]);
  expect(done.stderr).toBe("");
  expect(done.status).toBe(0);
  const report = JSON.parse(await readFile(join(folder, "report/report.json"), "utf8"));
  expect(report.layers).toHaveLength(4);
  expect(report.layers[0]).toMatchObject({ matrix: "query", depth: 0, rank: 2, shape: [16, 16] });
  expect(report.layers[0].amplification.factor).toBeGreaterThan(0);
  expect(report.similarities).toHaveLength(4);
  expect(report.similarities[0].similarity).toHaveLength(2);
  expect(report.similarities[0].similarity[0]).toHaveLength(4);
  const page = await readFile(join(folder, "report/report.html"), "utf8");
  expect(page.match(/<svg /g)?.length).toBe(3 + 2 + 1 + 4 + 1);
  // It loads nothing.
  expect(page).not.toMatch(/(src|href)=|@import|url\(/);
  expect(await readFile(join(folder, "report/report.md"), "utf8")).toContain("## Ranks that would do");

  const again = await graft(folder, ["analyze", "r2", "--output", "report"]);
  expect(again.status).toBe(1);
  expect(again.stderr).toContain("--overwrite");
});

test("without its base an adapter is analysed from its file alone", async () => {
  const path = join(folder, "r4/adapter_config.json");
  const text = await readFile(path, "utf8");
  await writeFile(path, text.replace("../base", "nobody/elsewhere"));
  const done = await graft(folder, ["analyze", "r4", "--json"]);
  await writeFile(path, text);
  expect(done.status).toBe(0);
  const report = JSON.parse(done.stdout);
  expect(report.base).toBeNull();
  expect(report.layers[0].amplification).toBeNull();
  const whole = JSON.parse((await graft(folder, ["analyze", "r4", "--json"])).stdout);
  expect(report.layers[0].spectrum.frobeniusNorm).toBeCloseTo(whole.layers[0].spectrum.frobeniusNorm, 10);
});

test("what cannot be analysed is refused", async () => {
  const model = await graft(folder, ["analyze", "base"]);
  expect(model.status).toBe(1);
  expect(model.stderr).toContain("no adapter_config.json");
  const share = await graft(folder, ["analyze", "r2", "--keep", "95"]);
  expect(share.status).toBe(2);
});

test("graft params counts a model of one's own, in three forms", async () => {
  const args = ["params", "base", "--lora", "r=4,targets=query,value", "--num-labels", "3"];
  const json = JSON.parse((await graft(folder, [...args, "--json"])).stdout);
  // Two factors of rank 4 on two matrices of two layers, and the head.
  expect(json.adapter.trainable).toBe(2 * 2 * (4 * (16 + 16)) + 16 * 3 + 3);
  expect((await graft(folder, [...args, "--latex"])).stdout).toContain("\\begin{tabular}{lr}");
  expect((await graft(folder, [...args, "--markdown"])).stdout).toContain("| parameters | count |");
  expect((await graft(folder, [...args, "--markdown", "--json"])).status).toBe(2);
  expect((await graft(folder, ["params"])).status).toBe(2);
});

test("graft estimate reads a config alone", async () => {
  await writeFile(
    join(folder, "config.json"),
    JSON.stringify({ ...config, architectures: ["BertForSequenceClassification"] }),
  );
  const args = ["--lora", "r=4,targets=query,value", "--batch", "4", "--seq", "8", "--json"];
  const done = await graft(folder, ["estimate", "config.json", ...args]);
  expect(done.stderr).toBe("");
  const { memory, parameters } = JSON.parse(done.stdout);
  expect(memory.optimizer).toBe(8 * parameters.trained);
  const { peak, ...parts } = memory as Record<string, number>;
  expect(Object.values(parts).reduce((sum, part) => sum + part, 0)).toBeCloseTo(peak!, 3);
  const int8 = await graft(folder, ["estimate", "base", ...args, "--frozen-precision", "int8"]);
  expect(int8.status).toBe(0);
  const long = await graft(folder, ["estimate", "base", "--seq", "17"]);
  expect(long.status).toBe(1);
  expect(long.stderr).toContain("at most 16");
});

test("graft score reads the challenge's form and refuses what does not fit", async () => {
  await writeFile(join(folder, "out.txt"), "Blue Spice is a pub.\nAromi is cheap.\n");
  await writeFile(join(folder, "ref.txt"), "Blue Spice is a pub.\nThe pub is Blue Spice.\n\nAromi is cheap.\n");
  const { bleu, examples } = JSON.parse((await graft(folder, ["score", "out.txt", "ref.txt", "--json"])).stdout);
  expect(examples).toBe(2);
  expect(bleu).toBeCloseTo(1, 10);
  await writeFile(join(folder, "short.txt"), "Blue Spice is a pub.\n");
  const wrong = await graft(folder, ["score", "out.txt", "short.txt"]);
  expect(wrong.status).toBe(1);
  expect(wrong.stderr).toContain("2 outputs and references for 1");
});
