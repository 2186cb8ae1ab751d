"""Writes test/golden/methods/distilbert_* and deberta_*: PEFT's methods on DistilBERT and DeBERTa-v2.

    python reference/make_encoder_golden.py --out test/golden/methods --models test/golden/models [NAME ...]

Run it from the repository's root. The LoRA paper's other methods on them are made by make_plain_golden.py and
make_paper_golden.py. PEFT refuses prefix tuning here: these models of transformers take no past.
"""

import torch
from peft import AdaLoraConfig, IA3Config, LNTuningConfig, LoraConfig, PromptEncoderConfig, PromptTuningConfig, VeraConfig
from peft_cases import Case, write_cases

LORA = {"r": 4, "lora_alpha": 8, "init_lora_weights": False}
DISTIL = {"target_modules": ["q_lin", "v_lin"]}
# PEFT knows its sizes under other names.
SIZES = {"token_dim": 32, "num_layers": 2, "num_attention_heads": 4}
PROMPT = {"num_virtual_tokens": 4, "prompt_tuning_init": "RANDOM"}
ENCODED = {"num_virtual_tokens": 4, "encoder_hidden_size": 12, "encoder_reparameterization_type": "MLP"}
FED = {"target_modules": ["k_lin", "v_lin", "lin2"], "feedforward_modules": ["lin2"]}
VERA = {"r": 8, "vera_dropout": 0.0, "init_weights": False}

CASES = [
    Case("distilbert_dora", LoraConfig, LORA | DISTIL | {"use_dora": True}),
    Case("distilbert_ia3", IA3Config, FED),
    Case("distilbert_ln", LNTuningConfig, {"target_modules": ["sa_layer_norm", "output_layer_norm"]}),
    Case("distilbert_prompt", PromptTuningConfig, PROMPT | SIZES, mergeable=False),
    Case("distilbert_p_tuning", PromptEncoderConfig, ENCODED | SIZES, mergeable=False, untrained=("prompt_embeddings",)),
    Case("deberta_dora", LoraConfig, LORA | {"use_dora": True}),
    Case("deberta_ia3", IA3Config),
    Case("deberta_adalora", AdaLoraConfig, {"init_r": 4, "lora_alpha": 8, "total_step": 100}),
    Case("deberta_vera", VeraConfig, VERA | {"target_modules": ["query_proj", "value_proj"]}, untrained=("vera_A", "vera_B")),
    Case("deberta_ln", LNTuningConfig, {"target_modules": ["LayerNorm"]}),
    Case("deberta_prompt", PromptTuningConfig, PROMPT, mergeable=False),
    Case("deberta_p_tuning", PromptEncoderConfig, ENCODED, mergeable=False, untrained=("prompt_embeddings",)),
]


if __name__ == "__main__":
    torch.set_num_threads(1)
    write_cases(CASES, __file__, __doc__)
