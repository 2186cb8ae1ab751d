"""Writes test/golden/loralib/<case>.safetensors: loralib's own lora.Linear through a training and an evaluation phase.

    python reference/make_loralib_golden.py --out test/golden/loralib

Tensors: weight, bias, lora_A, lora_B (before), x, train (output in training mode, no dropout), merged_weight and eval (after
`eval()`), unmerged_weight (after `train()` again). Metadata: the constructor's options.
"""

import argparse
import json
from pathlib import Path

import loralib
import torch
from safetensors.torch import save_file

CASES = {
    "plain": {"r": 4, "lora_alpha": 8},
    "fan_in_fan_out": {"r": 2, "lora_alpha": 1, "fan_in_fan_out": True},
    "not_merged": {"r": 4, "lora_alpha": 4, "merge_weights": False},
    "no_bias": {"r": 3, "lora_alpha": 6, "bias": False},
    "rank_0": {"r": 0},
}


def run(options: dict, generator: torch.Generator) -> dict[str, torch.Tensor]:
    layer = loralib.Linear(24, 16, **options)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.3)
    tensors = {name: parameter.detach().clone() for name, parameter in layer.named_parameters()}
    tensors["x"] = torch.randn(2, 5, 24, generator=generator)
    with torch.no_grad():
        layer.train()
        tensors["train"] = layer(tensors["x"])
        layer.eval()
        tensors["merged_weight"] = layer.weight.detach().clone()
        tensors["eval"] = layer(tensors["x"])
        layer.train()
        tensors["unmerged_weight"] = layer.weight.detach().clone()
    return {name: tensor.contiguous() for name, tensor in tensors.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("test/golden/loralib"))
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(0)
    for name, options in CASES.items():
        save_file(run(options, generator), out / f"{name}.safetensors", {"options": json.dumps(options)})


if __name__ == "__main__":
    main()
