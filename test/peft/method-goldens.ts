import { existsSync, readdirSync, readFileSync } from "node:fs";
import { defineProgram } from "#graft/compile/index";
import { type PreTrainedModel, readParameter, traceNetwork } from "#graft/models/index";
import { getPeftModel, PeftConfig, PeftModel } from "#graft/peft/index";
import type { TensorData } from "#graft/tensor-data";
import { createTrainingSession } from "#graft/training/index";
import { freezeFirstFactors, optimizedParameters } from "#graft/training/run/optimized-parameters";
import { inputsFor } from "./models.js";
import { goldenPath } from "./numbers.js";

/** What meta.json of a golden adapter holds. */
export interface AdapterMeta {
  readonly base: string;
  /** Not there where a method changes every layer. */
  readonly adaptedModules?: readonly string[];
  readonly trainableParameters: number;
  readonly allParameters: number;
  readonly printTrainableParameters: string;
  /** false: the mathematics allows no merging. Folders without it are LoRA's, which can be merged. */
  readonly mergeable?: boolean;
  /** Tensors whose gradient is zero in theory, so that AdamW makes full steps of its rounding. */
  readonly gradientIsRounding?: readonly string[];
  /** How far PEFT's own logits are off after it loads its own file. */
  readonly reloadDifference?: number;
  /** What made the updates, where it is not AdamW with one rate. */
  readonly optimizer?: OptimizerMeta;
  /** Of the updates: the least tolerance that a comparison in float32 needs. */
  readonly updatesDifferenceFromFloat64?: number;
  /** Names in the file that are not trained: trained ones make them, or they stay what they are. */
  readonly savedNotTrained?: readonly string[];
  /** How many of the first layers go without their bottleneck in each of the five updates. */
  readonly skippedLayers?: readonly number[];
}

/** LoRA+'s groups of AdamW, or LoRA-FA's numbers. */
export interface OptimizerMeta {
  readonly name: string;
  readonly lr?: number;
  readonly loraplus_lr_ratio?: number;
  readonly groups?: readonly {
    readonly name: string;
    readonly lr: number;
    readonly weight_decay: number;
    readonly tensors: readonly string[];
  }[];
}

