import * as z from "zod";
import { type OptionValues, option } from "../../options/option-table.js";
import { scheduleNames } from "../schedules/index.js";

const interval = z.number().positive();
const count = z.int().positive();
const share = z.number().gte(0).lt(1);
/** A number and B, kB, MB or GB, powers of 1000. */
const memorySize = /^\d+(\.\d+)?\s*(B|kB|KB|MB|GB)$/;
const aboveZero = "a whole number above 0";
const fromZero = "a number from 0";
const belowOne = "a number from 0 to below 1";
const everyOrShare = "a whole number above 0 (every so many updates), or a share of the run's updates below 1";

/**
 * Every option of a training run: what it may be, its default (those of transformers 5) and what it means.
 * The class, the command line and run files are made from this table.
 */
export const trainingArgumentFields = {
  outputDir: option("text", z.string().min(1), "trainer_output", { help: "Folder for checkpoints and events.jsonl" }),

  perDeviceTrainBatchSize: option("integer", count, 8, { help: "Rows in a training batch", expected: aboveZero }),
  perDeviceEvalBatchSize: option("integer", count, 8, { help: "Rows in an evaluation batch", expected: aboveZero }),
  gradientAccumulationSteps: option("integer", count, 1, {
    help: "Batches whose gradients are averaged before each update",
    expected: aboveZero,
  }),
  numTrainEpochs: option("number", z.number().positive(), 3, {
    help: "Passes over the training data; fractions are allowed",
    expected: "a number above 0",
  }),
  maxSteps: option("integer", z.int().gte(-1), -1, {
    help: "Updates in the run, in place of epochs; -1 leaves it off",
    expected: "a whole number from -1",
  }),

  learningRate: option("number", z.number().gte(0), 5e-5, { help: "Highest learning rate", expected: fromZero }),
  lrSchedulerType: option("choice", z.enum(scheduleNames), "linear", {
    help: "How the learning rate moves during the run",
  }),
  warmupSteps: option("number", z.number().gte(0), 0, {
    help: "Updates of linear warm-up; below 1 a share of the run's updates",
    expected: "a number from 0",
  }),
  optim: option("choice", z.enum(["adamw_torch", "adamw_torch_fused", "adamw", "sgd", "lorafa"]), "adamw_torch", {
    help: "Optimiser; the three AdamW names mean the same here, lorafa trains LoRA's B alone",
  }),
  weightDecay: option("number", z.number().gte(0), 0, {
    help: "Decay of weights; biases and LayerNorm are left out",
    expected: fromZero,
  }),
  adamBeta1: option("number", share, 0.9, { help: "AdamW: decay of the mean of gradients", expected: belowOne }),
  adamBeta2: option("number", share, 0.999, {
    help: "AdamW: decay of the mean of squared gradients",
    expected: belowOne,
  }),
  adamEpsilon: option("number", z.number().gte(0), 1e-8, {
    help: "AdamW: added to the denominator",
    expected: fromZero,
  }),
  loraplusLrRatio: option("number", z.number().positive().nullable(), null, {
    help: "LoRA+: how many times the learning rate B is trained with; off when not set",
    expected: "null or a number above 0",
  }),
  loraplusLrEmbedding: option("number", z.number().gte(0), 1e-6, {
    help: "LoRA+: learning rate of LoRA on embeddings",
    expected: fromZero,
  }),
  labelSmoothingFactor: option("number", share, 0, {
    help: "Share of the uniform distribution over the vocabulary in what a language model learns",
    expected: belowOne,
  }),
  maxGradNorm: option("number", z.number().gte(0), 1, {
    help: "Global norm to which gradients are clipped; 0 clips nothing",
    expected: fromZero,
  }),

  loggingStrategy: option("choice", z.enum(["no", "steps", "epoch"]), "steps", { help: "When the loss is logged" }),
  loggingSteps: option("number", interval, 500, {
    help: "Updates between logs; below 1 a share of the run's updates",
    expected: everyOrShare,
  }),
  loggingFirstStep: option("switch", z.boolean(), false, { help: "Log the first update too" }),
  evalStrategy: option("choice", z.enum(["no", "steps", "epoch"]), "no", {
    help: "When the evaluation data is evaluated",
  }),
  evalSteps: option("number", interval.nullable(), null, {
    help: "Updates between evaluations. Default: those between logs",
    expected: `null or ${everyOrShare}`,
  }),
  saveStrategy: option("choice", z.enum(["no", "steps", "epoch", "best"]), "steps", {
    help: "When a checkpoint is written; best: after each evaluation that beats all before it",
  }),
  saveSteps: option("number", interval, 500, {
    help: "Updates between checkpoints; below 1 a share of the run's updates",
    expected: everyOrShare,
  }),
  saveTotalLimit: option("integer", count.nullable(), null, {
    help: "Checkpoints that are kept, the best one among them",
    expected: `null or ${aboveZero}`,
  }),
  loadBestModelAtEnd: option("switch", z.boolean(), false, { help: "End with the weights of the best evaluation" }),
  metricForBestModel: option("text", z.string().min(1).nullable(), null, {
    help: 'Metric that decides; "loss" when not set',
    expected: "null or the name of a metric",
  }),
  greaterIsBetter: option("switch", z.boolean().nullable(), null, {
    help: "Default: false for a metric that ends in loss",
    expected: "null, true or false",
  }),

  seed: option("integer", z.int().gte(0), 42, {
    help: "Decides dropout, augmentation and, where they have no seed of their own, the order of the rows",
    expected: "a whole number from 0",
  }),
  dataSeed: option("integer", z.int().gte(0).nullable(), null, {
    help: "Decides the order of the training rows alone; seed when not set",
    expected: "null or a whole number from 0",
  }),
  trainSamplingStrategy: option("choice", z.enum(["random", "sequential", "group_by_length"]), "random", {
    help: "Order of the training rows; group_by_length puts rows of like length together: less padding",
  }),
  dataloaderDropLast: option("switch", z.boolean(), false, {
    help: "Leave out the last training batch when it is not full",
  }),
  labelNames: option("list", z.array(z.string()).nullable(), null, {
    help: 'Inputs that are labels; ["labels"] here',
    expected: "null or a list of names",
  }),
  removeUnusedColumns: option("switch", z.boolean(), true, {
    help: "Accepted: a batch holds only what the model reads anyway",
  }),

  frozenPrecision: option("choice", z.enum(["f32", "int8", "auto"]), "f32", {
    help: "Products with frozen weights: f32, or int8 where that is faster and accurate enough; auto takes f32 elsewhere without a warning",
  }),
  microBatchSize: option("integer", count.nullable(), null, {
    help: "Rows that are run at once: the same update in pieces, in less memory; whole batches when not set",
    expected: `null or ${aboveZero}`,
  }),
  autoMicroBatch: option("switch", z.boolean(), false, {
    help: "Find on the first batch how many rows are run at once: the fewest that are as fast as more",
  }),
  maxMemory: option("text", z.string().regex(memorySize).nullable(), null, {
    help: "Memory that the process may take, such as 2GB: rows that are run at once are found as far as it allows",
    expected: "null or a size such as 800MB or 2GB",
  }),
  fp16: option("switch", z.boolean(), false, { help: "Accepted with a warning: training computes in float32" }),
  bf16: option("switch", z.boolean(), false, { help: "Accepted with a warning: training computes in float32" }),
  pushToHub: option("switch", z.boolean(), false, {
    help: "Push the model to the Hugging Face Hub, with a model card",
  }),
  hubModelId: option("text", z.string().min(1).nullable(), null, {
    help: 'Repository, "org/name". Default: the output folder\'s name under the account of the token',
    expected: "null or the name of a repository",
  }),
  hubStrategy: option("choice", z.enum(["end", "every_save", "checkpoint", "all_checkpoints"]), "every_save", {
    help: "What is pushed when: the model at the end or at every save; with it the last checkpoint, or all",
  }),
  hubPrivateRepo: option("switch", z.boolean().nullable(), null, {
    help: "Whether a repository that is made is private. Default: as the account has it",
    expected: "null, true or false",
  }),
  reportTo: option("choice", z.enum(["events", "none"]), "events", {
    help: "events: a line of JSON per event in events.jsonl",
  }),
};

export type TrainingArgumentName = keyof typeof trainingArgumentFields;

/** Every option with its value, after defaults. */
export type TrainingArgumentValues = OptionValues<typeof trainingArgumentFields>;
