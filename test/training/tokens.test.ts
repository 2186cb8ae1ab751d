import { fileURLToPath } from "node:url";
import {
  AutoModelForTokenClassification,
  type EvalPrediction,
  evaluateMetrics,
  getPeftModel,
  LoraConfig,
  Trainer,
  TrainingArguments,
} from "graft-peft";
import { describe, expect, it, onTestFinished } from "vitest";
import { DataCollatorForTokenClassification } from "#graft/data/index";
import { Tokenizer } from "#graft/data/tokenizing/tokenizer";
import { concatRows } from "#graft/training/run/concat-rows";
import { goldenFolder } from "../models/golden.js";

describe("rows of batches of different lengths", () => {
  it("are stacked padded with -100, whole rows where they belong", () => {
    const short = { dtype: "float32" as const, shape: [2, 1, 2], data: Float32Array.of(1, 2, 3, 4) };
    const long = { dtype: "float32" as const, shape: [1, 3, 2], data: Float32Array.of(5, 6, 7, 8, 9, 10) };
    const p = -100;
    expect(concatRows([short, long])).toEqual({
      dtype: "float32",
      shape: [3, 3, 2],
      data: Float32Array.of(1, 2, p, p, p, p, 3, 4, p, p, p, p, 5, 6, 7, 8, 9, 10),
    });
    const labels = [
      { dtype: "int32" as const, shape: [1, 2], data: Int32Array.of(1, 2) },
      { dtype: "int32" as const, shape: [2, 1], data: Int32Array.of(3, 4) },
    ];
    expect(concatRows(labels)).toEqual({ dtype: "int32", shape: [3, 2], data: Int32Array.of(1, 2, 3, p, 4, p) });
  });

  it("are stacked as they are where they agree", () => {
    const rows = [
      { dtype: "float32" as const, shape: [1, 2], data: Float32Array.of(1, 2) },
      { dtype: "float32" as const, shape: [2, 2], data: Float32Array.of(3, 4, 5, 6) },
    ];
    expect(concatRows(rows)).toEqual({ dtype: "float32", shape: [3, 2], data: Float32Array.of(1, 2, 3, 4, 5, 6) });
    const one = { dtype: "int32" as const, shape: [2], data: Int32Array.of(1, 2) };
    expect(concatRows([one, one])).toEqual({ dtype: "int32", shape: [4], data: Int32Array.of(1, 2, 1, 2) });
  });
});

/** A token's tag follows from its id; rows have 3 to 8 tokens, the first and last of which do not count. */
function tokenRows(count: number) {
  return Array.from({ length: count }, (_, row) => {
    const ids = Array.from({ length: 3 + (row % 6) }, (_, at) => 5 + ((row * 7 + at * 3) % 20));
    const labels = ids.map((id, at) => (at === 0 || at === ids.length - 1 ? -100 : id % 5));
    return { inputIds: Int32Array.from(ids), labels: Int32Array.from(labels) };
  });
}

describe("training a token classifier", () => {
  it("with LoRA on rows of different lengths: the loss falls, entities are found, predictions are row by row", async () => {
    const model = await AutoModelForTokenClassification.fromPretrained(goldenFolder("bert_tokencls"), {
      threads: 1,
      id2label: ["O", "B-A", "I-A", "B-B", "I-B"],
    });
    onTestFinished(() => model.dispose());
    const peft = getPeftModel(model, new LoraConfig({ taskType: "TOKEN_CLS", r: 8, targetModules: "all-linear" }), {
      seed: 1,
    });
    const tokenizer = await Tokenizer.fromFolder(
      fileURLToPath(new URL("../golden/data/tiny-wordpiece", import.meta.url)),
    );
    const rows = tokenRows(48);
    let seen: EvalPrediction | undefined;
    const trainer = new Trainer({
      model: peft,
      args: new TrainingArguments({
        numTrainEpochs: 40,
        perDeviceTrainBatchSize: 8,
        perDeviceEvalBatchSize: 5,
        gradientAccumulationSteps: 2,
        learningRate: 2e-2,
        saveStrategy: "no",
        reportTo: "none",
      }),
      trainDataset: rows,
      evalDataset: rows,
      processingClass: tokenizer,
      computeMetrics: (prediction) => {
        seen = prediction;
        const { predictions, labelIds } = prediction;
        return evaluateMetrics(["seqeval"], { predictions, labelIds: labelIds!, id2label: model.config.id2label });
      },
    });
    const before = await trainer.evaluate();
    await trainer.train();
    const after = await trainer.evaluate();
    expect(after.eval_loss as number).toBeLessThan((before.eval_loss as number) / 4);
    expect(before.eval_f1).toBeLessThan(0.5);
    expect(after.eval_f1).toBeGreaterThan(0.9);
    expect(seen!.predictions.shape).toEqual([48, 8, 5]);
    expect(seen!.labelIds!.shape).toEqual([48, 8]);
    // The loss is the mean over all labelled tokens, however rows are cut into batches.
    const whole = await peft({ ...DataCollatorForTokenClassification(tokenizer)(rows) });
    expect(after.eval_loss as number).toBeCloseTo(whole.loss!, 5);
    const alone = await peft({ inputIds: [Array.from(rows[9]!.inputIds)] });
    const width = rows[9]!.inputIds.length * 5;
    const found = seen!.predictions.data.subarray(9 * 40, 9 * 40 + width);
    expect(Math.max(...found.map((value, i) => Math.abs(value - alone.logits.data[i]!)))).toBeLessThan(1e-4);
    // The first batch has rows of at most 7 tokens, all together of 8.
    expect([...seen!.predictions.data.subarray(35, 40)]).toEqual([-100, -100, -100, -100, -100]);
  });
});
