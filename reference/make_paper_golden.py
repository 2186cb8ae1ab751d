"""Writes test/golden/methods-next/<name>/: the LoRA paper's other methods, in plain PyTorch from their definitions.

    python reference/make_paper_golden.py --out test/golden/methods-next --models test/golden/models [NAME ...]

FT, FT-Top, PreEmbed, PreLayer, Houlsby's and Lin's adapters, AdapterDrop. The layout is that of make_plain_golden.py; FT and
FT-Top have no adapter file, start from the base model, and their names are those in memory. AdapterDrop's `drawn` goldens say in
meta.json how many layers each update leaves out: a bottleneck left out has gradient zero, AdamW moves it by momentum and decay.
"""

import argparse
import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import torch
from make_plain_golden import PfeifferFeedForward, PfeifferPreNormLayer
from method_golden import (
    ADAMW,
    Adapted,
    base_model,
    fresh_folder,
    made_by,
    noise_for,
    save_tensors,
    trainable_line,
    updates,
    write_json,
    write_numbers,
)
from peft_cases import BASES as FAMILY_BASES
from peft_cases import TASKS as FAMILY_TASKS
from plain_methods import Trained, head_parameters, houlsby, layers_of, lin, prelayer, preembed, top_layers
from quiet import silence_transformers
from safetensors.torch import load_file
from tiny_models import Tensors
from torch import nn
from transformers import PreTrainedModel

FACTOR = 4
BASES = FAMILY_BASES | {"bert_tokencls": "bert_tokencls", "roberta_tokencls": "roberta_tokencls"}
TASKS = FAMILY_TASKS | {"bert_tokencls": "TOKEN_CLS", "roberta_tokencls": "TOKEN_CLS"}
DRAWN = [0, 1, 2, 1, 0]


@dataclass(frozen=True)
class Method:
    """`adapt` puts it into a model; `whole` says that it trains the base itself and saves a model, not an adapter."""

    adapt: Callable[[PreTrainedModel], Trained]
    config: dict
    families: tuple[str, ...] = ("bert", "roberta", "vit", "gpt2")
    whole: bool = False
    run: Callable[[Adapted, Tensors], Tensors] = updates
    notes: dict = field(default_factory=dict)


