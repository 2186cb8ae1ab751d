import { GraftError } from "../errors.js";
import { exportModel, type ModelOutputs, type PreTrainedModel } from "../models/index.js";
import type { Parameter } from "../nn/index.js";
import { Adapter } from "./host/adapter.js";
import { PeftModel } from "./peft-model.js";

export interface ExportOptions {
  /**
   * What becomes of the acting adapters. "fixed" (default): they are merged into the weights; where the method cannot be
   * merged, its tensors are built into the graph. "inputs": the tensors of the one acting adapter are inputs of the graph.
   */
  readonly adapters?: "fixed" | "inputs";
}

const actingIn = (model: PeftModel): Adapter[] =>
  [...model.network.guests].filter((guest) => guest instanceof Adapter).filter(({ position }) => position !== null);

/** The tensors of an adapter with their names in its file, its settings (LoRA's scales) among them. */
function adapterInputs(model: PeftModel): ReadonlyMap<Parameter, string> {
  const acting = actingIn(model);
  const [adapter] = acting;
  if (adapter === undefined || acting.length > 1 || model.isMerged) {
    const state = model.isMerged ? "they are merged" : `${acting.length} act`;
    throw new GraftError(
      "invalid-argument",
      `adapters: "inputs" exports one acting adapter, but ${state}`,
      model.isMerged ? "Call unmergeAdapter first." : "Let one adapter act, with setAdapter.",
    );
  }
  const own = [...adapter.own].map(([key, parameter]) => [parameter, key] as const);
  return new Map([...own, ...adapter.copies.map(({ key, copy }) => [copy, key] as const)]);
}

/**
 * Writes a model as transformers.js loads it: `onnx/model.onnx` (operators of the ONNX standard, float32 weights in
 * the file), config.json, and the tokenizer's or image processor's files of the folder that the model came from.
 *
 * The graph's inputs are input_ids, attention_mask and token_type_ids (int64, [batch, sequence]; RoBERTa has no token
 * types), or pixel_values (float32, [batch, channels, height, width]); its output is logits, or last_hidden_state for
 * a model without head. All named inputs must be fed, which transformers.js does.
 *
 * Of a PeftModel the acting adapters are merged into what is written, or built in where their method cannot be merged;
 * the PeftModel itself stays as it was. With `adapters: "inputs"` the graph takes them as further inputs (float32), so
 * that one file serves any adapter of the same modules: tensors under their keys of the adapter's file without
 * "base_model.model." (`bert.encoder.layer.0.attention.self.query.lora_A.weight`, of any rank), scales as
 * `<module>.lora_scaling` ([1], lora_alpha / r; 0 switches the update off). transformers.js does not feed those.
 * @param folder created where it is missing; each file is written whole or not at all
 * @throws GraftError `unsupported` above 2 GiB, `missing-tensor` for a model without weights, `invalid-argument` for
 *   a base model that holds an adapter (give the PeftModel), within disableAdapter, and for "inputs" where not one
 *   adapter acts unmerged, `file-access`, `disk-full`
 */
export async function exportOnnx<Outputs extends ModelOutputs>(
  model: PreTrainedModel<Outputs> | PeftModel<Outputs>,
  folder: string,
  { adapters = "fixed" }: ExportOptions = {},
): Promise<void> {
  if (!(model instanceof PeftModel)) {
    if (adapters === "fixed") return exportModel(model, folder);
    throw new GraftError("invalid-argument", "the model has no adapters to be inputs", "Give a PeftModel.");
  }
  const base = model.getBaseModel();
  if (adapters === "inputs") return exportModel(base, folder, { inputs: adapterInputs(model) });
  // What acts is built in: saved modules, and what merging leaves beside the weights.
  const builtIn = { inputs: new Map() };
  const isMergeable = actingIn(model).every(({ injection: { merge } }) => !("refused" in merge));
  if (model.isMerged || model.activeAdapters.length === 0 || !isMergeable) return exportModel(base, folder, builtIn);
  await model.mergeAdapter();
  try {
    await exportModel(base, folder, builtIn);
  } finally {
    model.unmergeAdapter();
  }
}
