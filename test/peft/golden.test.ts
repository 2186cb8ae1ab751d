import { existsSync, readFileSync } from "node:fs";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import type { PreTrainedModel } from "#graft/models/index";
import { readParameter } from "#graft/models/index";
import { PeftModel, tuners } from "#graft/peft/index";
import { openSafetensors, readAllTensors } from "#graft/safetensors/read";
import type { TensorData } from "#graft/tensor-data";
import { copyOf } from "../models/folder.js";
import {
  type AdapterMeta,
  fiveUpdates,
  gradientsOf,
  hasAdapterFile,
  loadGoldenAdapter,
  metaOf,
  namesIn,
  plainName,
} from "./method-goldens.js";
import { inputsFor, loadClassifier, loadGoldenModel } from "./models.js";
import { goldenPath, readGolden, relativeL2 } from "./numbers.js";

/** The gradient of a key's bias is exactly zero in theory: what both sides find below this norm is rounding. */
const ROUNDING_NORM = 1e-6;

/** Of gradients over a residual: PyTorch decomposes in float32, and its residuals are 1e-6 off those in float64. */
const RESIDUAL_TOLERANCE = 2e-5;

const norm = (tensor: TensorData | undefined): number =>
  Math.hypot(...((tensor?.data ?? [Number.NaN]) as Float32Array));

const folders = ["peft", "methods"].flatMap((room) => namesIn(room).map((name) => `${room}/${name}`));

/** Whether PEFT's initialisation changed base weights. */
async function leavesResidual(folder: string): Promise<boolean> {
  if (!existsSync(goldenPath(`${folder}/init.safetensors`))) return false;
  const { tensors } = await readGolden(`${folder}/init.safetensors`);
  return [...tensors.keys()].some((key) => key.startsWith("base."));
}

/** Whether PEFT itself finds another residual each time it loads the file. */
const isUnstable = ({ reloadDifference = 0 }: AdapterMeta): boolean => reloadDifference > 0.1;

/**
 * The golden's adapter, to be trained. Where PEFT draws the residual anew whenever it loads, the model is given the
 * residual that the golden was made with, and the config that is loaded says nothing of it.
 */
async function reproducible(base: PreTrainedModel, folder: string): Promise<PeftModel> {
  if (!isUnstable(metaOf(folder))) return loadGoldenAdapter(base, folder);
  const { tensors } = await readGolden(`${folder}/init.safetensors`);
  for (const [name, parameter] of base.namedParameters()) {
    const residual = tensors.get(`base.${name}`);
    if (residual) parameter.setData(residual as TensorData<"float32">);
  }
  const copy = await mkdtemp(join(tmpdir(), "graft-golden-"));
  await cp(goldenPath(folder), copy, { recursive: true });
  const config = JSON.parse(await readFile(join(copy, "adapter_config.json"), "utf8"));
  await writeFile(join(copy, "adapter_config.json"), JSON.stringify({ ...config, init_lora_weights: true }));
  const model = await PeftModel.fromPretrained(base, copy, { isTrainable: true });
  await rm(copy, { recursive: true });
  return model;
}

const withoutDropout = {
  hidden_dropout_prob: 0,
  attention_probs_dropout_prob: 0,
  classifier_dropout: null,
  embd_pdrop: 0,
  attn_pdrop: 0,
  resid_pdrop: 0,
};

/** A decoder's batch: a label for every token, and no segments. */
const isDecoders = (io: ReadonlyMap<string, TensorData>): boolean =>
  io.get("labels")?.shape.join() === io.get("attention_mask")?.shape.join() && !io.has("token_type_ids");

/**
 * A decoder's logits at the text's tokens: its goldens hold those of virtual tokens, too, and at padding numbers of which
 * nothing is said, which count as 0. Other models' logits as they are.
 * @param infix virtual tokens behind each text
 */
function atTokens(logits: TensorData | undefined, io: ReadonlyMap<string, TensorData>, infix: number) {
  const mask = io.get("attention_mask");
  if (!logits || !mask || !isDecoders(io)) return logits;
  const [rows, length, classes] = logits.shape as [number, number, number];
  const tokens = mask.shape[1] as number;
  const before = length === tokens ? 0 : length - tokens - infix;
  const data = new Float32Array(rows * tokens * classes);
  for (let i = 0; i < data.length; i++) {
    const [row, token] = [Math.floor(i / tokens / classes), Math.floor(i / classes) % tokens];
    const isToken = Number(mask.data[row * tokens + token]) === 1;
    data[i] = isToken ? Number(logits.data[(row * length + before + token) * classes + (i % classes)]) : 0;
  }
  return { dtype: "float32", shape: [rows, tokens, classes], data } as const;
}

/** Whether what an adapter adds to a table reaches a projection that is tied to it once it is merged. */
const changesTies = (folder: string): boolean => folder === "methods/gpt2_embedding";

