/** The files of Hugging Face repositories, and of Graft's own beside them, that Graft reads or writes. */
export const modelFileNames = [
  "config.json",
  "model.safetensors",
  "model.safetensors.index.json",
  "tokenizer.json",
  "tokenizer_config.json",
  "special_tokens_map.json",
  "added_tokens.json",
  "vocab.txt",
  "vocab.json",
  "merges.txt",
  "preprocessor_config.json",
  "adapter_config.json",
  "adapter_model.safetensors",
  "trained.safetensors",
  "graft.json",
  "README.md",
  "onnx/model.onnx",
] as const;

export type ModelFileName = (typeof modelFileNames)[number];

/** A file that an index names: part of a checkpoint. */
export type ShardName = `${string}.safetensors`;