/** Folders of goldens in a folder. */
export const namesIn = (folder: string): string[] =>
  readdirSync(goldenPath(folder), { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory() ? [entry.name] : [],
  );

export const metaOf = (folder: string): AdapterMeta =>
  JSON.parse(readFileSync(goldenPath(`${folder}/meta.json`), "utf8"));

/** Whether a golden has an adapter's file: a model that is fine-tuned whole begins as the base. */
export const hasAdapterFile = (folder: string): boolean =>
  existsSync(goldenPath(`${folder}/adapter_model.safetensors`));

/** A golden's adapter on its base, to be trained. */
export async function loadGoldenAdapter(base: PreTrainedModel, folder: string): Promise<PeftModel> {
  const path = goldenPath(folder);
  if (hasAdapterFile(folder)) return PeftModel.fromPretrained(base, path, { isTrainable: true });
  return getPeftModel(base, (await PeftConfig.fromPretrained(path)).with({ inferenceMode: false }));
}

type Tensors = ReadonlyMap<string, TensorData>;

/**
 * Gradients of all trainable parameters by parameter name: without dropout, or in training with these masks at the sites of
 * dropout, in their order.
 */
export async function gradientsOf(model: PeftModel, tensors: Tensors, masks?: readonly TensorData[]) {
  const { feeds, rules } = model.prepareInputs(inputsFor(model.getBaseModel(), tensors, true));
  const { trace, outputs } = traceNetwork(model.network, masks ? "train" : "eval", rules, false);
  const engine = await model.runner.engine();
  const definition = defineProgram({ trace, outputs, loss: "loss", purpose: "training", backend: engine.backend });
  const program = await engine.compile({ ...definition, masks: [] });
  if (masks && masks.length !== trace.masks.length) throw new Error(`${trace.masks.length} sites of dropout`);
  const drawn = Object.fromEntries((masks ?? []).map((mask, site) => [`dropout.${site}`, mask]));
  const resident: Record<string, TensorData> = {};
  const bind: Record<string, string> = {};
  for (const parameter of trace.parameters.keys()) {
    if (!trace.isFed(parameter)) continue;
    resident[parameter.name] = await readParameter(parameter);
    bind[parameter.inputName] = parameter.name;
  }
  await engine.setResident(resident);
  const { loss } = await program.accumulate({ ...feeds, ...drawn }, { bind });
  return { loss, gradients: await program.gradients(bind) };
}

/** The training program with the coins that decide which layers act as inputs, where the worker would throw them. */
async function programWithCoins(model: PeftModel, rules: ReturnType<PeftModel["prepareInputs"]>["rules"]) {
  const { trace, outputs } = traceNetwork(model.network, "train", rules, false);
  const engine = await model.runner.engine();
  const definition = defineProgram({ trace, outputs, loss: "loss", purpose: "training", backend: engine.backend });
  const program = await engine.compile({ ...definition, masks: [] });
  const fed = [...trace.parameters.keys()].filter((parameter) => trace.isFed(parameter));
  const bind = Object.fromEntries(fed.map(({ inputName, name }) => [inputName, name]));
  return { accumulate: (inputs: Record<string, TensorData>) => program.accumulate(inputs, { bind }) };
}

/** Coins of which the first that falls lets the layers from there on act; none falls where all are skipped. */
const coinsFor = (skipped: number, layers: number): Record<string, TensorData> =>
  Object.fromEntries(
    Array.from({ length: layers }, (_, layer) => [
      `dropout.${layer}`,
      { dtype: "uint8", shape: [1], data: Uint8Array.of(Number(layer === skipped)) },
    ]),
  );

/**
 * Five AdamW updates on one batch as the goldens' `updates.safetensors` have them: rate and decay 0.01 on every trained
 * tensor, whatever its name. The model's dropout must be 0.
 * @returns the loss before each
 */
export async function fiveUpdates(
  model: PeftModel,
  tensors: Tensors,
  { skippedLayers, optimizer: made }: Pick<AdapterMeta, "skippedLayers" | "optimizer"> = {},
): Promise<number[]> {
  if (made?.groups) return loraPlusUpdates(model, tensors, made);
  if (made?.name === "LoRA-FA") return loraFaUpdates(model, tensors, made);
  const { feeds, rules } = model.prepareInputs(inputsFor(model.getBaseModel(), tensors, true));
  const training = await model.runner.trainingProgram(rules);
  const program = skippedLayers ? await programWithCoins(model, rules) : training;
  const parameters = model.runner.trainedParameters().map(({ name }) => ({ name, weightDecay: 0.01 }));
  const optimizer = await (await model.runner.engine()).createOptimizer({ optimizer: "adamw", parameters });
  const losses: number[] = [];
  for (let step = 0; step < 5; step++) {
    const coins = skippedLayers ? coinsFor(skippedLayers[step] as number, model.network.layers.length) : {};
    losses.push((await program.accumulate({ ...feeds, ...coins })).loss);
    await optimizer.step({ learningRate: 0.01 });
  }
  await model.runner.syncFromEngine();
  return losses;
}

/** The same by LoRA+, whose decay leaves biases out. */
async function loraPlusUpdates(model: PeftModel, tensors: Tensors, { groups = [], ...meta }: OptimizerMeta) {
  const rate = (name: string): number => groups.find((group) => group.name === name)?.lr ?? Number.NaN;
  const learningRate = rate("A");
  const session = createTrainingSession(model, {
    optimizer: "adamw",
    weightDecay: 0.01,
    loraplus: {
      lrRatio: meta.loraplus_lr_ratio ?? Number.NaN,
      embeddingScale: rate("embedding") / learningRate,
    },
  });
  const losses: number[] = [];
  for (let step = 0; step < 5; step++) {
    losses.push((await session.forwardBackward(inputsFor(model.getBaseModel(), tensors, true))).loss);
    await session.optimizerStep({ learningRate });
  }
  await session.sync();
  return losses;
}

/** The same by LoRA-FA, with decay on every tensor. */
async function loraFaUpdates(model: PeftModel, tensors: Tensors, { lr = Number.NaN }: OptimizerMeta) {
  const { feeds, rules } = model.prepareInputs(inputsFor(model.getBaseModel(), tensors, true));
  freezeFirstFactors(model);
  const program = await model.runner.trainingProgram(rules);
  const parameters = optimizedParameters(model, 0).map((one) => ({ ...one, weightDecay: 0.01 }));
  const optimizer = await (await model.runner.engine()).createOptimizer({ optimizer: "lorafa", parameters });
  const losses: number[] = [];
  for (let step = 0; step < 5; step++) {
    losses.push((await program.accumulate(feeds)).loss);
    await optimizer.step({ learningRate: lr });
  }
  await model.runner.syncFromEngine();
  return losses;
}

/** A parameter's name as a file's key without prefix has it, both in transformers 4's names. */
export const plainName = (name: string): string =>
  name
    .replace(/^base_model\.(model\.)?/, "")
    .replace(".base_layer.", ".")
    .replace(/\.default(?=\.|$)/, "");
