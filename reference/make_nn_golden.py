"""Writes test/golden/nn/activations.safetensors: transformers' activations and their gradients.

    python reference/make_nn_golden.py --out test/golden/nn

`x` is [64] and covers [-6, 6]; `<name>` is the activation of x, `<name>.grad` the gradient of the sum of <name> * weight.
"""

import argparse
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers.activations import ACT2FN

NAMES = [
    "gelu",
    "gelu_python",
    "gelu_new",
    "gelu_fast",
    "gelu_pytorch_tanh",
    "quick_gelu",
    "relu",
    "sigmoid",
    "silu",
    "swish",
    "tanh",
    "linear",
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("test/golden/nn"))
    arguments = parser.parse_args()
    # Half a step beside zero: relu has no derivative there.
    x = torch.linspace(-6, 6, 64)
    weight = torch.randn(64, generator=torch.Generator().manual_seed(0))
    tensors = {"x": x, "weight": weight}
    for name in NAMES:
        leaf = x.clone().requires_grad_()
        output = ACT2FN[name](leaf)
        (output * weight).sum().backward()
        tensors[name] = output.detach().clone()
        tensors[f"{name}.grad"] = leaf.grad
    arguments.out.mkdir(parents=True, exist_ok=True)
    save_file(tensors, arguments.out / "activations.safetensors")


if __name__ == "__main__":
    main()
