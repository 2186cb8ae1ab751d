const queryValue = ["query", "value"];
const projections = ["q_proj", "v_proj"];

/**
 * The modules that PEFT 0.21 adapts with LoRA by default, by `model_type`. Model types that are not listed have no default:
 * the user names the modules.
 */
export const defaultTargetModules: Readonly<Record<string, readonly string[]>> = {
  bert: queryValue,
  roberta: queryValue,
  "xlm-roberta": queryValue,
  electra: queryValue,
  layoutlm: queryValue,
  "deberta-v2": ["query_proj", "value_proj"],
  deberta: ["in_proj"],
  gpt2: ["c_attn"],
  gpt_bigcode: ["c_attn"],
  gpt_neo: projections,
  gptj: projections,
  gpt_neox: ["query_key_value"],
  bloom: ["query_key_value"],
  falcon: ["query_key_value"],
  t5: ["q", "v"],
  mt5: ["q", "v"],
  bart: projections,
  opt: projections,
  llama: projections,
  llama4: projections,
  mistral: projections,
  mixtral: projections,
  stablelm: projections,
  gemma: projections,
  gemma2: projections,
  gemma3_text: projections,
  qwen2: projections,
  qwen3: projections,
  phi: ["q_proj", "v_proj", "fc1", "fc2"],
  mpt: ["Wqkv"],
  codegen: ["qkv_proj"],
};
