import {
  AutoModel,
  AutoModelForCausalLM,
  AutoModelForSequenceClassification,
  type PreTrainedModel,
} from "../../models/index.js";

const gpt = (n_embd: number, n_layer: number, n_head: number, n_positions: number) => ({
  model_type: "gpt2",
  vocab_size: 50257,
  n_positions,
  n_embd,
  n_layer,
  n_head,
});

const roberta = (hidden_size: number, num_hidden_layers: number) => ({
  model_type: "roberta",
  vocab_size: 50265,
  hidden_size,
  num_hidden_layers,
  num_attention_heads: hidden_size / 64,
  intermediate_size: 4 * hidden_size,
  max_position_embeddings: 514,
  type_vocab_size: 1,
  num_labels: 3,
});

const debertaXxl = {
  model_type: "deberta-v2",
  vocab_size: 128100,
  hidden_size: 1536,
  num_hidden_layers: 48,
  num_attention_heads: 24,
  intermediate_size: 6144,
  max_position_embeddings: 512,
  type_vocab_size: 0,
  relative_attention: true,
  position_buckets: 256,
  norm_rel_ebd: "layer_norm",
  share_att_key: true,
  pos_att_type: "p2c|c2p",
  conv_kernel_size: 3,
  conv_act: "gelu",
  position_biased_input: false,
  num_labels: 3,
};

/** The models of the LoRA paper by their published shapes. */
export const shapes = {
  "RoBERTa base": { config: roberta(768, 12), head: "classifier" },
  "RoBERTa large": { config: roberta(1024, 24), head: "classifier" },
  "DeBERTa XXL": { config: debertaXxl, head: "classifier" },
  "GPT-2 M": { config: gpt(1024, 24, 16, 1024), head: "language" },
  "GPT-2 L": { config: gpt(1280, 36, 20, 1024), head: "language" },
  "GPT-3": { config: gpt(12288, 96, 96, 2048), head: "language" },
} as const;

export type ShapeName = keyof typeof shapes;

const autos = { classifier: AutoModelForSequenceClassification, language: AutoModelForCausalLM } as const;

/** A model of the paper: every module, no weights. */
export function paperModel(name: ShapeName): PreTrainedModel {
  const { config, head } = shapes[name];
  return autos[head].fromConfig(config, { withWeights: false }) as unknown as PreTrainedModel;
}

/**
 * The blocks of GPT-2 and GPT-3 with Wq, Wk, Wv and Wo apart, each [d, d], as the paper speaks of them: GPT-2's own layer holds the first three
 * as one. Only its layers are of interest.
 */
export function attentionApart(name: "GPT-2 M" | "GPT-2 L" | "GPT-3"): PreTrainedModel {
  const { n_embd: d, n_layer, n_head } = shapes[name].config;
  const config = {
    model_type: "bert",
    hidden_size: d,
    num_hidden_layers: n_layer,
    num_attention_heads: n_head,
    intermediate_size: 4 * d,
  };
  return AutoModel.fromConfig(config, { withWeights: false }) as unknown as PreTrainedModel;
}

/** Hidden size and number of layers. */
export function sizesOf(name: ShapeName): { readonly d: number; readonly L: number } {
  const { config } = shapes[name];
  return "n_embd" in config
    ? { d: config.n_embd, L: config.n_layer }
    : { d: config.hidden_size, L: config.num_hidden_layers };
}
