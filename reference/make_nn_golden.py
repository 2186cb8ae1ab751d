"""Writes test/golden/nn/activations.safetensors: transformers' activations and their gradients; and relative-rows.json.

    python reference/make_nn_golden.py --out test/golden/nn

`x` is [64] and covers [-6, 6]; `<name>` is the activation of x, `<name>.grad` the gradient of the sum of <name> * weight.
relative-rows.json: for some sizes of DeBERTa-v2's table of distances the row of each distance from -1200 to 1200, as
[first distance, row] wherever it changes; `to` is null where distances do not share rows.
"""

import argparse
import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers.activations import ACT2FN
from transformers.models.deberta_v2.modeling_deberta_v2 import build_relative_position

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


REACH = 1200
TABLES = [(256, 512), (256, 1024), (32, 128), (6, 24), (8, 12), (3, 40), (64, 500), (5, None), (512, None)]


def relative_rows(span: int, to: int | None) -> list[list[int]]:
    queries, keys = torch.empty(2 * REACH + 1, 1), torch.empty(1, 1)
    distances = torch.arange(-REACH, REACH + 1)
    buckets, furthest = (-1, span) if to is None else (span, to)
    found = build_relative_position(queries, keys, buckets, furthest)[0, :, 0]
    positive = (found + span).clamp(0, 2 * span - 1)[: REACH + 1]
    negative = build_relative_position(keys, queries, buckets, furthest)[0, 0]
    negative = (negative + span).clamp(0, 2 * span - 1)[: REACH + 1].flip(0)
    rows = torch.cat([negative, positive[1:]]).tolist()
    changes = [index for index, row in enumerate(rows) if index == 0 or row != rows[index - 1]]
    return [[int(distances[index]), rows[index]] for index in changes]


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
    rows = [{"span": span, "to": to, "rows": relative_rows(span, to)} for span, to in TABLES]
    lines = ",\n  ".join(json.dumps(table, separators=(",", ":")) for table in rows)
    (arguments.out / "relative-rows.json").write_text(f"[\n  {lines}\n]\n")


if __name__ == "__main__":
    main()
