import { readFileSync } from "node:fs";
import { camelCase } from "#graft/case";
import {
  autoClasses,
  type FromPretrainedOptions,
  headOfClass,
  type ModelInputs,
  type PreTrainedModel,
} from "#graft/models/index";
import type { TensorData } from "#graft/tensor-data";
import { goldenPath } from "./numbers.js";

type Options = FromPretrainedOptions;

/** A model from a folder, with the head that its config names; published bases have one for another task. */
export function loadClassifier(folder: string, options: Options = {}): Promise<PreTrainedModel> {
  const { model_type: type, architectures = [] } = JSON.parse(readFileSync(`${folder}/config.json`, "utf8"));
  const named = headOfClass(String(architectures[0]));
  const usual = type === "vit" ? "imageClassification" : "sequenceClassification";
  const auto = autoClasses[named === undefined || named === "base" ? usual : named];
  return auto.fromPretrained(folder, { threads: 1, onReport: () => {}, ...options });
}

export const loadGoldenModel = (name: string, options: Options = {}): Promise<PreTrainedModel> =>
  loadClassifier(goldenPath(`models/${name}`), options);

const graphNames = ["input_ids", "attention_mask", "token_type_ids", "pixel_values", "labels"];

/** A golden file's inputs, as models are called. */
export function inputsOf(tensors: ReadonlyMap<string, TensorData>, withLabels = false): ModelInputs {
  const names = graphNames.filter((name) => tensors.has(name) && (withLabels || name !== "labels"));
  return Object.fromEntries(names.map((name) => [camelCase(name), tensors.get(name)]));
}

/** A golden file's inputs that a model takes (RoBERTa's models here have no token types). */
export function inputsFor(
  model: PreTrainedModel,
  tensors: ReadonlyMap<string, TensorData>,
  withLabels = false,
): ModelInputs {
  const taken = Object.entries(inputsOf(tensors, withLabels)).filter(
    ([name]) => name === "labels" || name in model.network.inputs,
  );
  return Object.fromEntries(taken);
}
