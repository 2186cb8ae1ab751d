"""Writes test/golden/methods/<name>/ of the methods that PEFT does not have: BitFit and Pfeiffer's bottleneck adapter.

    python reference/make_plain_golden.py --out test/golden/methods --models test/golden/models [NAME ...]

Plain PyTorch from the definitions; the layout is that of make_method_golden.py. Parameters are counted as PEFT counts:
the head counts twice in all parameters (its original and its trained copy), biases trained in place count once.
"""

import argparse
import copy
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from method_golden import (
    Adapted,
    base_model,
    fresh_folder,
    made_by,
    noise_for,
    save_tensors,
    trainable_line,
    write_json,
    write_numbers,
)
from plain_methods import LAYERS, head_parameters
from quiet import silence_transformers
from tiny_models import Tensors
from torch import nn
from transformers import PreTrainedModel

HEAD = "classifier"
REDUCTION_FACTOR = 4


@dataclass(frozen=True)
class Method:
    """How a method changes the model; it gives the parameters that it trains and the paths of the modules it adapts."""

    adapt: Callable[[PreTrainedModel], tuple[dict[str, nn.Parameter], list[str]]]
    config: dict
    mergeable: bool


class PfeifferFeedForward(nn.Module):
    """The end of a BERT layer with a bottleneck: LN(y + residual), y = up(relu(down(LN(out + residual)))) + out.

    `out` is what dense and dropout give; both norms are the layer's own. AdapterHub calls this `seq_bn`
    (original_ln_before, original_ln_after, residual_before_ln); check_pfeiffer.py found the same logits there, to the bit.
    """

    def __init__(self, output: nn.Module, down: nn.Linear, up: nn.Linear) -> None:
        super().__init__()
        self.output, self.down, self.up = output, down, up

    def forward(self, hidden_states: torch.Tensor, input_tensor: torch.Tensor) -> torch.Tensor:
        out = self.output.dropout(self.output.dense(hidden_states))
        h = self.output.LayerNorm(out + input_tensor)
        y = self.up(torch.relu(self.down(h))) + out
        return self.output.LayerNorm(y + input_tensor)


class PfeifferPreNormLayer(nn.Module):
    """A ViT layer with a bottleneck: no norm follows the feed-forward, so h = out + residual, and it ends in y + residual."""

    def __init__(self, layer: nn.Module, down: nn.Linear, up: nn.Linear) -> None:
        super().__init__()
        self.layer, self.down, self.up = layer, down, up

    def forward(self, hidden_states: torch.Tensor, attention_mask: torch.Tensor | None = None, **kwargs) -> torch.Tensor:
        layer = self.layer
        attended, _ = layer.attention(layer.layernorm_before(hidden_states), attention_mask, **kwargs)
        residual = layer.dropout(attended) + hidden_states
        out = layer.dropout(layer.mlp(layer.layernorm_after(residual)))
        h = out + residual
        return self.up(torch.relu(self.down(h))) + out + residual


class PfeifferWholeFeedForward(nn.Module):
    """DistilBERT's feed-forward, dropout included, with a bottleneck; the layer adds what entered and normalises."""

    def __init__(self, feed_forward: nn.Module, norm: nn.Module, down: nn.Linear, up: nn.Linear) -> None:
        super().__init__()
        self.feed_forward, self.down, self.up = feed_forward, down, up
        self.norm = [norm]

    def forward(self, hidden_states: torch.Tensor) -> torch.Tensor:
        out = self.feed_forward(hidden_states)
        h = self.norm[0](out + hidden_states)
        return self.up(torch.relu(self.down(h))) + out


