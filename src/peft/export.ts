import { exportModel, type ModelOutputs, type PreTrainedModel } from "../models/index.js";
import { PeftModel } from "./peft-model.js";

/**
 * Writes a model as transformers.js loads it: `onnx/model.onnx` (operators of the ONNX standard, float32 weights in
 * the file), config.json, and the tokenizer's or image processor's files of the folder that the model came from.
 *
 * The graph's inputs are input_ids, attention_mask and token_type_ids (int64, [batch, sequence]; RoBERTa has no token
 * types), or pixel_values (float32, [batch, channels, height, width]); its output is logits, or last_hidden_state for
 * a model without head. All named inputs must be fed, which transformers.js does.
 *
 * Of a PeftModel the acting adapter is merged into what is written; the PeftModel itself stays as it was.
 * @param folder created where it is missing; each file is written whole or not at all
 * @throws GraftError `unsupported` above 2 GiB, `missing-tensor` for a model without weights, `invalid-argument` for
 *   a base model that holds an adapter (give the PeftModel) or within disableAdapter, `file-access`, `disk-full`
 */
export async function exportOnnx<Outputs extends ModelOutputs>(
  model: PreTrainedModel<Outputs> | PeftModel<Outputs>,
  folder: string,
): Promise<void> {
  if (!(model instanceof PeftModel)) return exportModel(model, folder);
  const base = model.getBaseModel();
  if (model.isMerged || model.activeAdapters.length === 0) return exportModel(base, folder);
  await model.mergeAdapter();
  try {
    await exportModel(base, folder);
  } finally {
    model.unmergeAdapter();
  }
}
