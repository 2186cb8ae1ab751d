"""Writes loralib's other modules to test/golden/loralib/: embedding*, merged_linear*, conv2d* and trainable.json.

    python reference/make_loralib_modules_golden.py --out test/golden/loralib

As make_loralib_golden.py: parameters before, `x`, `train` (output in training mode), `merged_weight` and `eval`, and
`unmerged_weight` after `train()` again; besides, `gradOut` and `grad.<parameter>` of sum(train * gradOut). Metadata: the class
and its constructor's arguments. trainable.json: what mark_only_lora_as_trainable leaves trainable in a small net, and
the keys of lora_state_dict, by mode of bias.
"""

import argparse
import json
from pathlib import Path

import loralib
import torch
from safetensors.torch import save_file
from torch import nn

MERGED = {"r": 2, "lora_alpha": 4}
# Class, its positional arguments, its options, and the shape of x.
CASES = {
    "embedding": ("Embedding", [11, 8], {"r": 3, "lora_alpha": 6}, (2, 5)),
    "embedding_padding": ("Embedding", [11, 8], {"r": 3, "lora_alpha": 1, "padding_idx": 1}, (2, 5)),
    "embedding_not_merged": ("Embedding", [11, 8], {"r": 3, "lora_alpha": 6, "merge_weights": False}, (2, 5)),
    "embedding_rank_0": ("Embedding", [11, 8], {"r": 0}, (2, 5)),
    "merged_linear": ("MergedLinear", [8, 18], MERGED | {"enable_lora": [True, False, True]}, (2, 5, 8)),
    "merged_linear_fan_in_fan_out": (
        "MergedLinear",
        [8, 18],
        MERGED | {"enable_lora": [True, False, True], "fan_in_fan_out": True},
        (2, 5, 8),
    ),
    "merged_linear_all": ("MergedLinear", [8, 18], MERGED | {"enable_lora": [True, True, True]}, (2, 5, 8)),
    "merged_linear_one": ("MergedLinear", [8, 18], MERGED | {"enable_lora": [False, False, True], "bias": False}, (2, 5, 8)),
    "merged_linear_not_merged": (
        "MergedLinear",
        [8, 18],
        MERGED | {"enable_lora": [True, False, True], "merge_weights": False},
        (2, 5, 8),
    ),
    "merged_linear_rank_0": ("MergedLinear", [8, 18], {"r": 0, "enable_lora": [True, False, True]}, (2, 5, 8)),
    "conv2d": ("Conv2d", [3, 6, 2], {"r": 2, "lora_alpha": 4}, (2, 3, 5, 5)),
    "conv2d_strided": ("Conv2d", [4, 6, 3], {"r": 1, "lora_alpha": 2, "stride": 2, "padding": 1}, (2, 4, 5, 5)),
    "conv2d_patches": ("Conv2d", [3, 8, 4], {"r": 2, "lora_alpha": 4, "stride": 4, "bias": False}, (2, 3, 8, 8)),
}


def weight_of(layer: nn.Module) -> torch.Tensor:
    return (layer.conv if hasattr(layer, "conv") else layer).weight.detach().clone()


def run(kind: str, sizes: list[int], options: dict, shape: tuple[int, ...], generator: torch.Generator) -> dict[str, torch.Tensor]:
    layer = getattr(loralib, kind)(*sizes, **options)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.3)
    tensors = {name: parameter.detach().clone() for name, parameter in layer.named_parameters()}
    if kind == "Embedding":
        x = torch.randint(0, sizes[0], shape, generator=generator)
        x[0, 0] = 1
        tensors["x"] = x.int()
    else:
        x = tensors["x"] = torch.randn(shape, generator=generator)
    layer.train()
    out = layer(x)
    grad_out = torch.randn(out.shape, generator=generator)
    (out * grad_out).sum().backward()
    tensors |= {"train": out.detach(), "gradOut": grad_out}
    tensors |= {f"grad.{name}": p.grad for name, p in layer.named_parameters() if p.grad is not None}
    with torch.no_grad():
        layer.eval()
        tensors |= {"merged_weight": weight_of(layer), "eval": layer(x)}
        layer.train()
        tensors["unmerged_weight"] = weight_of(layer)
    return {name: tensor.contiguous() for name, tensor in tensors.items()}


class Net(nn.Module):
    """Every kind of layer, with and without LoRA and bias."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = loralib.Embedding(11, 8, r=2)
        self.attn = loralib.MergedLinear(8, 24, r=2, enable_lora=[True, False, True])
        self.plain = nn.Linear(8, 8)
        self.fc = nn.Sequential(loralib.Linear(8, 6, r=3), nn.LayerNorm(6), loralib.Linear(6, 8, r=2, bias=False))
        self.rank_0 = loralib.Linear(8, 8, r=0)
        self.conv = loralib.Conv2d(1, 2, 2, r=1)
        self.head = nn.Linear(8, 3)


def trainable() -> dict:
    found = {}
    for bias in ("none", "all", "lora_only"):
        net = Net()
        loralib.mark_only_lora_as_trainable(net, bias=bias)
        found[bias] = {
            "trainable": [name for name, p in net.named_parameters() if p.requires_grad],
            "stateDict": list(loralib.lora_state_dict(net, bias=bias)),
        }
    shapes = {name: list(p.shape) for name, p in Net().named_parameters()}
    return {"parameters": shapes, "modes": found, "made_by": {"loralib": "0.1.2", "torch": torch.__version__}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("test/golden/loralib"))
    out = parser.parse_args().out
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(1)
    for name, (kind, sizes, options, shape) in CASES.items():
        metadata = {"class": kind, "sizes": json.dumps(sizes), "options": json.dumps(options)}
        save_file(run(kind, sizes, options, shape, generator), out / f"{name}.safetensors", metadata)
    (out / "trainable.json").write_text(json.dumps(trainable(), indent=2) + "\n")


if __name__ == "__main__":
    main()
