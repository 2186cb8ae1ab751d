import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ByteBuffer } from "flatbuffers";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openSafetensors, readAllTensors } from "#graft/safetensors/read";
import { writeSafetensors } from "#graft/safetensors/write";
import { type TensorData, tensorData } from "#graft/tensor-data";
import { graft } from "./graft.js";

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "graft-convert-"));
});
afterAll(() => rm(root, { recursive: true, force: true }));

const matrix = (rows: number, columns: number, seed: number): TensorData<"float32"> =>
  tensorData(
    "float32",
    [rows, columns],
    Float32Array.from({ length: rows * columns }, (_, i) => Math.sin(seed + 1.7 * i)),
  );

const module = (layer: number, name: string) => `model.layers.${layer}.self_attn.${name}`;

async function peftFolder(name: string, config: object = {}, others: [string, TensorData][] = []): Promise<string> {
  const folder = join(root, name);
  await mkdir(folder, { recursive: true });
  const settings = { peft_type: "LORA", r: 3, lora_alpha: 6, target_modules: ["q_proj", "v_proj"], ...config };
  await writeFile(join(folder, "adapter_config.json"), JSON.stringify(settings));
  const tensors = new Map<string, TensorData>(others);
  for (const layer of [0, 1]) {
    for (const [at, one] of ["q_proj", "v_proj"].entries()) {
      tensors.set(`base_model.model.${module(layer, one)}.lora_A.weight`, matrix(3, 8, layer + at));
      tensors.set(`base_model.model.${module(layer, one)}.lora_B.weight`, matrix(5, 3, 10 + layer + at));
    }
  }
  await writeSafetensors(join(folder, "adapter_model.safetensors"), tensors, { format: "pt" });
  return folder;
}

const tensorsOf = async (path: string) => readAllTensors(await openSafetensors(path));
const run = async (...args: string[]) => {
  const { status, stdout, stderr } = await graft(root, ["convert", ...args]);
  expect(stderr.replace(/^.*names repaired.*\n/gm, "")).toBe("");
  expect(status).toBe(0);
  return stdout;
};

describe("round trips are exact", () => {
  test("through MLX", async () => {
    const peft = await peftFolder("mlx-source", { base_model_name_or_path: "base" });
    await run(peft, "as-mlx", "--to", "mlx");
    const mlx = await tensorsOf(join(root, "as-mlx/adapters.safetensors"));
    expect(mlx.get(`${module(0, "q_proj")}.lora_a`)?.shape).toEqual([8, 3]);
    const config = JSON.parse(await readFile(join(root, "as-mlx/adapter_config.json"), "utf8"));
    expect(config).toMatchObject({ lora_parameters: { rank: 3, scale: 2 }, model: "base", num_layers: 2 });
    await run("as-mlx", "from-mlx");
    expect(await tensorsOf(join(root, "from-mlx/adapter_model.safetensors"))).toEqual(
      await tensorsOf(join(peft, "adapter_model.safetensors")),
    );
    const back = JSON.parse(await readFile(join(root, "from-mlx/adapter_config.json"), "utf8"));
    expect(back).toMatchObject({ r: 3, lora_alpha: 6, layers_to_transform: [0, 1], base_model_name_or_path: "base" });
  });

  test("through loralib, whose reader must be told alpha; the head goes along", async () => {
    const head: [string, TensorData] = ["base_model.model.classifier.weight", matrix(2, 5, 20)];
    const peft = await peftFolder("loralib-source", { modules_to_save: ["classifier"] }, [head]);
    expect(await run(peft, "as-loralib", "--to", "loralib")).toContain("lora_alpha: it is 6");
    await run("as-loralib", "from-loralib", "--lora-alpha", "6");
    expect(await tensorsOf(join(root, "from-loralib/adapter_model.safetensors"))).toEqual(
      await tensorsOf(join(peft, "adapter_model.safetensors")),
    );
    const untold = await graft(root, ["convert", "as-loralib", "nowhere"]);
    expect(untold.stderr).toMatch(/\[invalid-argument\].*lora_alpha/);
    expect(existsSync(join(root, "nowhere"))).toBe(false);
  });
});

