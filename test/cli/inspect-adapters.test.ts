import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { peftTypes, tuners } from "#graft/peft/index";
import { describeAdapter } from "#graft/runs/inspect/adapter";
import { squaredProductNorm } from "#graft/runs/inspect/adapter-norms";
import { writeSafetensors } from "#graft/safetensors/write";
import { tensorData } from "#graft/tensor-data";

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "graft-inspect-"));
});
afterAll(() => rm(root, { recursive: true, force: true }));

async function folderOf(name: string, config: unknown): Promise<string> {
  const folder = join(root, name);
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, "adapter_config.json"), JSON.stringify(config));
  return folder;
}

const matrix = (shape: readonly [number, number], ...values: number[]) =>
  tensorData("float32", shape, Float32Array.from(values));

describe("any adapter is described", () => {
  test("PEFT has 45 types", () => expect(new Set(peftTypes).size).toBe(45));

  test.each(peftTypes)("%s, from its config alone", async (type) => {
    const folder = await folderOf(type, {
      peft_type: type,
      base_model_name_or_path: "base",
      target_modules: ["query"],
    });
    const { format, config, verdict, layers } = await describeAdapter(folder);
    expect({ format, type: config.peft_type, layers }).toEqual({ format: "PEFT", type, layers: [] });
    expect(verdict.runs).toBe(false);
    const isBuilt = tuners().some((tuner) => tuner.type === type);
    expect(verdict.why).toMatch(
      isBuilt
        ? /^no: .*(no weights|AdaLoraConfig)/
        : new RegExp(`${type} is a method of PEFT's that Graft does not build`),
    );
  });

  test("AdapterHub, with its weights pickled or not there", async () => {
    const config = {
      config: { mh_adapter: false, output_adapter: true, reduction_factor: 16 },
      hidden_size: 768,
      model_type: "bert",
    };
    const { format, config: shown, verdict } = await describeAdapter(await folderOf("hub", config));
    expect(format).toBe("AdapterHub");
    expect(shown).toEqual({ hidden_size: 768, model_type: "bert", output_adapter: true, reduction_factor: 16 });
    expect(verdict.why).toMatch(/^no: .*AdapterHub/);
  });

  test("ranks and norms, layer by layer", async () => {
    const folder = await folderOf("norms", { peft_type: "LORA", target_modules: ["q"] });
    const at = (layer: number, letter: string) => `base_model.model.bert.layer.${layer}.q.lora_${letter}.weight`;
    await writeSafetensors(
      join(folder, "adapter_model.safetensors"),
      new Map([
        [at(0, "A"), matrix([1, 2], 3, 4)],
        [at(0, "B"), matrix([2, 1], 2, 0)],
        [at(10, "A"), matrix([2, 2], 1, 0, 0, 1)],
        [at(10, "B"), matrix([2, 2], 1, 2, 3, 4)],
        ["base_model.model.classifier.weight", matrix([1, 1], 7)],
      ]),
    );
    const { ranks, layers, verdict } = await describeAdapter(folder);
    expect(ranks).toEqual({ 1: 1, 2: 1 });
    expect(verdict.runs).toBe(true);
    const expected = [
      { layer: 0, tensors: 2, parameters: 4, norm: Math.sqrt(29), updateNorm: 10 },
      { layer: 10, tensors: 2, parameters: 8, norm: Math.sqrt(32), updateNorm: Math.sqrt(30) },
      { layer: null, tensors: 1, parameters: 1, norm: 7, updateNorm: undefined },
    ];
    expect(layers).toHaveLength(3);
    for (const [index, layer] of layers.entries()) {
      expect(layer).toMatchObject({ ...expected[index], norm: expect.closeTo(expected[index]!.norm, 12) });
    }
  });

  test("a base that Graft does not build is named", async () => {
    const mapping = { base_model_class: "MLP", parent_library: "test_regression" };
    const own = await describeAdapter(await folderOf("mlp", { peft_type: "LORA", auto_mapping: mapping }));
    expect(own.verdict.why).toMatch(/^no: its base is a MLP of test_regression/);
    const t5 = await describeAdapter(await folderOf("t5", { peft_type: "LORA", task_type: "SEQ_2_SEQ_LM" }));
    expect(t5.verdict.why).toMatch(/SEQ_2_SEQ_LM/);
  });

  test("a config that is no adapter's is an error", async () => {
    await expect(describeAdapter(await folderOf("none", { learning_rate: 1 }))).rejects.toMatchObject({
      code: "invalid-config",
    });
    const empty = join(root, "empty");
    await mkdir(empty);
    await expect(describeAdapter(empty)).rejects.toMatchObject({ code: "file-not-found" });
  });
});

test("the norm of a product, without the product", () => {
  const b = { rows: 3, columns: 2, data: Float32Array.from([1, 2, 0, 1, -1, 1]) };
  const a = { rows: 2, columns: 2, data: Float32Array.from([1, -1, 2, 3]) };
  // B A = [[5, 5], [2, 3], [1, 4]]
  expect(squaredProductNorm(b, a)).toBe(80);
});
