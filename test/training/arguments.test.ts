import { GraftError } from "graft-peft";
import { describe, expect, it } from "vitest";
import { TrainingArguments, type TrainingArgumentsOptions } from "#graft/training/arguments/index";

function errorOf(options: object): GraftError {
  try {
    new TrainingArguments(options as TrainingArgumentsOptions);
  } catch (error) {
    if (error instanceof GraftError) return error;
    throw error;
  }
  throw new Error("accepted");
}

describe("TrainingArguments", () => {
  it("has the defaults of transformers", () => {
    expect(new TrainingArguments()).toMatchObject({
      perDeviceTrainBatchSize: 8,
      perDeviceEvalBatchSize: 8,
      gradientAccumulationSteps: 1,
      learningRate: 5e-5,
      weightDecay: 0,
      adamBeta1: 0.9,
      adamBeta2: 0.999,
      adamEpsilon: 1e-8,
      maxGradNorm: 1,
      numTrainEpochs: 3,
      maxSteps: -1,
      lrSchedulerType: "linear",
      warmupSteps: 0,
      loggingSteps: 500,
      evalStrategy: "no",
      saveStrategy: "steps",
      saveSteps: 500,
      seed: 42,
      loadBestModelAtEnd: false,
      metricForBestModel: null,
    });
  });

  it("takes the walkthrough's options, old name and 16-bit flag included", () => {
    const args = new TrainingArguments({
      outputDir: "vit-finetuned-lora-food101",
      removeUnusedColumns: false,
      evaluationStrategy: "epoch",
      saveStrategy: "epoch",
      learningRate: 5e-3,
      perDeviceTrainBatchSize: 16,
      gradientAccumulationSteps: 4,
      perDeviceEvalBatchSize: 16,
      fp16: true,
      numTrainEpochs: 5,
      loggingSteps: 10,
      loadBestModelAtEnd: true,
      metricForBestModel: "accuracy",
      labelNames: ["labels"],
    });
    expect(args.evalStrategy).toBe("epoch");
    expect(args.greaterIsBetter).toBe(true);
    expect(args.warnings).toEqual([expect.stringMatching(/^fp16 has no effect: training computes in float32/)]);
  });

  it("knows the other old names", () => {
    const args = new TrainingArguments({ warmupRatio: 0.1, groupByLength: true });
    expect(args.warmupSteps).toBe(0.1);
    expect(args.trainSamplingStrategy).toBe("group_by_length");
    expect(new TrainingArguments({ groupByLength: false, warmupRatio: 0, warmupSteps: 3 }).warmupSteps).toBe(3);
  });

  it("derives what transformers derives", () => {
    const best = new TrainingArguments({ evalStrategy: "steps", saveStrategy: "best", loggingSteps: 20 });
    expect(best).toMatchObject({ metricForBestModel: "loss", greaterIsBetter: false, evalSteps: 20 });
  });

  it.each([
    [{ learningRat: 1 }, "invalid-config", /no option "learningRat"/],
    [{ learningRate: "fast" }, "invalid-config", /learningRate is "fast"/],
    [{ perDeviceTrainBatchSize: 0 }, "invalid-config", /perDeviceTrainBatchSize is 0/],
    [{ lrSchedulerType: "sine" }, "invalid-config", /lrSchedulerType is "sine"/],
    [{ maxSteps: 0 }, "invalid-config", /maxSteps is 0/],
    [{ loggingSteps: 1.5 }, "invalid-config", /loggingSteps is 1.5/],
    [{ warmupRatio: 0.1, warmupSteps: 10 }, "invalid-config", /both warmupRatio and warmupSteps/],
    [{ loadBestModelAtEnd: true }, "invalid-config", /evalStrategy is "no"/],
    [{ loadBestModelAtEnd: true, evalStrategy: "epoch" }, "invalid-config", /saveStrategy is "steps"/],
    [{ loadBestModelAtEnd: true, evalStrategy: "steps", evalSteps: 3, saveSteps: 4 }, "invalid-config", /multiple/],
    [{ frozenPrecision: "int4" }, "invalid-config", /frozenPrecision is "int4"/],
  ])("refuses %j", (options, code, message) => {
    const error = errorOf(options);
    expect(error.code).toBe(code);
    expect(error.message).toMatch(message);
    expect(error.hint.length).toBeGreaterThan(20);
  });
});
