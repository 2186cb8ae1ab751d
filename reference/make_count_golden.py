"""Writes test/golden/method-counts.json: how many parameters each method trains in each tiny model.

    python reference/make_count_golden.py --out test/golden/method-counts.json

`counts.<model>.<method>`: `trainable` as PyTorch counts the built model, without the head; `formula`, which gave the same number
with the sizes of `sizes.<model>`: d hidden, D distances, f feed-forward, k keys and values, L layers, V words, P positions; r ranks and bottlenecks,
lp and li virtual positions. `head.<model>`: the head's parameters (0 for a decoder).
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from make_paper_golden import drop_drawn, drop_fixed, every_parameter
from make_plain_golden import train_biases
from method_golden import made_by, write_json
from peft import (
    AdaLoraConfig,
    IA3Config,
    LNTuningConfig,
    LoHaConfig,
    LoraConfig,
    PeftConfig,
    PrefixTuningConfig,
    PromptEncoderConfig,
    PromptTuningConfig,
    VeraConfig,
    get_peft_model,
)
from peft_cases import BASES, TASKS
from plain_methods import head_parameters, houlsby, lin, prelayer, preembed, top_layers
from quiet import silence_transformers
from tiny_models import build
from transformers import PreTrainedModel

PAST = ("bert", "roberta", "gpt2", "llama")
NEW = ("distilbert", "deberta")
BERT_LIKE = ("bert", "roberta", "vit", "deberta")
TEXT = (*PAST, *NEW)
ALL = (*PAST, "vit", *NEW)
ENCODERS = ("bert", "roberta", "vit", *NEW)
QUERY_VALUE = {"bert": ["query", "value"], "roberta": ["query", "value"], "vit": ["q_proj", "v_proj"], "gpt2": ["c_attn"]}
QUERY_VALUE["llama"] = ["q_proj", "v_proj"]
QUERY_VALUE |= {"distilbert": ["q_lin", "v_lin"], "deberta": ["query_proj", "value_proj"]}
KEY_VALUE_FF = {"bert": ["key", "value", "intermediate.dense"], "vit": ["k_proj", "v_proj", "fc1"], "llama": ["k_proj", "v_proj", "up_proj"]}
KEY_VALUE_FF["roberta"] = KEY_VALUE_FF["bert"]
KEY_VALUE_FF |= {"distilbert": ["k_lin", "v_lin", "lin1"], "deberta": ["key_proj", "value_proj", "intermediate.dense"]}
NORMS = {"bert": ["LayerNorm"], "roberta": ["LayerNorm"], "vit": ["layernorm_before", "layernorm_after", "layernorm"]}
NORMS |= {"distilbert": ["sa_layer_norm", "output_layer_norm", "LayerNorm"], "deberta": ["LayerNorm"]}
NORMS |= {"gpt2": ["ln_1", "ln_2", "ln_f"], "llama": ["input_layernorm", "post_attention_layernorm", "norm"]}

# Where formulas differ: outputs of the two targets, or of the fused one; a layer's biases and all its parameters.
OUTS = dict.fromkeys(ENCODERS, "d + d") | {"gpt2": "3 * d", "llama": "d + k"}
MODULES = {family: 1 if family == "gpt2" else 2 for family in ALL}
LAYER = dict.fromkeys(ENCODERS, "4 * d * d + 2 * d * f + 9 * d + f") | {"gpt2": "4 * d * d + 2 * d * f + 9 * d + f"}
LAYER["llama"] = "2 * d * d + 2 * d * k + 3 * d * f + 2 * d"
LAYER_BIASES = "7 * d + f"
REST = {
    "bert": "(V + P + 2) * d + 2 * d + d * d + d",
    "roberta": "(V + P + 1) * d + 2 * d",
    "vit": "c * d + d + d + P * d + 2 * d",
    "gpt2": "(V + P) * d + 2 * d",
    "llama": "2 * V * d + d",
    "distilbert": "(V + P) * d + 2 * d",
    # Words, the table of distances, two norms, the pooler.
    "deberta": "(V + D) * d + 4 * d + d * d + d",
}
BIASES_OUTSIDE = {"bert": "d + d", "roberta": "d", "vit": "d + d", "distilbert": "d", "deberta": "3 * d"}
NORM_COUNT = {"bert": "2 * d * (2 * L + 1)", "roberta": "2 * d * (2 * L + 1)", "vit": "2 * d * (2 * L + 1)"}
NORM_COUNT |= {"distilbert": "2 * d * (2 * L + 1)", "deberta": "2 * d * (2 * L + 2)"}
NORM_COUNT |= {"gpt2": "2 * d * (2 * L + 1)", "llama": "d * (2 * L + 1)"}


@dataclass(frozen=True)
class Method:
    """What makes it, either from a config of PEFT's or in place, and a formula for each family that has it."""

    formula: Callable[[str], str]
    families: tuple[str, ...] = ALL
    config: Callable[[str], PeftConfig] | None = None
    adapt: Callable[[PreTrainedModel], dict] | None = None


