/** The files of Hugging Face repositories, and of Graft's own beside them, that Graft reads or writes. */
export const modelFileNames = [
  "config.json",
  "generation_config.json",
  "model.safetensors",
  "model.safetensors.index.json",
  "pytorch_model.bin",
  "pytorch_model.bin.index.json",
  "tokenizer.json",
  "tokenizer_config.json",
  "special_tokens_map.json",
  "added_tokens.json",
  "vocab.txt",
  "vocab.json",
  "merges.txt",
  "tokenizer.model",
  "spm.model",
  "spiece.model",
  "sentencepiece.bpe.model",
  "chat_template.jinja",
  "preprocessor_config.json",
  "adapter_config.json",
  "head_config.json",
  "adapter_model.safetensors",
  "adapter_model.bin",
  "pytorch_adapter.bin",
  "adapters.safetensors",
  "trained.safetensors",
  "graft.json",
  "README.md",
  "onnx/model.onnx",
] as const;

export type ModelFileName = (typeof modelFileNames)[number];

/** A file of tensors that an index or a listing names. */
export type ShardName = `${string}.${"safetensors" | "bin" | "pt" | "pth"}`;

/** Folder of the chat templates that are not the default. */
export const chatTemplateFolder = "additional_chat_templates";

/** A file that is not of a fixed name. */
export type ListedName = ShardName | `${typeof chatTemplateFolder}/${string}.jinja`;
