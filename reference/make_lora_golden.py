"""Writes test/golden/methods/<name>/: LoRA's variants in PEFT: targets, initialisations, selection, optimisers.

    python reference/make_lora_golden.py --out test/golden/methods --models test/golden/models [NAME ...]

Run it from the repository's root; those of GPT-2 and Llama lie in methods-next. `*_pissa*`, `*_olora`, `*_orthogonal`, `*_gaussian`,
`*_mica` keep what PEFT drew, and hold
init.safetensors; `*_lorafa*` and `*_loraplus*` are updated by PEFT's optimisers. reference/README.md has the layout.
"""

import peft.optimizers.lorafa as lorafa_module
import torch
from method_golden import ADAMW, UPDATES, Adapted
from peft import LoraConfig
from peft.optimizers import create_lorafa_optimizer, create_loraplus_optimizer
from peft_cases import Case, keep, write_cases
from tiny_models import Tensors
from torch.optim import Optimizer

RANK, ALPHA, RATIO = 4, 8, 16
LORA = {"r": RANK, "lora_alpha": ALPHA, "init_lora_weights": False}
HEAD = {"modules_to_save": ["classifier"]}
TEXT = LORA | {"target_modules": ["query", "value"]}
IMAGE = LORA | HEAD | {"target_modules": ["q_proj", "v_proj"]}
GPT2 = LORA | {"target_modules": ["c_attn"], "fan_in_fan_out": True}
LLAMA = LORA | {"target_modules": ["q_proj", "v_proj"]}
LORA_RATE = 5e-3


def stepped(optimizer: Optimizer, adapted: Adapted, batch: Tensors) -> Tensors:
    """As method_golden.updates, with this optimiser."""
    losses = []
    for _ in range(UPDATES):
        loss = adapted.forward(**batch).loss
        losses.append(loss.detach())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return {"losses": torch.stack(losses)} | {f"after.{key}": p.detach() for key, p in adapted.trained.items()}


def by_lorafa(adapted: Adapted, batch: Tensors) -> Tensors:
    """PEFT multiplies in bfloat16 under autocast even on a CPU, unless it is told that there is none."""
    lorafa_module.is_bf16_available = lambda: False
    config = adapted.forward.peft_config["default"]
    optimizer = create_lorafa_optimizer(adapted.forward, config.r, config.lora_alpha, LORA_RATE, weight_decay=0.01)
    return stepped(optimizer, adapted, batch)


LORAFA = {
    "optimizer": {
        "name": "LoRA-FA",
        "lr": LORA_RATE,
        "weight_decay": 0.01,
        "betas": [0.9, 0.999],
        "eps": 1e-6,
        "precision": "float32",
        "formula": "A is frozen; B's gradient G becomes G (A A^T + 1e-8 I)^-1 / scaling^2; then B and all else: m and v as in "
        "AdamW, p -= lr sqrt(1 - b2^t) / (1 - b1^t) m / (sqrt(v) + eps), then p -= lr weight_decay p",
    }
}


def by_loraplus(adapted: Adapted, batch: Tensors) -> Tensors:
    return stepped(loraplus(adapted), adapted, batch)


def loraplus(adapted: Adapted) -> Optimizer:
    options = {"lr": LORA_RATE, "loraplus_lr_ratio": RATIO, "loraplus_weight_decay": 0.01}
    rest = {name: ADAMW[name] for name in ("betas", "eps")}
    return create_loraplus_optimizer(adapted.forward, torch.optim.AdamW, **options, **rest)


def loraplus_groups(adapted: Adapted) -> dict:
    """PEFT's four groups, in its order, with the names of their tensors in the adapter file."""
    names = {id(parameter): key for key, parameter in adapted.trained.items()}
    groups = [
        {"name": name, "lr": g["lr"], "weight_decay": g["weight_decay"], "tensors": [names[id(p)] for p in g["params"]]}
        for name, g in zip(("A", "embedding", "B", "B_no_decay"), loraplus(adapted).param_groups, strict=True)
    ]
    return {"optimizer": {"name": "AdamW", "loraplus_lr_ratio": RATIO, "betas": [0.9, 0.999], "eps": 1e-8, "groups": groups}}


FORMULAS = {
    "pissa": "W = U S V^T in float32; A = sqrt(S_r / s) V_r^T, B = U_r sqrt(S_r / s), W' = W - s B A; s the scaling; "
    "a fan_in_fan_out weight is transposed first",
    "pissa_niter_4": "as pissa, by randomised SVD (torch.svd_lowrank, 4 iterations, rank r): W' = W - s B A with these factors",
    "olora": "W = Q R; A = R[:r], B = Q[:, :r], W' = W - s B A: PEFT does not divide the factors by s",
    "orthogonal": "r even; Q = qr(randn(r, r)); A = (randn(in, r/2) Q[1::2])^T / 10, B = (randn(r/2, out)^T Q[0::2]) / 10: B A = 0, "
    "W stays",
    "gaussian": "A ~ N(0, (1 / r)^2), B = 0, W stays",
    "mica": "B = U[:, -r:], the left singular vectors of the smallest singular values, frozen; A = 0; W stays",
}