test("every method has goldens", async () => {
  const configs = await Promise.all(
    folders.map((folder) => readFile(goldenPath(`${folder}/adapter_config.json`), "utf8")),
  );
  const types = new Set(configs.map((text) => JSON.parse(text).peft_type));
  expect(
    tuners()
      .map(({ type }) => type)
      .filter((type) => !types.has(type)),
  ).toEqual([]);
});

describe.each(folders)("adapter %s", (folder) => {
  const meta = metaOf(folder);
  // A model that is fine-tuned whole has no adapter file; taken into the base it is the base.
  const isWhole = !hasAdapterFile(folder);
  const isRefused = meta.mergeable === false && !isWhole;
  const { num_infix_tokens: infix = 0 } = JSON.parse(readFileSync(goldenPath(`${folder}/adapter_config.json`), "utf8"));
  const mergedLogits = isWhole ? "logits" : "merged_logits";
  let base: PreTrainedModel;
  let model: PeftModel;
  let io: ReadonlyMap<string, TensorData>;

  const nameOf = (key: string): string => plainName(base.network.names.toV4(plainName(key)));
  const close = (found: TensorData | undefined, key: string): void => {
    const own = (logits: TensorData | undefined) => atTokens(logits, io, infix);
    expect(relativeL2(own(found), own(io.get(key))), key).toBeLessThan(1e-5);
  };

  beforeAll(async () => {
    base = await loadGoldenModel(meta.base);
    model = await reproducible(base, folder);
    io = (await readGolden(`${folder}/io.safetensors`)).tensors;
  });
  afterAll(() => base.dispose());

  test("adapts the same modules and counts the same parameters", () => {
    // PEFT's trained rows are a module of their own, which no config's targets name.
    const named = meta.adaptedModules?.filter((path) => !path.endsWith(".token_adapter"));
    const wanted = named?.map((path) => base.network.names.toV4(path));
    if (wanted) expect(model.targetedModuleNames.sort()).toEqual(wanted.sort());
    expect(model.getNbTrainableParameters()).toEqual([meta.trainableParameters, meta.allParameters]);
    expect(model.trainableParametersLine()).toBe(meta.printTrainableParameters);
  });

  test("logits and loss", async () => {
    const { logits, loss } = await model(inputsFor(base, io, true));
    close(logits, "logits");
    const wanted = Number(io.get("loss")?.data[0]);
    expect(Math.abs((loss as number) - wanted)).toBeLessThan(1e-5 * Math.max(1, Math.abs(wanted)));
  });

  test("logits with the adapter disabled, and back", async () => {
    const disabled = await model.disableAdapter(() => model(inputsFor(base, io)));
    if (await leavesResidual(folder)) {
      // PEFT gives those of the changed base here.
      const plain = await loadGoldenModel(meta.base);
      onTestFinished(() => plain.dispose());
      if (!isUnstable(meta)) expect(disabled.logits).toEqual((await plain(inputsFor(plain, io))).logits);
    } else close(disabled.logits, "disabled_logits");
    close((await model(inputsFor(base, io))).logits, "logits");
  });

  test("merged logits, or a refusal; unmerging restores every weight to the bit", async () => {
    const before = await model(inputsFor(base, io));
    const contents = () => new Map(base.namedParameters().map(([key, { content }]) => [key, content]));
    const old = contents();
    if (isRefused) {
      await expect(model.mergeAdapter()).rejects.toThrow(/cannot be merged/);
    } else {
      await model.mergeAdapter({ safeMerge: true });
      const merged = await model(inputsFor(base, io));
      close(merged.logits, mergedLogits);
      if (!changesTies(folder)) expect(relativeL2(merged.logits, before.logits)).toBeLessThan(1e-5);
      model.unmergeAdapter();
    }
    expect(contents()).toEqual(old);
    expect(relativeL2((await model(inputsFor(base, io))).logits, before.logits)).toBe(0);
  });

  test.skipIf(isWhole)("gradients of every trainable parameter", async () => {
    const { loss, gradients } = await gradientsOf(model, io);
    expect(Math.abs(loss - Number(io.get("loss")?.data[0]))).toBeLessThan(1e-4);
    const found = new Map(Object.entries(gradients).map(([name, tensor]) => [plainName(name), tensor]));
    const wanted = [...io].filter(([key]) => key.startsWith("grad."));
    const tolerance = (await leavesResidual(folder)) ? RESIDUAL_TOLERANCE : 1e-5;
    const keys = wanted.map(([key]) => nameOf(key.replace("grad.", "")));
    expect([...found.keys()].sort()).toEqual([...keys].sort());
    for (const [index, [key, tensor]] of wanted.entries()) {
      const own = found.get(keys[index] as string);
      if (norm(tensor) < ROUNDING_NORM) expect(norm(own), key).toBeLessThan(ROUNDING_NORM);
      else expect(relativeL2(own, tensor), key).toBeLessThan(tolerance);
    }
  });

  test.runIf(isWhole)("is saved as a model folder of the same weights", async () => {
    const target = await mkdtemp(join(tmpdir(), "graft-golden-"));
    onTestFinished(() => rm(target, { recursive: true }));
    await model.savePretrained(target);
    const read = async (path: string) => readAllTensors(await openSafetensors(join(path, "model.safetensors")));
    expect(await read(target)).toEqual(await read(goldenPath(`models/${meta.base}`)));
    const loaded = await loadClassifier(target);
    onTestFinished(() => loaded.dispose());
    close((await loaded(inputsFor(loaded, io))).logits, "logits");
    await expect(PeftModel.fromPretrained(loaded, target)).rejects.toThrow(/it is a model/);
  });

  test.skipIf(isWhole)("is saved as it was read, to the byte", async () => {
    const target = await mkdtemp(join(tmpdir(), "graft-golden-"));
    onTestFinished(() => rm(target, { recursive: true }));
    const file = (path: string) => join(path, "adapter_model.safetensors");
    const { savedNotTrained = [] } = meta;
    if (existsSync(goldenPath(`${folder}/trained.safetensors`))) {
      // What is trained makes it anew, up to rounding; loaded for prediction it is the file's own.
      await model.saveTrained(target);
      const made = await readAllTensors(await openSafetensors(file(target)));
      for (const [key, tensor] of await readAllTensors(await openSafetensors(file(goldenPath(folder))))) {
        if (savedNotTrained.includes(key)) expect(relativeL2(made.get(key), tensor), key).toBeLessThan(1e-6);
        else expect(made.get(key), key).toEqual(tensor);
      }
      const trained = (path: string) => readFile(join(path, "trained.safetensors"));
      expect((await trained(target)).equals(await trained(goldenPath(folder)))).toBe(true);
      const other = await loadGoldenModel(meta.base);
      onTestFinished(() => other.dispose());
      const forPrediction = await PeftModel.fromPretrained(other, goldenPath(folder));
      close((await forPrediction(inputsFor(other, io))).logits, "logits");
      await forPrediction.savePretrained(target);
      expect((await readFile(file(target))).equals(await readFile(file(goldenPath(folder))))).toBe(true);
      return;
    }
    await model.savePretrained(target, { moduleNames: folder.endsWith("_v4") ? "v4" : "v5" });
    const wanted = await readAllTensors(await openSafetensors(file(goldenPath(folder))));
    const isRedundant = (key: string) => /\.(modules_to_save|original_module)\./.test(key);
    if ([...wanted.keys()].some(isRedundant)) {
      // With bias "all" PEFT writes the head's biases under its own names in memory, too, and does not read them.
      const found = await readAllTensors(await openSafetensors(file(target)));
      expect(found).toEqual(new Map([...wanted].filter(([key]) => !isRedundant(key))));
    } else {
      expect((await readFile(file(target))).equals(await readFile(file(goldenPath(folder))))).toBe(true);
    }
  });

  test("merged for good: a plain model with the same logits", async () => {
    if (isRefused) return expect(model.mergeAndUnload()).rejects.toThrow(/cannot be merged/);
    const plain = await model.mergeAndUnload();
    expect(plain.namedParameters().some(([key]) => /lora|ia3/.test(key))).toBe(false);
    close((await plain(inputsFor(base, io))).logits, mergedLogits);
  });
});

