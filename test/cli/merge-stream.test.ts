import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openSafetensors, readAllTensors } from "#graft/safetensors/read";
import { writeSafetensors } from "#graft/safetensors/write";
import { fromFloat32, type TensorData, toFloat32 } from "#graft/tensor-data";
import { goldenPath } from "../peft/numbers.js";
import { graft } from "./graft.js";

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "graft-merge-"));
});
afterAll(() => rm(root, { recursive: true, force: true }));

test("shards in bfloat16 stay so: files, names, index and companions; what is not adapted keeps its bytes", async () => {
  const base = join(root, "base");
  await mkdir(base);
  const source = goldenPath("models/bert_seqcls");
  await copyFile(join(source, "config.json"), join(base, "config.json"));
  await writeFile(join(base, "vocab.txt"), "[PAD]\n");
  const all = await readAllTensors(await openSafetensors(join(source, "model.safetensors")));
  const halves = [...all].map(([name, { shape, ...rest }]): [string, TensorData] => [
    name,
    { dtype: "bfloat16", shape, data: fromFloat32("bfloat16", toFloat32({ shape, ...rest })) },
  ]);
  const cut = Math.floor(halves.length / 2);
  const shards = [halves.slice(0, cut), halves.slice(cut)];
  const nameOf = (index: number) => `model-0000${index + 1}-of-00002.safetensors`;
  for (const [index, shard] of shards.entries())
    await writeSafetensors(join(base, nameOf(index)), new Map(shard), { format: "pt" });
  const weightMap = Object.fromEntries(shards.flatMap((shard, index) => shard.map(([name]) => [name, nameOf(index)])));
  await writeFile(join(base, "model.safetensors.index.json"), JSON.stringify({ metadata: {}, weight_map: weightMap }));

  const adapter = goldenPath("peft/bert_default");
  const { status, stdout, stderr } = await graft(root, ["merge", adapter, "merged", "--model", "base", "--json"]);
  expect(stderr).toBe("");
  expect(status).toBe(0);
  const report = JSON.parse(stdout) as { tensors: { name: string; action: string }[]; files: string[] };
  expect(report.files).toEqual([nameOf(0), nameOf(1)]);
  expect(await readFile(join(root, "merged/vocab.txt"), "utf8")).toBe("[PAD]\n");
  const index = JSON.parse(await readFile(join(root, "merged/model.safetensors.index.json"), "utf8"));
  expect(index.weight_map).toEqual(weightMap);

  // W + scale * B A, rounded once.
  const lora = await readAllTensors(await openSafetensors(join(adapter, "adapter_model.safetensors")));
  const { lora_alpha: alpha, r } = JSON.parse(await readFile(join(adapter, "adapter_config.json"), "utf8"));
  const merged = new Map<string, TensorData>();
  for (const [at] of shards.entries()) {
    for (const [name, tensor] of await readAllTensors(await openSafetensors(join(root, "merged", nameOf(at)))))
      merged.set(name, tensor);
  }
  const did = new Map(report.tensors.map(({ name, action }) => [name, action]));
  for (const [name, before] of halves) {
    const after = merged.get(name) as TensorData;
    expect(after.dtype, name).toBe("bfloat16");
    const factors = ["A", "B"].map((letter) =>
      lora.get(`base_model.model.${name.replace(/\.weight$/, "")}.lora_${letter}.weight`),
    );
    const [a, b] = factors;
    if (did.get(name) === "replaced") {
      const own = lora.get(`base_model.model.${name}`) as TensorData;
      expect(after.data, name).toEqual(fromFloat32("bfloat16", toFloat32(own)));
    } else if (a && b) {
      expect(did.get(name), name).toBe("merged");
      const [columns, whole] = [a.shape[1] as number, toFloat32(before)];
      const expected = whole.map((value, i) => {
        let sum = 0;
        for (let k = 0; k < r; k++)
          sum += Number(b.data[Math.floor(i / columns) * r + k]) * Number(a.data[k * columns + (i % columns)]);
        return value + (alpha / r) * sum;
      });
      const got = toFloat32(after);
      // A unit in the last place of bfloat16.
      for (const [i, value] of expected.entries())
        expect(Math.abs((got[i] as number) - value)).toBeLessThanOrEqual(Math.abs(value) / 256 + 1e-30);
      expect(got).not.toEqual(whole);
    } else {
      expect(did.get(name), name).toBe("kept");
      expect(after.data, name).toEqual(before.data);
    }
  }
});
