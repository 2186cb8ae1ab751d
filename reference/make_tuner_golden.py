"""Writes test/golden/methods-next/<name>/: IA3, LN tuning, AdaLoRA, VeRA, LoHa and LoKr as PEFT has them.

    python reference/make_tuner_golden.py --out test/golden/methods-next --models test/golden/models [NAME ...]

Run it from the repository's root. reference/README.md has the layout; AdaLoRA's training is make_adalora_golden.py's.
"""

from peft import AdaLoraConfig, IA3Config, LNTuningConfig, LoHaConfig, LoKrConfig, VeraConfig
from peft_cases import Case, write_cases

HEAD = {"modules_to_save": ["classifier"]}
TEXT = {"target_modules": ["query", "value"]}
MIXED = {"target_modules": ["query", "intermediate.dense", "output.dense"]}
IMAGE = HEAD | {"target_modules": ["q_proj", "v_proj"]}
PATCHES = HEAD | {"target_modules": ["projection", "q_proj", "fc1"]}
LLAMA = {"target_modules": ["q_proj", "v_proj", "down_proj"]}
CONV1D = {"target_modules": ["c_attn"], "fan_in_fan_out": True}

VERA = {"r": 6, "projection_prng_key": 3, "save_projection": True}
SHARED = ("base_model.vera_",)
LOW = {"r": 4, "alpha": 8}
ADALORA = {"init_r": 6, "target_r": 2, "lora_alpha": 8, "tinit": 1, "tfinal": 2, "deltaT": 2, "total_step": 8}

LN_FORMULA = {"formula": "weight and bias of the norm itself are trained (a copy stands beside the frozen one)"}
ADALORA_FORMULA = {
    "formula": "y = W x + b + (alpha / (ranknum + 1e-5)) B (E * A) x, ranknum = init_r; loss + orth_reg_weight times the mean "
    "of ||A A^T - I||_F and ||B^T B - I||_F over all modules"
}
VERA_FORMULA = {"formula": "y = W x + b + lambda_b * (B[:out] (lambda_d * (A[:, :in] x))): A and B are frozen and shared by all"}
LOHA_FORMULA = {"formula": "dW = (alpha / r) (w1_a w1_b) * (w2_a w2_b), elementwise"}
LOKR_FORMULA = {"formula": "dW = (alpha / r) kron(w1, w2); each is whole or a product of two, as its names say"}

CASES = [
    Case("gpt2_ia3", IA3Config, {"fan_in_fan_out": True}),
    Case("llama_ia3", IA3Config),
    Case("bert_ln", LNTuningConfig, {"target_modules": ["LayerNorm"]}, notes=LN_FORMULA),
    Case("roberta_ln", LNTuningConfig, {"target_modules": ["output.LayerNorm"]}, notes=LN_FORMULA, redraw=1),
    Case("vit_ln", LNTuningConfig, HEAD | {"target_modules": ["layernorm_before", "layernorm"]}, notes=LN_FORMULA),
    Case("gpt2_ln", LNTuningConfig, {"target_modules": ["ln_1", "ln_f"]}, notes=LN_FORMULA),
    Case("llama_ln", LNTuningConfig, notes=LN_FORMULA),
    Case("bert_adalora", AdaLoraConfig, TEXT | ADALORA, notes=ADALORA_FORMULA),
    Case("gpt2_adalora", AdaLoraConfig, CONV1D | ADALORA, notes=ADALORA_FORMULA),
    Case("bert_vera", VeraConfig, TEXT | VERA, untrained=SHARED, notes=VERA_FORMULA),
    Case("roberta_vera", VeraConfig, MIXED | VERA, untrained=SHARED, notes=VERA_FORMULA),
    Case("vit_vera", VeraConfig, IMAGE | VERA, untrained=SHARED, notes=VERA_FORMULA),
    Case("gpt2_vera", VeraConfig, CONV1D | VERA, untrained=SHARED, notes=VERA_FORMULA),
    Case("llama_vera", VeraConfig, LLAMA | VERA, untrained=SHARED, notes=VERA_FORMULA),
    Case("bert_loha", LoHaConfig, TEXT | LOW, notes=LOHA_FORMULA),
    Case("vit_loha", LoHaConfig, PATCHES | LOW, notes=LOHA_FORMULA),
    Case("llama_loha", LoHaConfig, LLAMA | LOW, notes=LOHA_FORMULA),
    Case("bert_lokr", LoKrConfig, TEXT | LOW, notes=LOKR_FORMULA),
    Case("bert_lokr_rank_2", LoKrConfig, MIXED | {"r": 2, "alpha": 2}, notes=LOKR_FORMULA),
    Case("bert_lokr_factor", LoKrConfig, MIXED | {"r": 2, "alpha": 4, "decompose_factor": 2}, notes=LOKR_FORMULA),
    Case(
        "bert_lokr_both",
        LoKrConfig,
        MIXED | {"r": 1, "alpha": 2, "decompose_both": True, "decompose_factor": 8},
        notes=LOKR_FORMULA,
    ),
    Case("vit_lokr", LoKrConfig, PATCHES | {"r": 2, "alpha": 2}, notes=LOKR_FORMULA),
    Case("llama_lokr", LoKrConfig, LLAMA | {"r": 2, "alpha": 2, "decompose_factor": 4}, notes=LOKR_FORMULA),
]


if __name__ == "__main__":
    write_cases(CASES, __file__, __doc__)
