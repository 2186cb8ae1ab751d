const projections = ["q_proj", "v_proj"];
const allOfT5 = ["q", "k", "v", "o"];
const allOfBart = ["q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2"];

/** The modules that PEFT 0.21 adapts with AdaLoRA by default, by `model_type`. */
export const defaultTargetModules: Readonly<Record<string, readonly string[]>> = {
  t5: [...allOfT5, "wi", "wo"],
  mt5: [...allOfT5, "wi_0", "wi_1", "wo"],
  bart: allOfBart,
  opt: allOfBart,
  gpt2: ["c_attn"],
  gpt_bigcode: ["c_attn"],
  bloom: ["query_key_value"],
  gpt_neox: ["query_key_value"],
  gptj: projections,
  gpt_neo: projections,
  llama: projections,
  llama4: projections,
  gemma: projections,
  gemma2: projections,
  gemma3_text: projections,
  qwen2: projections,
  qwen3: projections,
  bert: ["query", "value"],
  roberta: ["query", "key", "value", "dense"],
  "deberta-v2": ["query_proj", "key_proj", "value_proj", "dense"],
  deberta: ["in_proj"],
};