def initialised(name: str, kind: str, config: dict, **more) -> Case:
    return Case(
        name,
        LoraConfig,
        config | {"init_lora_weights": kind},
        moves=keep,
        initial=True,
        notes={"initialisation": FORMULAS[kind]},
        **more,
    )


EVERY_LLAMA = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]

CASES = [
    Case("gpt2_lora", LoraConfig, GPT2),
    Case("gpt2_lora_all", LoraConfig, GPT2 | {"target_modules": ["c_attn", "c_proj", "c_fc"]}),
    Case("gpt2_rslora", LoraConfig, GPT2 | {"use_rslora": True}),
    Case("llama_lora", LoraConfig, LLAMA),
    Case("llama_lora_all", LoraConfig, LLAMA | {"target_modules": EVERY_LLAMA}),
    Case("gpt2_dora", LoraConfig, GPT2 | {"use_dora": True}),
    Case("llama_dora", LoraConfig, LLAMA | {"use_dora": True}),
    Case("bert_embedding", LoraConfig, TEXT | {"target_modules": ["word_embeddings", "query"]}),
    Case(
        "bert_embeddings_all",
        LoraConfig,
        TEXT | {"target_modules": ["word_embeddings", "position_embeddings", "token_type_embeddings"]},
    ),
    Case("roberta_embedding", LoraConfig, TEXT | {"target_modules": ["word_embeddings", "query"]}),
    Case("gpt2_embedding", LoraConfig, GPT2 | {"target_modules": ["wte", "c_attn"]}),
    Case("llama_embedding", LoraConfig, LLAMA | {"target_modules": ["embed_tokens", "q_proj"]}, untrained=("base_layer",)),
    Case("bert_embedding_dora", LoraConfig, TEXT | {"target_modules": ["word_embeddings", "query"], "use_dora": True}),
    Case("vit_conv", LoraConfig, IMAGE | {"target_modules": ["projection", "q_proj"]}),
    Case("vit_conv_dora", LoraConfig, IMAGE | {"target_modules": ["projection", "q_proj"], "use_dora": True}),
    Case("bert_lora_bias", LoraConfig, TEXT | {"lora_bias": True}),
    Case("vit_lora_bias", LoraConfig, IMAGE | {"lora_bias": True, "target_modules": ["projection", "q_proj"]}),
    initialised("bert_pissa", "pissa", TEXT),
    initialised("vit_pissa", "pissa", IMAGE),
    initialised("gpt2_pissa", "pissa", GPT2),
    initialised("bert_pissa_niter_4", "pissa_niter_4", TEXT),
    initialised("bert_olora", "olora", TEXT),
    initialised("bert_orthogonal", "orthogonal", TEXT),
    initialised("bert_gaussian", "gaussian", TEXT),
    initialised("bert_mica", "mica", TEXT, untrained=("lora_B",)),
    Case("bert_layers", LoraConfig, TEXT | {"layers_to_transform": [1]}),
    Case("bert_layers_pattern", LoraConfig, TEXT | {"layers_to_transform": 0, "layers_pattern": "layer"}),
    Case("gpt2_layers_pattern", LoraConfig, GPT2 | {"layers_to_transform": [1], "layers_pattern": "h"}),
    Case("bert_exclude_regex", LoraConfig, TEXT | {"exclude_modules": r".*layer\.0\..*(query|value)"}),
    Case("bert_trainable_tokens", LoraConfig, TEXT | {"trainable_token_indices": [5, 9, 40]}),
    Case("bert_trainable_tokens_dict", LoraConfig, TEXT | {"trainable_token_indices": {"word_embeddings": [7, 3]}}),
    Case("gpt2_trainable_tokens", LoraConfig, GPT2 | {"trainable_token_indices": [5, 9, 40]}),
    Case("llama_trainable_tokens", LoraConfig, LLAMA | {"trainable_token_indices": {"embed_tokens": [5, 9]}}),
    Case("bert_lorafa", LoraConfig, TEXT, run=by_lorafa, notes=LORAFA),
    Case("bert_lorafa_rslora", LoraConfig, TEXT | {"use_rslora": True}, run=by_lorafa, notes=LORAFA),
    Case("vit_lorafa", LoraConfig, IMAGE, run=by_lorafa, notes=LORAFA),
    Case("bert_loraplus", LoraConfig, TEXT, run=by_loraplus, describe=loraplus_groups),
    Case("bert_loraplus_embedding", LoraConfig, TEXT | {"target_modules": ["word_embeddings", "query"]}, run=by_loraplus, describe=loraplus_groups),
]


if __name__ == "__main__":
    write_cases(CASES, __file__, __doc__)