describe("smaller ranks", () => {
  const product = (a: TensorData, b: TensorData): number[] => {
    const [rank, columns] = a.shape as [number, number];
    const rows = b.shape[0] as number;
    return Array.from({ length: rows * columns }, (_, at) => {
      let sum = 0;
      for (let k = 0; k < rank; k++) {
        sum += Number(b.data[Math.floor(at / columns) * rank + k]) * Number(a.data[k * columns + (at % columns)]);
      }
      return sum;
    });
  };

  test("the printed loss is that of the written product; whole ranks lose nothing", async () => {
    const peft = await peftFolder("rank-source");
    const json = JSON.parse(await run(peft, "rank1", "--rank", "1", "--json"));
    const [before, after] = await Promise.all(
      [peft, join(root, "rank1")].map((one) => tensorsOf(join(one, "adapter_model.safetensors"))),
    );
    expect(json.losses).toHaveLength(4);
    for (const { module: path, from, to, loss } of json.losses) {
      const factors = (all: ReadonlyMap<string, TensorData> | undefined) =>
        ["A", "B"].map((one) => all?.get(`base_model.model.${path}.lora_${one}.weight`) as TensorData) as [
          TensorData,
          TensorData,
        ];
      const [whole, kept] = [product(...factors(before)).map((value) => 2 * value), product(...factors(after))];
      const norm = (values: readonly number[]) => Math.hypot(...values);
      expect([from, to]).toEqual([3, 1]);
      expect(norm(whole.map((value, i) => value - (kept[i] as number))) / norm(whole)).toBeCloseTo(loss, 5);
    }
    const config = JSON.parse(await readFile(join(root, "rank1/adapter_config.json"), "utf8"));
    expect(config).toMatchObject({ r: 1, lora_alpha: 1 });
    const all = JSON.parse(await run(peft, "rank3", "--rank", "3", "--json"));
    expect(all.losses.map(({ loss }: { loss: number }) => loss)).toEqual([0, 0, 0, 0]);
  });

  test("--keep takes the smallest ranks that keep the share", async () => {
    const peft = await peftFolder("keep-source");
    const { losses } = JSON.parse(await run(peft, "kept", "--keep", "0.9", "--json"));
    for (const { loss } of losses) expect(loss).toBeLessThanOrEqual(Math.sqrt(1 - 0.81));
    expect(await run(peft, "table", "--keep", "0.5")).toMatch(/module +rank +now +norm lost/);
  });
});

test(".onnx_adapter: a flatbuffer of named tensors, with the scales", async () => {
  const peft = await peftFolder("onnx-source");
  await run(peft, "as-onnx", "--to", "onnx_adapter");
  const bytes = new Uint8Array(await readFile(join(root, "as-onnx/adapter.onnx_adapter")));
  const buffer = new ByteBuffer(bytes);
  expect(buffer.getBufferIdentifier()).toBe("TORT");
  const text = new TextDecoder("latin1").decode(bytes);
  expect(text.split("lora_scaling")).toHaveLength(5);
  expect(text).toContain(`${module(1, "v_proj")}.lora_B.weight`);
});

test("what a format has no place for, and other methods, are refused and nothing is written", async () => {
  const uneven = await peftFolder("uneven", { alpha_pattern: { q_proj: 9 } });
  const head = await peftFolder("head", {}, [["base_model.model.score.weight", matrix(2, 5, 1)]]);
  const other = await peftFolder("other", { peft_type: "IA3" });
  for (const [source, to, says] of [
    [uneven, "mlx", /\[unsupported\].*scales/],
    [uneven, "loralib", /\[unsupported\].*scales/],
    [head, "mlx", /\[unsupported\].*score\.weight/],
    [other, "peft", /\[(unsupported|invalid-config)\]/],
  ] as const) {
    const { status, stderr } = await graft(root, ["convert", source, "refused", "--to", to]);
    expect(status).toBe(1);
    expect(stderr).toMatch(says);
    expect(existsSync(join(root, "refused"))).toBe(false);
  }
  const both = await graft(root, ["convert", uneven, "refused", "--rank", "1", "--keep", "0.5"]);
  expect(both.status).toBe(2);
});
