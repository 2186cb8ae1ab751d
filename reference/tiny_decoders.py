"""Tiny decoders with seeded random weights, one for each model type and head, and for each variant that a config can name.

They are smaller than those of tiny_models.py, and each has a seed of its own, so that a new one may stand anywhere.
"""

from collections.abc import Callable

import torch
from tiny_models import LABELS, SPECIAL, TAG_LABELS, randomise
from transformers import (
    GPT2Config,
    GPT2ForSequenceClassification,
    GPT2ForTokenClassification,
    GPT2LMHeadModel,
    GPT2Model,
    LlamaConfig,
    LlamaForCausalLM,
    LlamaForSequenceClassification,
    LlamaForTokenClassification,
    LlamaModel,
    MistralConfig,
    MistralForCausalLM,
    MistralForSequenceClassification,
    MistralForTokenClassification,
    MistralModel,
    PreTrainedModel,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen2ForSequenceClassification,
    Qwen2ForTokenClassification,
    Qwen2Model,
    Qwen3Config,
    Qwen3ForCausalLM,
    Qwen3ForSequenceClassification,
    Qwen3ForTokenClassification,
    Qwen3Model,
)

TEXT = {"vocab_size": 32, "max_position_embeddings": 24, **SPECIAL}
SIZES = {
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "rms_norm_eps": 1e-5,
    **TEXT,
}


def gpt2(**more) -> GPT2Config:
    sizes = {"n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 24, "vocab_size": 32}
    return GPT2Config(**{**sizes, **SPECIAL, **more})


def llama(**more) -> LlamaConfig:
    return LlamaConfig(**{**SIZES, **more})


def rope(kind: str, **more) -> dict:
    return {"rope_parameters": {"rope_type": kind, "rope_theta": 100.0, **more}}


def mistral(**more) -> MistralConfig:
    return MistralConfig(**{**SIZES, "sliding_window": 3, **more})


def qwen2(**more) -> Qwen2Config:
    """A window in the second layer alone."""
    windows = {"use_sliding_window": True, "sliding_window": 3, "max_window_layers": 1}
    return Qwen2Config(**{**SIZES, **windows, **more})


def qwen3(**more) -> Qwen3Config:
    """Heads that together are wider than the stream."""
    return Qwen3Config(**{**SIZES, "head_dim": 6, "tie_word_embeddings": True, **more})


# Name: seed of the weights, and how it is made.
MODELS: dict[str, tuple[int, Callable[[], PreTrainedModel]]] = {
    "gpt2_base": (101, lambda: GPT2Model(gpt2(activation_function="relu", scale_attn_by_inverse_layer_idx=True))),
    "gpt2_seqcls": (102, lambda: GPT2ForSequenceClassification(gpt2(**LABELS))),
    "gpt2_tokencls": (103, lambda: GPT2ForTokenClassification(gpt2(**TAG_LABELS))),
    "gpt2_untied": (104, lambda: GPT2LMHeadModel(gpt2(tie_word_embeddings=False, scale_attn_weights=False))),
    "llama_base": (111, lambda: LlamaModel(llama())),
    "llama_seqcls": (112, lambda: LlamaForSequenceClassification(llama(**LABELS))),
    "llama_tokencls": (113, lambda: LlamaForTokenClassification(llama(**TAG_LABELS))),
    "llama_smol": (114, lambda: LlamaForCausalLM(llama(tie_word_embeddings=True, num_attention_heads=3, hidden_size=12, num_key_value_heads=1))),
    "llama_linear": (115, lambda: LlamaForCausalLM(llama(**rope("linear", factor=2.5)))),
    "llama_yarn": (116, lambda: LlamaForCausalLM(llama(**rope("yarn", factor=4.0, original_max_position_embeddings=6, beta_fast=4.0)))),
    "llama_llama3": (
        117,
        lambda: LlamaForCausalLM(
            llama(
                attention_bias=True,
                mlp_bias=True,
                head_dim=8,
                **rope("llama3", factor=8.0, low_freq_factor=0.5, high_freq_factor=2.0, original_max_position_embeddings=16),
            )
        ),
    ),
    "mistral_lm": (121, lambda: MistralForCausalLM(mistral())),
    "mistral_base": (122, lambda: MistralModel(mistral())),
    "mistral_seqcls": (123, lambda: MistralForSequenceClassification(mistral(sliding_window=None, **LABELS))),
    "mistral_tokencls": (124, lambda: MistralForTokenClassification(mistral(**TAG_LABELS))),
    "qwen2_lm": (131, lambda: Qwen2ForCausalLM(qwen2())),
    "qwen2_base": (132, lambda: Qwen2Model(qwen2())),
    "qwen2_seqcls": (133, lambda: Qwen2ForSequenceClassification(qwen2(use_sliding_window=False, **LABELS))),
    "qwen2_tokencls": (134, lambda: Qwen2ForTokenClassification(qwen2(**TAG_LABELS))),
    "qwen3_lm": (141, lambda: Qwen3ForCausalLM(qwen3())),
    "qwen3_base": (142, lambda: Qwen3Model(qwen3(attention_bias=True))),
    "qwen3_seqcls": (143, lambda: Qwen3ForSequenceClassification(qwen3(**LABELS))),
    "qwen3_tokencls": (144, lambda: Qwen3ForTokenClassification(qwen3(**TAG_LABELS))),
}


def build(name: str) -> PreTrainedModel:
    """The tiny decoder of that name, in eval mode."""
    seed, make = MODELS[name]
    torch.manual_seed(seed)
    model = make()
    randomise(model, torch.Generator().manual_seed(seed))
    return model.eval()
