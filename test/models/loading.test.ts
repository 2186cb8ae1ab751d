import { mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  AutoModel,
  AutoModelForImageClassification,
  AutoModelForSequenceClassification,
  formatLoadingReport,
  type LoadingReport,
} from "graft-peft";
import { describe, expect, it, vi } from "vitest";
import { readParameter } from "#graft/models/index";
import { writeSafetensors } from "#graft/safetensors/write";
import { fromFloat32, type TensorData, toFloat32 } from "#graft/tensor-data";
import { copyOf, temporaryFolder } from "./folder.js";
import { goldenFolder, inputsOf, maxDifference, readTensors } from "./golden.js";

const silent = { threads: 1, onReport: () => {} };
const headNames = ["classifier.weight", "classifier.bias"];

/** A copy of a golden model whose tensors were changed. */
async function withTensors(
  name: string,
  change: (tensors: Map<string, TensorData>) => Map<string, TensorData>,
): Promise<string> {
  const folder = await copyOf(name);
  const path = join(folder, "model.safetensors");
  await writeSafetensors(path, change(await readTensors(path)));
  return folder;
}

describe("what does not fit", () => {
  it("a file of the base model alone: the prefix is added, the head is fresh, and one line says so", async () => {
    const warning = vi.spyOn(console, "warn").mockImplementation(() => {});
    const model = await AutoModelForSequenceClassification.fromPretrained(goldenFolder("bert_noprefix"), {
      threads: 1,
    });
    expect(model.loadingReport).toEqual({
      missingKeys: headNames,
      unexpectedKeys: [],
      mismatchedKeys: [],
      replacedKeys: [],
      newlyInitialized: headNames,
    });
    expect(warning.mock.calls).toEqual([[expect.stringContaining("classifier.weight, classifier.bias")]]);
    warning.mockRestore();
    const complete = await AutoModelForSequenceClassification.fromPretrained(goldenFolder("bert_seqcls"), silent);
    const bodies = [model, complete].map(
      (each) => each.network.find("bert.encoder.layer.1.output.dense")?.ownParameters.get("weight")?.source.kind,
    );
    expect(bodies).toEqual(["file", "file"]);
  });

  it("a fresh head depends on the seed alone, with bias zero", async () => {
    const head = async (seed: number) => {
      const options = { ...silent, seed, numLabels: 7 };
      const model = await AutoModelForSequenceClassification.fromPretrained(goldenFolder("bert_noprefix"), options);
      expect(Object.keys(model.config.label2id)[6]).toBe("LABEL_6");
      return headNames.map((name) => {
        const source = model.namedParameters().find(([each]) => each === name)![1].source;
        return source.kind === "memory" ? [...toFloat32(source.data)] : [];
      });
    };
    expect(await head(1)).toEqual(await head(1));
    expect((await head(1))[0]).not.toEqual((await head(2))[0]);
    expect((await head(1))[0]).toHaveLength(7 * 32);
    expect((await head(1))[1]).toEqual([0, 0, 0, 0, 0, 0, 0]);
  });

  it("fresh vectors of padding are zero: BERT's token, RoBERTa's token and position", () => {
    const zeroRows = (type: string, table: string): number[] => {
      const config = { model_type: type, vocab_size: 8, hidden_size: 4, num_attention_heads: 1, num_hidden_layers: 1 };
      const model = AutoModel.fromConfig({ ...config, max_position_embeddings: 8, pad_token_id: 3 });
      const { source } = model.namedParameters().find(([name]) => name === `embeddings.${table}.weight`)![1];
      const data = source.kind === "memory" ? toFloat32(source.data) : new Float32Array(0);
      return Array.from({ length: data.length / 4 }, (_, row) => row).filter((row) =>
        data.subarray(4 * row, 4 * row + 4).every((value) => value === 0),
      );
    };
    expect(zeroRows("bert", "word_embeddings")).toEqual([3]);
    expect(zeroRows("bert", "position_embeddings")).toEqual([]);
    expect(zeroRows("roberta", "word_embeddings")).toEqual([3]);
    expect(zeroRows("roberta", "position_embeddings")).toEqual([3]);
  });

  it("another number of labels is refused, or with ignoreMismatchedSizes answered by a fresh head", async () => {
    const folder = goldenFolder("vit_imgcls");
    const options = { ...silent, id2label: ["a", "b", "c", "d", "e"] };
    await expect(AutoModelForImageClassification.fromPretrained(folder, options)).rejects.toMatchObject({
      code: "shape-mismatch",
      message: expect.stringContaining("classifier.weight is [3,32] in the file and [5,32] in the model"),
      hint: expect.stringContaining("ignoreMismatchedSizes"),
    });
    const model = await AutoModelForImageClassification.fromPretrained(folder, {
      ...options,
      ignoreMismatchedSizes: true,
    });
    expect(model.loadingReport).toEqual({
      missingKeys: [],
      unexpectedKeys: [],
      mismatchedKeys: [
        { name: "classifier.weight", checkpointShape: [3, 32], modelShape: [5, 32] },
        { name: "classifier.bias", checkpointShape: [3], modelShape: [5] },
      ],
      replacedKeys: [],
      newlyInitialized: headNames,
    });
    expect(model.config).toMatchObject({ numLabels: 5, label2id: { a: 0, e: 4 } });
    const io = await readTensors(`${folder}/io.safetensors`);
    expect((await model(inputsOf(io))).logits.shape).toEqual([3, 5]);
    await model.dispose();
  });

  it("a head of other classes is begun anew where the caller says so, though the shapes are equal", async () => {
    const folder = goldenFolder("vit_imgcls");
    const load = (newHead: boolean) => AutoModelForImageClassification.fromPretrained(folder, { ...silent, newHead });
    const weightOf = async (model: Awaited<ReturnType<typeof load>>) => {
      const parameter = [...model.network.parameters()].find(({ name }) => name === "classifier.weight")!;
      return [...(await readParameter(parameter)).data];
    };
    const old = await load(false);
    const fresh = await load(true);
    expect(fresh.loadingReport).toMatchObject({ replacedKeys: headNames, newlyInitialized: headNames });
    expect(await weightOf(fresh)).not.toEqual(await weightOf(old));
  });

  it("a body with a gap is refused, and the prefix named under which the rest stands", async () => {
    const gone = "bert.encoder.layer.1.output.dense.bias";
    const folder = await withTensors("bert_seqcls", (tensors) => {
      const moved = tensors.get(gone)!;
      tensors.delete(gone);
      return tensors.set(`module.${gone}`, moved);
    });
    await expect(AutoModelForSequenceClassification.fromPretrained(folder, silent)).rejects.toMatchObject({
      code: "missing-tensor",
      message: expect.stringContaining(gone),
      hint: expect.stringMatching(/prefix "module\.".*allowMissing: true/),
    });
    const poolerless = await withTensors("bert_seqcls", (tensors) => {
      for (const name of [...tensors.keys()]) if (/pooler|classifier/.test(name)) tensors.delete(name);
      return tensors;
    });
    const { loadingReport } = await AutoModelForSequenceClassification.fromPretrained(poolerless, silent);
    expect(loadingReport?.missingKeys).toHaveLength(4);
  });

  it("missing and unexpected tensors are named: a part of the body is an error, unless it is allowed", async () => {
    const gone = "bert.encoder.layer.0.output.dense.bias";
    const folder = await withTensors("bert_seqcls", (tensors) => {
      const extra = tensors.get(gone)!;
      tensors.delete(gone);
      return tensors.set("cls.predictions.bias", extra);
    });
    let line = "";
    const onReport = (_: LoadingReport, text: string) => {
      line = text;
    };
    await expect(AutoModelForSequenceClassification.fromPretrained(folder, { onReport })).rejects.toThrow(gone);
    const { loadingReport } = await AutoModelForSequenceClassification.fromPretrained(folder, {
      onReport,
      allowMissing: true,
    });
    expect(loadingReport).toMatchObject({ missingKeys: [gone], unexpectedKeys: ["cls.predictions.bias"] });
    expect(line).toBe(
      `BertForSequenceClassification from ${folder}: newly initialised, because the file lacks them: ${gone}; ` +
        "in the file, but not used: cls.predictions.bias. Train the model before you use its predictions.",
    );
    expect(formatLoadingReport({ ...loadingReport, missingKeys: [], unexpectedKeys: [] }, "X", "y")).toBe("");
  });

  it("a checkpoint of which not one tensor fits is refused", async () => {
    const folder = await withTensors("bert_seqcls", (tensors) => {
      return new Map([["transformer.h.0.weight", tensors.get("classifier.weight")!]]);
    });
    await expect(AutoModel.fromPretrained(folder, silent)).rejects.toMatchObject({
      code: "missing-tensor",
      message: expect.stringContaining("transformer.h.0.weight"),
    });
  });

  it("quantised tensors are refused by name", async () => {
    const folder = await withTensors("bert_seqcls", (tensors) => {
      const { shape, data } = tensors.get("classifier.weight")!;
      return tensors.set("classifier.weight", { dtype: "int8", shape, data: new Int8Array(data.length) });
    });
    await expect(AutoModelForSequenceClassification.fromPretrained(folder, silent)).rejects.toMatchObject({
      code: "dtype-mismatch",
      message: expect.stringContaining("classifier.weight"),
    });
  });
});

