import { existsSync } from "node:fs";
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  AutoModelForImageClassification as ImageClassifierJs,
  AutoModel as ModelJs,
  pipeline,
  AutoModelForSequenceClassification as TextClassifierJs,
} from "@huggingface/transformers";
import { AutoModel, AutoModelForSequenceClassification, exportOnnx, PeftModel } from "graft-peft";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Tokenizer } from "#graft/data/index";
import { graft, imageModel, textModel, writePictures } from "../cli/graft.js";
import { maxDifference } from "../models/golden.js";
import { checkFolder, python, withPython } from "../onnx/official-checker.js";
import { inputsFor, loadGoldenModel } from "../peft/models.js";
import { goldenPath, readGolden, relativeL2 } from "../peft/numbers.js";
import { local, runModel } from "./transformers-js.js";

const MERGED_TOLERANCE = 1e-5;
const OUTPUT_TOLERANCE = 1e-4;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "graft-export-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe("transformers.js gives PyTorch's outputs from an exported folder", () => {
  const classifiers = {
    bert: TextClassifierJs,
    roberta: TextClassifierJs,
    distilbert: TextClassifierJs,
    deberta: TextClassifierJs,
    vit: ImageClassifierJs,
  } as const;

  for (const [type, auto] of Object.entries(classifiers)) {
    const base = type === "vit" ? "vit_imgcls" : `${type}_seqcls`;
    it(`${type}: a PeftModel is exported merged, and stays as it was`, async () => {
      const { tensors } = await readGolden(`peft/${type}_default/io.safetensors`);
      const model = await PeftModel.fromPretrained(await loadGoldenModel(base), goldenPath(`peft/${type}_default`), {
        onWarning: () => {},
      });
      const inputs = inputsFor(model.getBaseModel(), tensors);
      const before = await model(inputs);
      const target = join(folder, `${type}-adapter`);
      await exportOnnx(model, target);
      expect(model.namedParameters().every(([, { adjustments }]) => adjustments.length === 0)).toBe(true);
      expect((await model(inputs)).logits).toEqual(before.logits);
      await model.mergeAdapter();
      await exportOnnx(model, `${target}-merged`);
      expect(model.namedParameters().some(([, { adjustments }]) => adjustments.length > 0)).toBe(true);
      await model.dispose();
      expect(await readFile(join(`${target}-merged`, "onnx/model.onnx"))).toEqual(
        await readFile(join(target, "onnx/model.onnx")),
      );
      const exported = await auto.from_pretrained(...local(target));
      expect(exported.config).toMatchObject({ id2label: { 0: "negative", 1: "neutral", 2: "positive" } });
      const logits = await runModel(exported, tensors, "logits");
      expect(relativeL2(logits, tensors.get("merged_logits"))).toBeLessThan(MERGED_TOLERANCE);
      await exported.dispose();
    });

    it(`${type}: a model without head gives last_hidden_state`, async () => {
      const { tensors } = await readGolden(`models/${type}_base/io.safetensors`);
      const model = await AutoModel.fromPretrained(goldenPath(`models/${type}_base`), { threads: 1 });
      const target = join(folder, `${type}-base`);
      await exportOnnx(model, target);
      await model.dispose();
      const exported = await ModelJs.from_pretrained(...local(target));
      const hidden = await runModel(exported, tensors, "last_hidden_state");
      expect(maxDifference(hidden, tensors.get("last_hidden_state"))).toBeLessThan(OUTPUT_TOLERANCE);
      await exported.dispose();
    });
  }
});

interface Predicted {
  readonly labels: readonly { readonly label: string; readonly probability: number }[];
}
interface Score {
  readonly label: string;
  readonly score: number;
}

/** Labels in order with equal probabilities. */
function expectSame(scores: readonly (readonly Score[])[], stdout: string): void {
  const predicted = stdout
    .trim()
    .split("\n")
    .map((line) => (JSON.parse(line) as Predicted).labels);
  expect(scores.map((row) => row.map(({ label }) => label))).toEqual(
    predicted.map((row) => row.map(({ label }) => label)),
  );
  for (const [row, labels] of predicted.entries()) {
    for (const [rank, { probability }] of labels.entries()) {
      expect(Math.abs((scores[row]?.[rank]?.score ?? Number.NaN) - probability)).toBeLessThan(OUTPUT_TOLERANCE);
    }
  }
}