def task(family: str) -> dict:
    return {"task_type": TASKS[family]}


def by_config(make: type, formula: Callable[[str], str], families: tuple[str, ...] = ALL, targets: dict | None = None, **options) -> Method:
    def config(family: str) -> PeftConfig:
        return make(**task(family), **options, **({"target_modules": targets[family]} if targets else {}))

    return Method(formula, families, config=config)


def in_place(adapt: Callable[[PreTrainedModel], dict], formula: Callable[[str], str], families: tuple[str, ...] = ALL) -> Method:
    return Method(formula, families, adapt=adapt)


# Of all these models; PEFT does not find DistilBERT's.
PROMPT_SIZES = {"token_dim": 32, "num_layers": 2, "num_attention_heads": 4}
BOTTLENECK = "(2 * d * r + r + d)"
METHODS = {
    "ft": in_place(every_parameter, lambda f: f"L * ({LAYER[f]}) + {REST[f]}"),
    "ft_top2": in_place(partial(top_layers, count=2), lambda f: f"2 * ({LAYER[f]})"),
    "bitfit": in_place(lambda model: train_biases(model)[0], lambda f: f"L * ({LAYER_BIASES}) + {BIASES_OUTSIDE[f]}", ENCODERS),
    "preembed": in_place(partial(preembed, prefix=3, infix=2), lambda f: "d * (lp + li)", ("bert", "roberta", "gpt2", *NEW)),
    "prelayer": in_place(partial(prelayer, prefix=3, infix=2), lambda f: "L * d * (lp + li)", ("bert", "roberta", "gpt2", *NEW)),
    "houlsby": in_place(partial(houlsby, factor=4, activation="swish"), lambda f: f"2 * L * {BOTTLENECK}"),
    "lin": in_place(partial(lin, factor=4), lambda f: f"L * ({BOTTLENECK} + 2 * d)"),
    "pfeiffer": in_place(drop_drawn, lambda f: f"L * {BOTTLENECK}", BERT_LIKE),
    "adapterdrop_1": in_place(partial(drop_fixed, count=1), lambda f: f"(L - 1) * {BOTTLENECK}", BERT_LIKE),
    "lora": by_config(LoraConfig, lambda f: f"L * r * ({MODULES[f]} * d + {OUTS[f]})", targets=QUERY_VALUE, r=8),
    "dora": by_config(LoraConfig, lambda f: f"L * (r * ({MODULES[f]} * d + {OUTS[f]}) + {OUTS[f]})", targets=QUERY_VALUE, r=8, use_dora=True),
    "lora_bias": by_config(LoraConfig, lambda f: f"L * (r * ({MODULES[f]} * d + {OUTS[f]}) + {OUTS[f]})", ENCODERS, QUERY_VALUE, r=8, lora_bias=True),
    "adalora": by_config(
        AdaLoraConfig, lambda f: f"L * r * ({MODULES[f]} * d + {OUTS[f]} + {MODULES[f]})", targets=QUERY_VALUE, init_r=8, total_step=10
    ),
    "vera": by_config(VeraConfig, lambda f: f"L * ({MODULES[f]} * r + {OUTS[f]})", targets=QUERY_VALUE, r=8),
    "loha": by_config(LoHaConfig, lambda f: f"L * 2 * r * ({MODULES[f]} * d + {OUTS[f]})", ("bert", "roberta", "vit", "llama", *NEW), QUERY_VALUE, r=8),
    "ia3": by_config(IA3Config, lambda f: "L * (2 * k + f)", ("bert", "roberta", "vit", "llama", *NEW), KEY_VALUE_FF, feedforward_modules=[]),
    "ln_tuning": by_config(LNTuningConfig, lambda f: NORM_COUNT[f], targets=NORMS),
    "prompt_tuning": by_config(PromptTuningConfig, lambda f: "d * lp", TEXT, num_virtual_tokens=3, **PROMPT_SIZES),
    "prefix_tuning": by_config(PrefixTuningConfig, lambda f: "lp * L * 2 * k", PAST, num_virtual_tokens=3),
    "prefix_tuning_projected": by_config(
        PrefixTuningConfig,
        lambda f: "lp * k + r * (k + 1) + (r + 1) * L * 2 * k",
        PAST,
        num_virtual_tokens=3,
        prefix_projection=True,
        encoder_hidden_size=8,
    ),
    "p_tuning": by_config(
        PromptEncoderConfig,
        lambda f: "lp * d + r * (d + 1) + r * (r + 1) + d * (r + 1)",
        TEXT,
        num_virtual_tokens=3,
        encoder_hidden_size=8,
        **PROMPT_SIZES,
    ),
}