describe.each(namesIn("methods"))("five AdamW updates of %s", (name) => {
  test("give the losses and the tensors of PyTorch", async () => {
    const folder = `methods/${name}`;
    const meta = metaOf(folder);
    const base = await loadClassifier(await copyOf(meta.base, withoutDropout));
    onTestFinished(() => base.dispose());
    const model = await reproducible(base, folder);
    const { tensors: io } = await readGolden(`${folder}/io.safetensors`);
    const { tensors: updates } = await readGolden(`${folder}/updates.safetensors`);
    const losses = await fiveUpdates(model, io, meta);
    const least = Math.max(1e-5, 5 * (meta.updatesDifferenceFromFloat64 ?? 0));
    for (const [step, loss] of [...(updates.get("losses")?.data ?? [])].entries()) {
      expect(Math.abs((losses[step] as number) - Number(loss)) / Math.abs(Number(loss))).toBeLessThan(least);
    }
    const found = new Map(model.namedParameters().map(([key, parameter]) => [plainName(key), parameter]));
    const rounding = new Set(meta.gradientIsRounding);
    const after = [...updates].filter(([key]) => key.startsWith("after.") && !rounding.has(key.replace("after.", "")));
    expect(after.length).toBeGreaterThan(0);
    for (const [key, tensor] of after) {
      const plain = plainName(base.network.names.toV4(plainName(key.replace("after.", ""))));
      const parameter = found.get(plain);
      expect(parameter && relativeL2(await readParameter(parameter), tensor), key).toBeLessThan(least);
    }
  });
});
