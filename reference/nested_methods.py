"""LoRA and IA3 around one linear layer, in either order, in plain PyTorch."""

import torch
from tiny_models import Tensors
from torch import nn
from transformers import PreTrainedModel

# Innermost first.
ORDERS = {"bert_lora_then_ia3": ("lora", "ia3"), "bert_ia3_then_lora": ("ia3", "lora")}

PREFIX = "base_model.model."


class Nested(nn.Module):
    """A linear layer with methods around it, each on what the one before gives: LoRA adds s B A x, IA3 multiplies by l.

    LoRA innermost: y = l * (W x + b + s B A x). IA3 innermost: y = l * (W x + b) + s B A x.
    """

    def __init__(self, linear: nn.Linear, methods: tuple[str, ...], tensors: dict[str, nn.Parameter], scaling: float) -> None:
        super().__init__()
        self.linear, self.methods, self.scaling, self.merged = linear, methods, scaling, False
        self.tensors = nn.ParameterDict(tensors)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.linear(x)
        for method in () if self.merged else self.methods:
            if method == "lora":
                y = y + self.scaling * (x @ self.tensors["A"].T @ self.tensors["B"].T)
            else:
                y = y * self.tensors["l"].flatten()
        return y

    def merge(self) -> None:
        """Puts the methods into weight and bias, in their order."""
        for method in self.methods:
            if method == "lora":
                self.linear.weight += self.scaling * self.tensors["B"] @ self.tensors["A"]
            else:
                self.linear.weight *= self.tensors["l"]
                self.linear.bias *= self.tensors["l"].flatten()
        self.merged = True


def nest(
    model: PreTrainedModel, methods: tuple[str, ...], saved: dict[str, Tensors], scaling: float
) -> tuple[PreTrainedModel, dict[str, nn.Parameter]]:
    """Wraps the modules that the saved adapters name; gives the trained parameters by "<method>.<name in its file>"."""
    model.requires_grad_(False)
    trained = {
        f"{method}.{key}": nn.Parameter(saved[method][key].clone()) for method in methods for key in sorted(saved[method])
    }
    short = {"lora_A.weight": "A", "lora_B.weight": "B", "ia3_l": "l"}
    modules: dict[str, dict[str, nn.Parameter]] = {}
    for key, parameter in trained.items():
        name = key.split(".", 1)[1].removeprefix(PREFIX)
        suffix = next((ending for ending in short if name.endswith(f".{ending}")), None)
        if suffix is None:
            owner, _, attribute = name.rpartition(".")
            setattr(model.get_submodule(owner), attribute, parameter)
        else:
            modules.setdefault(name.removesuffix(f".{suffix}"), {})[short[suffix]] = parameter
    for path, tensors in modules.items():
        model.set_submodule(path, Nested(model.get_submodule(path), methods, tensors, scaling))
    return model.eval(), trained