describe("graft export", () => {
  it("texts: the pipeline of transformers.js predicts as graft predict does", async () => {
    await textModel(join(folder, "bert"), "bert_seqcls");
    await cp(goldenPath("peft/bert_default"), join(folder, "text-adapter"), { recursive: true });
    const { status, stdout } = await graft(folder, ["export", "text-adapter", "text-onnx", "--model", "bert"]);
    expect(stdout).toMatch(/^exported text-adapter to text-onnx\/onnx\/model\.onnx \(/);
    expect(status).toBe(0);
    expect(await readdir(join(folder, "text-onnx"))).toEqual([
      "config.json",
      "onnx",
      "tokenizer.json",
      "tokenizer_config.json",
    ]);
    const texts = ["the film is great", "a poor film", "awful"];
    const classify = await pipeline("text-classification", ...local(join(folder, "text-onnx")));
    const scores = (await classify(texts, { top_k: 3 })) as unknown as Score[][];
    await classify.dispose();
    expectSame(
      scores,
      (await graft(folder, ["predict", "text-adapter", ...texts, "--model", "bert", "--json"])).stdout,
    );
  });

  it("pictures: the pipeline of transformers.js predicts as graft predict does", async () => {
    await imageModel(join(folder, "vit"));
    const processor = { image_processor_type: "ViTImageProcessor", do_resize: true, size: { height: 32, width: 32 } };
    const scaling = { do_rescale: true, rescale_factor: 1 / 255, do_normalize: true, resample: 2 };
    const normal = { image_mean: [0.5, 0.5, 0.5], image_std: [0.5, 0.5, 0.5] };
    await writeFile(
      join(folder, "vit/preprocessor_config.json"),
      JSON.stringify({ ...processor, ...scaling, ...normal }),
    );
    await writePictures(join(folder, "pictures"), 1);
    expect((await graft(folder, ["export", "vit", "vit-onnx"])).status).toBe(0);
    const pictures = ["pictures/blue/0.png", "pictures/red/0.png"];
    const classify = await pipeline("image-classification", ...local(join(folder, "vit-onnx")));
    const scores: Score[][] = [];
    for (const picture of pictures) {
      scores.push((await classify(join(folder, picture), { top_k: 3 })) as unknown as Score[]);
    }
    await classify.dispose();
    expectSame(scores, (await graft(folder, ["predict", "vit", ...pictures, "--json"])).stdout);
  });
});

describe("exportOnnx refuses", () => {
  it("a base model that holds an unmerged adapter, and writes nothing", async () => {
    const base = await loadGoldenModel("bert_seqcls");
    await PeftModel.fromPretrained(base, goldenPath("peft/bert_default"), { onWarning: () => {} });
    await expect(exportOnnx(base, join(folder, "refused"))).rejects.toMatchObject({ code: "invalid-argument" });
    expect(existsSync(join(folder, "refused"))).toBe(false);
  });

  it("more than an .onnx file can hold, before any weight is read", async () => {
    const config = { model_type: "bert", vocab_size: 700_000, hidden_size: 768, num_hidden_layers: 1 };
    const model = AutoModelForSequenceClassification.fromConfig(config, { withWeights: false });
    const refusal = { code: "unsupported", message: expect.stringMatching(/2\.\d\d GB .* at most 2\.13 GB/) };
    await expect(exportOnnx(model, join(folder, "refused"))).rejects.toMatchObject(refusal);
  });
});

const miniLm = fileURLToPath(new URL("../../../shared/assets/models/all-MiniLM-L6-v2", import.meta.url));
const missing = existsSync(miniLm) ? "" : " (left out: no ../shared/assets/models)";

it.runIf(missing === "")(`all-MiniLM-L6-v2: feature-extraction from texts${missing}`, async () => {
  const model = await AutoModel.fromPretrained(miniLm, { threads: 1, onReport: () => {} });
  const target = join(folder, "minilm");
  await exportOnnx(model, target);
  expect(await readdir(target)).toContain("special_tokens_map.json");
  const tokenizer = await Tokenizer.fromFolder(miniLm);
  const text = "A film that is truly, madly worth seeing.";
  const { lastHiddenState } = await model(tokenizer.padBatch([tokenizer.encode(text)]));
  await model.dispose();
  const extract = await pipeline("feature-extraction", ...local(target));
  const { dims, data } = await extract(text);
  await extract.dispose();
  const hidden = { dtype: "float32" as const, shape: dims, data: Float32Array.from(data as Float32Array) };
  expect(maxDifference(hidden, lastHiddenState)).toBeLessThan(OUTPUT_TOLERANCE);
});

it.runIf(python)(`the official checker accepts every exported file${withPython}`, async () => {
  const reports = await checkFolder(folder);
  expect(reports.filter(({ ok }) => !ok)).toEqual([]);
  // Above: three files for each of five types, two of the command line, one of a large model where it is at hand.
  expect(reports).toHaveLength(missing === "" ? 18 : 17);
});
