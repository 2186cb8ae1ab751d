import type { Batch } from "../../data/index.js";
import { GraftError } from "../../errors.js";
import type { FrozenPrecision } from "../../precision/index.js";
import type { TrainingArguments } from "../arguments/index.js";
import type { TrainerState } from "../checkpoints/state.js";
import type { BatchCut } from "../micro-batches/index.js";
import { resolvedWarmup, schedules } from "../schedules/index.js";
import {
  createTrainingSession,
  type OptimizerChoice,
  type TrainingSession,
  type TrainingSessionOptions,
} from "../training-session.js";
import { itemsOf } from "./batches.js";
import type { RunParts, RunSetup } from "./setup.js";
import type { UpdateResult } from "./update-result.js";

/** What an optimiser of each name is given. */
const choices: { readonly [O in TrainingArguments["optim"]]: (args: TrainingArguments) => OptimizerChoice } = {
  adamw: adamwOf,
  adamw_torch: adamwOf,
  adamw_torch_fused: adamwOf,
  lorafa: ({ adamBeta1, adamBeta2 }) => ({ name: "lorafa", betas: [adamBeta1, adamBeta2] }),
  sgd: () => ({ name: "sgd" }),
};

function adamwOf({ adamBeta1, adamBeta2, adamEpsilon }: TrainingArguments): OptimizerChoice {
  return { name: "adamw", betas: [adamBeta1, adamBeta2], epsilon: adamEpsilon };
}

/** LoRA+'s rates, as factors on the run's own. */
function loraPlusOf(args: TrainingArguments): Pick<TrainingSessionOptions, "loraplus"> {
  const { loraplusLrRatio: lrRatio, loraplusLrEmbedding, learningRate } = args;
  if (lrRatio === null) return {};
  // At a rate of 0 nothing moves, embeddings included.
  return { loraplus: { lrRatio, embeddingScale: learningRate === 0 ? 0 : loraplusLrEmbedding / learningRate } };
}

/** The session of a run, with the optimiser that its arguments name. */
export function openSession<Row>(
  { model, args }: RunSetup<Row>,
  frozenPrecision: FrozenPrecision,
  cut: BatchCut,
): TrainingSession {
  const { weightDecay, seed, labelSmoothingFactor } = args;
  const optimizer = choices[args.optim](args);
  return createTrainingSession(model, {
    optimizer,
    weightDecay,
    seed,
    frozenPrecision,
    microBatchSize: cut,
    labelSmoothingFactor,
    ...loraPlusOf(args),
  });
}

/** The batches of each update. */
export async function* updateBatches(batches: AsyncIterable<Batch>, size: number): AsyncGenerator<Batch[], void> {
  let group: Batch[] = [];
  for await (const batch of batches) {
    group.push(batch);
    if (group.length < size) continue;
    yield group;
    group = [];
  }
  if (group.length > 0) yield group;
}

/**
 * One update: gradients of each batch, weighted by its share of the labelled rows, then the optimiser. The loss is
 * thus the mean over all rows, however they are cut into batches (transformers' `num_items_in_batch`).
 * @throws GraftError `not-finite` naming the update, and what checking a batch throws
 */
export async function makeUpdate<Row>(
  { setup, session, plan }: Pick<RunParts<Row>, "setup" | "session" | "plan">,
  batches: readonly Batch[],
): Promise<UpdateResult> {
  const { model, args, handler, state } = setup;
  // All are checked before the first adds gradients.
  const inputs = batches.map(({ tensors, indices }) => model.prepareInputs(tensors, indices));
  const items = inputs.map(({ feeds }) => itemsOf(model, feeds.labels));
  const total = items.reduce((sum, count) => sum + count, 0);
  if (total === 0) throw unlabelled(batches);
  let loss = 0;
  let engineMs = 0;
  let compileMs = 0;
  for (const [index, batch] of inputs.entries()) {
    // A batch of ignored rows alone has no mean.
    if (items[index] === 0) continue;
    const weight = items[index]! / total;
    const result = await session.forwardBackwardPrepared(batch, { weight });
    loss += weight * result.loss;
    engineMs += result.engineMs;
    compileMs += result.compileMs;
    if (index < inputs.length - 1) await handler.call("onSubstepEnd", setup, {});
  }
  const length = { warmupSteps: resolvedWarmup(args.warmupSteps, plan.maxSteps), trainingSteps: plan.maxSteps };
  const learningRate = args.learningRate * schedules[args.lrSchedulerType](state.globalStep, length);
  const { gradNorm } = await session
    .optimizerStep({ learningRate, maxGradNorm: args.maxGradNorm })
    .catch((error: unknown) => failUpdate(session, error, state, learningRate));
  const rows = batches.reduce((sum, batch) => sum + batch.indices.length, 0);
  return { loss, gradNorm, learningRate, rows, engineMs, compileMs };
}

/** Leaves the weights as they are and forgets the gradients. @throws the error, naming the update where a number is none */
async function failUpdate(
  session: TrainingSession,
  error: unknown,
  { globalStep, maxSteps }: TrainerState,
  learningRate: number,
): Promise<never> {
  if (!(error instanceof GraftError) || error.code !== "not-finite") throw error;
  await session.zeroGrad();
  throw new GraftError(
    "not-finite",
    `update ${globalStep + 1} of ${maxSteps}, at learning rate ${learningRate}: ${error.message}`,
    "The weights are those of the update before. Lower learningRate, warm up (warmupSteps), keep maxGradNorm at 1, or look for broken inputs; an earlier checkpoint can be resumed.",
    { cause: error },
  );
}

function unlabelled(batches: readonly Batch[]): GraftError {
  const rows = batches.flatMap(({ indices }) => indices);
  const isMissing = batches[0]?.tensors.labels === undefined;
  return new GraftError(
    "invalid-label",
    `rows ${rows.slice(0, 5).join(", ")}, ... of the training data ${isMissing ? "have no labels" : "are all labelled -100, so nothing is learnt from them"}`,
    "Give the rows labels; a dataCollator must return them as labels.",
  );
}
