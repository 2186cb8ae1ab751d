import { readFileSync } from "node:fs";
import type { ModelInputs, PreTrainedModel } from "#graft/models/index";
import { AutoModelForImageClassification, AutoModelForSequenceClassification } from "#graft/models/index";
import type { TensorData } from "#graft/tensor-data";
import { goldenPath } from "./numbers.js";

type Options = Parameters<typeof AutoModelForImageClassification.fromPretrained>[1];

/** A classifier from a folder, of the kind that its config names. */
export function loadClassifier(folder: string, options: Options = {}): Promise<PreTrainedModel> {
  const { model_type: type } = JSON.parse(readFileSync(`${folder}/config.json`, "utf8"));
  const auto = type === "vit" ? AutoModelForImageClassification : AutoModelForSequenceClassification;
  return auto.fromPretrained(folder, { threads: 1, onReport: () => {}, ...options });
}

export const loadGoldenModel = (name: string, options: Options = {}): Promise<PreTrainedModel> =>
  loadClassifier(goldenPath(`models/${name}`), options);

const graphNames = {
  inputIds: "input_ids",
  attentionMask: "attention_mask",
  tokenTypeIds: "token_type_ids",
  pixelValues: "pixel_values",
  labels: "labels",
} as const;

/** A golden file's inputs, as models are called. */
export function inputsOf(tensors: ReadonlyMap<string, TensorData>, withLabels = false): ModelInputs {
  const entries = Object.entries(graphNames).flatMap(([name, graphName]) => {
    const tensor = tensors.get(graphName);
    return tensor && (withLabels || name !== "labels") ? [[name, tensor]] : [];
  });
  return Object.fromEntries(entries);
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