describe("sources", () => {
  it("bfloat16 and float16 checkpoints are converted once; float32 stays in the real file, behind links too", async () => {
    const name = "bert_seqcls";
    const rounded = ([key, { shape, ...tensor }]: [string, TensorData]): [string, TensorData] => {
      const dtype = key.endsWith("bias") ? "float16" : "bfloat16";
      return [key, { dtype, shape, data: fromFloat32(dtype, toFloat32({ shape, ...tensor })) }];
    };
    const widened = ([key, tensor]: [string, TensorData]): [string, TensorData] => [
      key,
      { dtype: "float32", shape: tensor.shape, data: toFloat32(tensor) },
    ];
    const io = await readTensors(`${goldenFolder(name)}/io.safetensors`);
    const logitsOf = async (change: (tensor: [string, TensorData]) => [string, TensorData]) => {
      const folder = await withTensors(name, (tensors) => new Map([...tensors].map(change)));
      const model = await AutoModelForSequenceClassification.fromPretrained(folder, silent);
      const { logits } = await model(inputsOf(io));
      await model.dispose();
      return logits;
    };
    const logits = await logitsOf(rounded);
    expect(maxDifference(logits, await logitsOf((tensor) => widened(rounded(tensor))))).toBe(0);
    expect(maxDifference(logits, io.get("logits"))).toBeGreaterThan(1e-3);

    const linked = join(await temporaryFolder(), "link");
    await symlink(goldenFolder(name), linked);
    const mapped = await AutoModelForSequenceClassification.fromPretrained(linked, silent);
    for (const [, { source }] of mapped.namedParameters()) {
      expect(source).toMatchObject({ kind: "file", path: `${goldenFolder(name)}/model.safetensors` });
    }
    expect(maxDifference((await mapped(inputsOf(io))).logits, io.get("logits"))).toBeLessThan(1e-5);
    await mapped.dispose();
  });

  it("a model without weights counts, and says so when it is run", async () => {
    const model = AutoModelForImageClassification.fromConfig({ model_type: "vit" }, { withWeights: false, threads: 1 });
    const pixelValues = { dtype: "float32" as const, shape: [1, 3, 224, 224], data: new Float32Array(3 * 224 * 224) };
    await expect(model({ pixelValues })).rejects.toMatchObject({ code: "missing-tensor" });
    await model.dispose();
  });

  it("a folder without weights, and a file that is cut off, are refused", async () => {
    const folder = await temporaryFolder();
    await writeFile(join(folder, "config.json"), JSON.stringify({ model_type: "bert" }));
    await expect(AutoModel.fromPretrained(folder)).rejects.toMatchObject({ code: "file-not-found" });
    await writeFile(join(folder, "model.safetensors"), "too short");
    await expect(AutoModel.fromPretrained(folder)).rejects.toMatchObject({ code: "invalid-safetensors" });
    await expect(AutoModel.fromPretrained(join(folder, "nowhere"))).rejects.toMatchObject({ code: "file-not-found" });
    const shapesOnly = await AutoModel.fromPretrained(folder, { withWeights: false });
    expect(shapesOnly.numParameters()).toBe(109_482_240);
    await mkdir(join(folder, "empty"));
    await expect(AutoModel.fromPretrained(join(folder, "empty"))).rejects.toMatchObject({ code: "file-not-found" });
  });
});