def sizes_of(model: PreTrainedModel, family: str) -> dict[str, int]:
    config = model.config
    d, is_vit = config.hidden_size, family == "vit"
    heads, groups = config.num_attention_heads, getattr(config, "num_key_value_heads", None)
    return {
        "d": d,
        "f": getattr(config, {"gpt2": "n_inner", "distilbert": "hidden_dim"}.get(family, "intermediate_size")),
        "k": d // heads * (groups or heads),
        "L": config.num_hidden_layers,
        "V": 0 if is_vit else config.vocab_size,
        "P": (config.image_size // config.patch_size) ** 2 + 1 if is_vit else config.max_position_embeddings,
        "D": 2 * getattr(config, "position_buckets", 0),
        "c": config.num_channels * config.patch_size**2 if is_vit else 0,
        "r": 8,
        "lp": 3,
        "li": 2,
        "head": 0 if TASKS[family] == "CAUSAL_LM" else sum(p.numel() for p in head_parameters(model).values()),
    }


def trained_numbers(method: Method, family: str) -> int:
    """Trained parameters outside the head, each counted once."""
    model = build(BASES[family])
    if method.adapt:
        trained = {id(p): p for key, p in method.adapt(model).items() if key not in head_parameters(model)}
        return sum(p.numel() for p in trained.values())
    adapted = get_peft_model(model, method.config(family))
    return sum(p.numel() for name, p in adapted.named_parameters() if p.requires_grad and "classifier" not in name)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("test/golden/method-counts.json"))
    out = parser.parse_args().out
    silence_transformers(errors_only=True)
    sizes = {BASES[family]: sizes_of(build(BASES[family]), family) for family in ALL}
    counts: dict[str, dict] = {name: {} for name in sizes}
    for name, method in METHODS.items():
        for family in method.families:
            base, formula = BASES[family], method.formula(family)
            found = trained_numbers(method, family)
            by_formula = eval(formula, {}, sizes[base])  # noqa: S307: the formulas stand above
            assert found == by_formula, (name, family, found, by_formula, formula)
            counts[base][name] = {"trainable": found, "formula": formula}
    heads = {base: values.pop("head") for base, values in sizes.items()}
    write_json(out, {"sizes": sizes, "head": heads, "counts": counts, "made_by": made_by(__file__, "peft")})
    print({base: len(found) for base, found in counts.items()}, out.stat().st_size)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
