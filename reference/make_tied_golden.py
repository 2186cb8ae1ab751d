"""Writes test/golden/nn/tied.safetensors: a net whose embedding table is also its output projection.

    python reference/make_tied_golden.py --out test/golden/nn

    logits = tanh(E[ids] W^T + b) E^T

`ids` and `labels` [2, 5], `table` E [11, 6], `weight` W [6, 6], `bias` b [6], `logits` [2, 5, 11], `loss` (cross-entropy,
mean over all ten tokens), `grad.<parameter>`; `losses` [3] and `after.<parameter>`: loss before each of three SGD steps
with a rate of 0.1, and the parameters after them. The gradient of the table is the sum of both uses: `grad.table.embedding`
and `grad.table.projection` are the parts.
"""

import argparse
import json
from pathlib import Path

import torch
from method_golden import made_by
from safetensors.torch import save_file
from torch.nn import functional

STEPS, RATE = 3, 0.1


def logits(ids: torch.Tensor, embedding: torch.Tensor, projection: torch.Tensor, dense: dict[str, torch.Tensor]) -> torch.Tensor:
    hidden = torch.tanh(functional.linear(functional.embedding(ids, embedding), dense["weight"], dense["bias"]))
    return hidden @ projection.T


def loss_of(found: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    return functional.cross_entropy(found.flatten(0, 1), labels.flatten())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("test/golden/nn"))
    arguments = parser.parse_args()
    generator = torch.Generator().manual_seed(0)
    ids, labels = (torch.randint(0, 11, (2, 5), generator=generator) for _ in range(2))
    shapes = {"table": (11, 6), "weight": (6, 6), "bias": (6,)}
    parameters = {name: (0.5 * torch.randn(shape, generator=generator)).requires_grad_() for name, shape in shapes.items()}
    written = {"ids": ids, "labels": labels} | {name: p.detach().clone() for name, p in parameters.items()}

    parts = {part: parameters["table"].detach().clone().requires_grad_() for part in ("embedding", "projection")}
    loss_of(logits(ids, parts["embedding"], parts["projection"], parameters), labels).backward()
    written |= {f"grad.table.{part}": table.grad for part, table in parts.items()}

    optimizer = torch.optim.SGD(parameters.values(), lr=RATE)
    losses = []
    for step in range(STEPS):
        optimizer.zero_grad()
        found = logits(ids, parameters["table"], parameters["table"], parameters)
        loss = loss_of(found, labels)
        loss.backward()
        losses.append(loss.detach())
        if step == 0:
            written |= {"logits": found.detach(), "loss": loss.detach()}
            written |= {f"grad.{name}": p.grad.clone() for name, p in parameters.items()}
        optimizer.step()
    both = written["grad.table.embedding"] + written["grad.table.projection"]
    torch.testing.assert_close(written["grad.table"], both)
    written |= {"losses": torch.stack(losses)} | {f"after.{name}": p.detach() for name, p in parameters.items()}
    metadata = {"made_by": json.dumps(made_by(__file__))}
    save_file({name: t.contiguous() for name, t in written.items()}, arguments.out / "tied.safetensors", metadata)


if __name__ == "__main__":
    main()
