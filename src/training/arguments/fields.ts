import * as z from "zod";
import { scheduleNames } from "../schedules/index.js";

/** Every this many updates; a number below 1 is a share of the run's updates. */
const interval = z.number().positive();
const count = z.int().positive();
const share = z.number().gte(0).lt(1);

/**
 * Every option of a training run: what it may be, its default (those of transformers 5) and what it means.
 * The command line and run files are made from this table.
 */
export const trainingArgumentFields = {
  outputDir: z.string().min(1).default("trainer_output").describe("Folder for checkpoints and events.jsonl"),

  perDeviceTrainBatchSize: count.default(8).describe("Rows in a training batch"),
  perDeviceEvalBatchSize: count.default(8).describe("Rows in an evaluation batch"),
  gradientAccumulationSteps: count.default(1).describe("Batches whose gradients are averaged before each update"),
  numTrainEpochs: z.number().positive().default(3).describe("Passes over the training data; fractions are allowed"),
  maxSteps: z.int().gte(-1).default(-1).describe("Updates in the run, in place of numTrainEpochs; -1 leaves it off"),

  learningRate: z.number().gte(0).default(5e-5).describe("Highest learning rate"),
  lrSchedulerType: z.enum(scheduleNames).default("linear").describe("How the learning rate moves during the run"),
  warmupSteps: z.number().gte(0).default(0).describe("Updates of linear warm-up; below 1 a share of the run's updates"),
  optim: z
    .enum(["adamw_torch", "adamw_torch_fused", "adamw", "sgd", "lorafa"])
    .default("adamw_torch")
    .describe("Optimiser; the three AdamW names mean the same here, lorafa trains LoRA's B alone"),
  weightDecay: z.number().gte(0).default(0).describe("Decay of weights; biases and LayerNorm are left out"),
  adamBeta1: share.default(0.9).describe("AdamW: decay of the mean of gradients"),
  adamBeta2: share.default(0.999).describe("AdamW: decay of the mean of squared gradients"),
  adamEpsilon: z.number().gte(0).default(1e-8).describe("AdamW: added to the denominator"),
  loraplusLrRatio: z
    .number()
    .positive()
    .nullable()
    .default(null)
    .describe("LoRA+: how many times the learning rate B is trained with; off when not set"),
  loraplusLrEmbedding: z.number().gte(0).default(1e-6).describe("LoRA+: learning rate of LoRA on embeddings"),
  maxGradNorm: z.number().gte(0).default(1).describe("Global norm to which gradients are clipped; 0 clips nothing"),

  loggingStrategy: z.enum(["no", "steps", "epoch"]).default("steps").describe("When the loss is logged"),
  loggingSteps: interval.default(500).describe("Updates between logs; below 1 a share of the run's updates"),
  loggingFirstStep: z.boolean().default(false).describe("Log the first update too"),
  evalStrategy: z.enum(["no", "steps", "epoch"]).default("no").describe("When the evaluation data is evaluated"),
  evalSteps: interval.nullable().default(null).describe("Updates between evaluations; loggingSteps when not set"),
  saveStrategy: z
    .enum(["no", "steps", "epoch", "best"])
    .default("steps")
    .describe("When a checkpoint is written; best: after each evaluation that beats all before it"),
  saveSteps: interval.default(500).describe("Updates between checkpoints; below 1 a share of the run's updates"),
  saveTotalLimit: count.nullable().default(null).describe("Checkpoints that are kept, the best one among them"),
  loadBestModelAtEnd: z.boolean().default(false).describe("End with the weights of the best evaluation"),
  metricForBestModel: z.string().min(1).nullable().default(null).describe('Metric that decides; "loss" when not set'),
  greaterIsBetter: z.boolean().nullable().default(null).describe("Default: false for a metric that ends in loss"),

  seed: z
    .int()
    .gte(0)
    .default(42)
    .describe("Decides dropout, augmentation and, without dataSeed, the order of the rows"),
  dataSeed: z
    .int()
    .gte(0)
    .nullable()
    .default(null)
    .describe("Decides the order of the training rows alone; seed when not set"),
  trainSamplingStrategy: z
    .enum(["random", "sequential", "group_by_length"])
    .default("random")
    .describe("Order of the training rows; group_by_length puts rows of like length together: less padding"),
  dataloaderDropLast: z.boolean().default(false).describe("Leave out the last training batch when it is not full"),
  labelNames: z.array(z.string()).nullable().default(null).describe('Inputs that are labels; ["labels"] here'),
  removeUnusedColumns: z.boolean().default(true).describe("Accepted: a batch holds only what the model reads anyway"),

  frozenPrecision: z
    .enum(["f32", "int8"])
    .default("f32")
    .describe("Products with frozen weights: f32, or int8 where that is faster and accurate enough"),
  fp16: z.boolean().default(false).describe("Accepted with a warning: training computes in float32"),
  bf16: z.boolean().default(false).describe("Accepted with a warning: training computes in float32"),
  pushToHub: z.boolean().default(false).describe("Not supported: upload the saved folder yourself"),
  reportTo: z.enum(["events", "none"]).default("events").describe("events: a line of JSON per event in events.jsonl"),
} as const;

export type TrainingArgumentName = keyof typeof trainingArgumentFields;

export const trainingArgumentSchema = z.strictObject(trainingArgumentFields);

/** Every option with its value, after defaults. */
export type TrainingArgumentValues = Readonly<z.output<typeof trainingArgumentSchema>>;