def bottleneck(hidden: int) -> tuple[nn.Linear, nn.Linear]:
    return nn.Linear(hidden, hidden // REDUCTION_FACTOR), nn.Linear(hidden // REDUCTION_FACTOR, hidden)


def add_bottlenecks(model: PreTrainedModel) -> tuple[dict[str, nn.Parameter], list[str]]:
    """One bottleneck in every layer."""
    is_vit = model.config.model_type == "vit"
    prefix = LAYERS[model.config.model_type]
    layers = model.get_submodule(prefix)
    trained: dict[str, nn.Parameter] = {}
    paths = [f"{prefix}.{index}" for index in range(len(layers))]
    for index, path in enumerate(paths):
        down, up = bottleneck(model.config.hidden_size)
        if is_vit:
            layers[index] = PfeifferPreNormLayer(layers[index], down, up)
        elif model.config.model_type == "distilbert":
            layers[index].ffn = PfeifferWholeFeedForward(layers[index].ffn, layers[index].output_layer_norm, down, up)
        else:
            layers[index].output = PfeifferFeedForward(layers[index].output, down, up)
        for name, linear in (("adapter_down", down), ("adapter_up", up)):
            trained |= {f"{path}.{name}.{kind}": parameter for kind, parameter in linear.named_parameters()}
    return trained, paths


def train_biases(model: PreTrainedModel) -> tuple[dict[str, nn.Parameter], list[str]]:
    """Every bias vector of the base model, norms and embeddings included, but the head's: it is trained whole."""
    head = head_parameters(model)
    biases = {n: p for n, p in model.named_parameters() if n.endswith(".bias") and n not in head}
    return biases, [name.removesuffix(".bias") for name in biases]


METHODS = {
    "bitfit": Method(train_biases, {"peft_type": "BITFIT"}, mergeable=True),
    "pfeiffer": Method(
        add_bottlenecks,
        {"peft_type": "PFEIFFER", "reduction_factor": REDUCTION_FACTOR, "non_linearity": "relu"},
        mergeable=False,
    ),
}
BASES = {"bert": "bert_seqcls", "roberta": "roberta_seqcls", "vit": "vit_imgcls"}
BASES |= {"distilbert": "distilbert_seqcls", "deberta": "deberta_seqcls"}


def randomise(trained: dict[str, nn.Parameter], generator: torch.Generator) -> None:
    """Bottlenecks N(0, 0.2); biases and the head away from the base model's values by N(0, 0.2)."""
    with torch.no_grad():
        for key, parameter in trained.items():
            noise = 0.2 * torch.randn(parameter.shape, generator=generator)
            parameter.copy_(noise if ".adapter_" in key else parameter + noise)


def adapt(method: Method, base_name: str, models: Path, seed: int) -> tuple[Adapted, list[str]]:
    plain = base_model(base_name, models, seed)
    model = copy.deepcopy(plain)
    model.requires_grad_(False)
    trained, paths = method.adapt(model)
    trained |= head_parameters(model)
    for parameter in trained.values():
        parameter.requires_grad_(True)
    randomise(trained, noise_for(base_name, seed))
    named = {f"base_model.model.{key}": trained[key] for key in sorted(trained)}

    def outputs(batch: Tensors) -> Tensors:
        logits = model(**batch).logits
        found = {"logits": logits, "disabled_logits": plain(**batch).logits}
        return found | ({"merged_logits": logits.clone()} if method.mergeable else {})

    return Adapted(plain, model.eval(), named, outputs), paths


def adapter_config(method: Method, base_name: str, models: Path) -> dict:
    return method.config | {
        "auto_mapping": None,
        "base_model_name_or_path": (models / base_name).as_posix(),
        "inference_mode": True,
        "modules_to_save": [HEAD],
        "peft_version": None,
        "revision": None,
        "task_type": None if base_name.startswith("vit") else "SEQ_CLS",
    }


def write_golden(name: str, method: Method, base_name: str, out: Path, models: Path, seed: int) -> None:
    folder = fresh_folder(out / name)
    adapted, paths = adapt(method, base_name, models, seed)
    save_tensors(folder / "adapter_model.safetensors", adapted.trained)
    write_json(folder / "adapter_config.json", adapter_config(method, base_name, models))
    own = {id(p) for p in adapted.forward.parameters()}
    assert all(id(p) in own for p in adapted.trained.values())
    trainable = sum(p.numel() for p in adapted.trained.values())
    head = sum(p.numel() for p in head_parameters(adapted.base).values())
    total = head + sum(p.numel() for p in adapted.forward.parameters())
    meta = {
        "base": base_name,
        "moduleNames": "v5",
        "mergeable": method.mergeable,
        "adaptedModules": paths,
        "trainableParameters": trainable,
        "allParameters": total,
        "printTrainableParameters": trainable_line(trainable, total),
        "made_by": made_by(__file__),
    }
    meta |= write_numbers(folder, lambda: adapt(method, base_name, models, seed)[0], seed)
    write_json(folder / "meta.json", meta)
    print(name, meta["updatesDifferenceFromFloat64"], meta["gradientIsRounding"], meta["printTrainableParameters"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--out", type=Path, default=Path("test/golden/methods"))
    parser.add_argument("--models", type=Path, default=Path("test/golden/models"))
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    silence_transformers()
    torch.set_num_threads(1)
    for method_name, method in METHODS.items():
        for family, base_name in BASES.items():
            name = f"{family}_{method_name}"
            if not arguments.names or name in arguments.names:
                write_golden(name, method, base_name, arguments.out, arguments.models, arguments.seed)


if __name__ == "__main__":
    main()