class Dropped(nn.Module):
    """Every layer with and without a Pfeiffer bottleneck; `skip(n)` takes it out of the first n layers."""

    def __init__(self, model: PreTrainedModel) -> None:
        super().__init__()
        self.layers, self.is_vit = dict(layers_of(model)), model.config.model_type == "vit"
        hidden = model.config.hidden_size
        self.variants = nn.ModuleList()
        for layer in self.layers.values():
            down, up = nn.Linear(hidden, hidden // FACTOR), nn.Linear(hidden // FACTOR, hidden)
            plain = layer if self.is_vit else layer.output
            make = PfeifferPreNormLayer if self.is_vit else PfeifferFeedForward
            self.variants.append(nn.ModuleList([plain, make(plain, down, up)]))
        self.holder = model.vit.layers if self.is_vit else None

    def trained(self) -> Trained:
        found: Trained = {}
        for path, (_, variant) in zip(self.layers, self.variants, strict=True):
            for name in ("down", "up"):
                found |= {f"{path}.adapter_{name}.{key}": p for key, p in getattr(variant, name).named_parameters()}
        return found

    def skip(self, count: int) -> None:
        for index, (layer, variants) in enumerate(zip(self.layers.values(), self.variants, strict=True)):
            chosen = variants[int(index >= count)]
            if self.is_vit:
                self.holder[index] = chosen
            else:
                layer.output = chosen


def drop_fixed(model: PreTrainedModel, count: int) -> Trained:
    dropped = Dropped(model)
    dropped.skip(count)
    kept = list(dropped.layers)[count:]
    return {key: p for key, p in dropped.trained().items() if any(key.startswith(f"{path}.") for path in kept)}


def drop_drawn(model: PreTrainedModel) -> Trained:
    dropped = Dropped(model)
    dropped.skip(0)
    object.__setattr__(model, "dropped", dropped)
    return dropped.trained()


def drawn_updates(adapted: Adapted, batch: Tensors) -> Tensors:
    """As method_golden.updates; before each, the numbers of DRAWN say how many layers go without."""
    dropped = adapted.forward.dropped
    optimizer = torch.optim.AdamW(adapted.trained.values(), **ADAMW)
    losses = []
    for count in DRAWN:
        dropped.to(next(adapted.forward.parameters()).dtype)
        dropped.skip(count)
        loss = adapted.forward(**batch).loss
        losses.append(loss.detach())
        for parameter in adapted.trained.values():
            parameter.grad = torch.zeros_like(parameter)
        loss.backward()
        optimizer.step()
    dropped.skip(0)
    return {"losses": torch.stack(losses)} | {f"after.{key}": p.detach() for key, p in adapted.trained.items()}


def every_parameter(model: PreTrainedModel) -> Trained:
    return dict(model.named_parameters())


PLACES = {"num_prefix_tokens": 3, "num_infix_tokens": 2}
ENCODERS = ("bert", "roberta", "vit")
NEW = ("distilbert", "deberta")
METHODS = {
    "preembed": Method(partial(preembed, prefix=3, infix=2), PLACES | {"peft_type": "PREEMBED"}, ("bert", "roberta", "gpt2", "bert_tokencls", "roberta_tokencls", *NEW)),
    "preembed_infix": Method(
        partial(preembed, prefix=0, infix=2), {"peft_type": "PREEMBED", "num_prefix_tokens": 0, "num_infix_tokens": 2}, ("bert", "roberta")
    ),
    "preembed_prefix": Method(
        partial(preembed, prefix=3, infix=0), {"peft_type": "PREEMBED", "num_prefix_tokens": 3, "num_infix_tokens": 0}, ("vit", "bert_tokencls")
    ),
    "prelayer": Method(partial(prelayer, prefix=3, infix=2), PLACES | {"peft_type": "PRELAYER"}, ("bert", "roberta", "gpt2", "bert_tokencls", *NEW)),
    "prelayer_infix": Method(
        partial(prelayer, prefix=0, infix=2), {"peft_type": "PRELAYER", "num_prefix_tokens": 0, "num_infix_tokens": 2}, ("bert",)
    ),
    "prelayer_prefix": Method(
        partial(prelayer, prefix=3, infix=0), {"peft_type": "PRELAYER", "num_prefix_tokens": 3, "num_infix_tokens": 0}, ("vit",)
    ),
    "houlsby": Method(
        partial(houlsby, factor=FACTOR, activation="swish"),
        {"peft_type": "HOULSBY", "reduction_factor": FACTOR, "non_linearity": "swish"},
        ("bert", "roberta", "vit", "gpt2", "llama", *NEW),
    ),
    "lin": Method(
        partial(lin, factor=FACTOR),
        {"peft_type": "LIN", "reduction_factor": FACTOR, "non_linearity": "relu", "layer_norm_eps": 1e-5},
        ("bert", "roberta", "vit", "gpt2", "llama", *NEW),
    ),
    "adapterdrop": Method(
        partial(drop_fixed, count=1),
        {"peft_type": "ADAPTERDROP", "reduction_factor": FACTOR, "non_linearity": "relu", "skip_layers": 1},
        ENCODERS,
    ),
    "adapterdrop_drawn": Method(
        drop_drawn,
        {"peft_type": "ADAPTERDROP", "reduction_factor": FACTOR, "non_linearity": "relu", "skip_layers": "random"},
        ("bert",),
        run=drawn_updates,
        notes={"skippedLayers": DRAWN},
    ),
    "ft": Method(every_parameter, {"peft_type": "FT"}, ("bert", "gpt2"), whole=True),
    "ft_top2": Method(partial(top_layers, count=2), {"peft_type": "FT_TOP2", "num_layers": 2}, ("bert",), whole=True),
    "ft_top1": Method(partial(top_layers, count=1), {"peft_type": "FT_TOP2", "num_layers": 1}, ("roberta", "vit", "gpt2", *NEW), whole=True),
}


def randomise(trained: Trained, generator: torch.Generator) -> None:
    """Bottlenecks and virtual vectors N(0, 0.2); norms and the head moved by N(0, 0.2)."""
    with torch.no_grad():
        for key, parameter in trained.items():
            noise = 0.2 * torch.randn(parameter.shape, generator=generator)
            anew = ".adapter_" in key and "norm" not in key or key.endswith((".prefix", ".infix"))
            parameter.copy_(noise if anew else parameter + noise)


def head_of(model: PreTrainedModel, family: str) -> Trained:
    """A classifier's head; a decoder's, tied or not, stays."""
    if TASKS[family] == "CAUSAL_LM":
        return {}
    return head_parameters(model)


def adapt(method: Method, family: str, models: Path, seed: int) -> Adapted:
    plain = base_model(BASES[family], models, seed)
    model = copy.deepcopy(plain)
    model.requires_grad_(False)
    torch.manual_seed(seed + 7)
    trained = method.adapt(model) | head_of(model, family)
    for parameter in trained.values():
        parameter.requires_grad_(True)
    if not method.whole:
        randomise(trained, noise_for(BASES[family], seed))
    named = {f"{'' if method.whole else 'base_model.model.'}{key}": trained[key] for key in sorted(trained)}

    def outputs(batch: Tensors) -> Tensors:
        found = {"logits": model(**batch).logits, "disabled_logits": plain(**batch).logits}
        if method.run is drawn_updates:
            for count in (1, 2):
                model.dropped.skip(count)
                found[f"skipped_{count}.logits"] = model(**batch).logits
            model.dropped.skip(0)
        return found

    return Adapted(plain, model.eval(), named, outputs)


def adapter_config(method: Method, family: str, models: Path) -> dict:
    return method.config | {
        "auto_mapping": None,
        "base_model_name_or_path": (models / BASES[family]).as_posix(),
        "inference_mode": True,
        "modules_to_save": ["classifier"] if TASKS[family] != "CAUSAL_LM" else None,
        "peft_version": None,
        "revision": None,
        "task_type": TASKS[family],
    }


def partly_rounding(names: list[str]) -> list[str]:
    """The third of GPT-2's fused bias that belongs to the keys has no gradient in theory."""
    return [name for name in names if name.endswith("attn.c_attn.bias")]


def write_golden(name: str, method: Method, family: str, out: Path, models: Path, seed: int) -> None:
    folder = fresh_folder(out / name)
    adapted = adapt(method, family, models, seed)
    if not method.whole:
        save_tensors(folder / "adapter_model.safetensors", adapted.trained)
    write_json(folder / "adapter_config.json", adapter_config(method, family, models))
    trainable = sum(p.numel() for p in adapted.trained.values())
    base = sum(p.numel() for p in adapted.base.parameters())
    head = sum(p.numel() for p in head_of(adapted.base, family).values())
    total = base if method.whole else base + trainable
    meta = {
        "base": BASES[family],
        "moduleNames": "v5",
        "mergeable": False,
        "trainableParameters": trainable,
        "headParameters": head,
        "allParameters": total,
        "printTrainableParameters": trainable_line(trainable, total),
        "made_by": made_by(__file__),
    }
    rounding = partly_rounding(list(adapted.trained))
    meta |= write_numbers(folder, lambda: adapt(method, family, models, seed), seed, method.run, rounding)
    if method.whole:
        keep_only(folder / "io.safetensors", lambda key: not key.startswith("grad."))
    write_json(folder / "meta.json", meta | method.notes)
    print(name, meta["updatesDifferenceFromFloat64"], meta["gradientIsRounding"], trainable, head, flush=True)


def keep_only(path: Path, keeps: Callable[[str], bool]) -> None:
    """FT's gradients are those of golden/gradients in kind, and as large as the model."""
    save_tensors(path, {key: tensor for key, tensor in load_file(path).items() if keeps(key)})


def check_prompt(models: Path) -> None:
    """PreEmbed's prefix must be PEFT's prompt tuning."""
    for family in ("bert", "roberta"):
        folder = Path("test/golden/methods") / f"{family}_prompt"
        saved, io = load_file(folder / "adapter_model.safetensors"), load_file(folder / "io.safetensors")
        model = base_model(BASES[family], models)
        trained = preembed(model, len(saved["prompt_embeddings"]), 0) | head_of(model, family)
        with torch.no_grad():
            for key, parameter in trained.items():
                parameter.copy_(saved.get(f"base_model.{key}", saved["prompt_embeddings"]))
            inputs = ("input_ids", "attention_mask", "token_type_ids")
            found = model.eval()(**{key: io[key] for key in inputs if key in io}).logits
        print(family, "prefix against PEFT", float((found - io["logits"]).abs().max()))
        torch.testing.assert_close(found, io["logits"], rtol=1e-5, atol=1e-5)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--out", type=Path, default=Path("test/golden/methods-next"))
    parser.add_argument("--models", type=Path, default=Path("test/golden/models"))
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    silence_transformers(errors_only=True)
    torch.set_num_threads(1)
    check_prompt(arguments.models)
    for method_name, method in METHODS.items():
        for family in method.families:
            name = f"{family}_{method_name}"
            if not arguments.names or name in arguments.names:
                write_golden(name, method, family, arguments.out, arguments.models, arguments.seed)


if __name__ == "__main__":
    main()
