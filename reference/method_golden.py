"""Shared by the scripts that write goldens of tuning methods: inputs, gradients, five AdamW updates, counts."""

import importlib.metadata
import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save_file
from tiny_models import Tensors, batch_for, build, labels_for_batch, place
from torch.nn import Module, Parameter
from transformers import PreTrainedModel

UPDATES = 5
ADAMW = {"lr": 1e-2, "weight_decay": 0.01, "betas": (0.9, 0.999), "eps": 1e-8}

# A gradient below this norm is zero in theory (the bias of a key shifts every score of a row alike): what is left is
# rounding, AdamW blows it up to full steps, and no two implementations agree on the tensor afterwards.
ROUNDING_NORM = 1e-6


@dataclass
class Adapted:
    """A base model with a tuning method on it, in eval mode.

    `forward` takes a batch, with or without labels, and gives transformers' output; `trained` holds every trained
    parameter by its name in the adapter file; `outputs` gives what io.safetensors holds besides loss and gradients.
    """

    base: PreTrainedModel
    forward: Module
    trained: dict[str, Parameter]
    outputs: Callable[[Tensors], Tensors]


def base_model(name: str, models: Path, seed: int = 0) -> PreTrainedModel:
    """The tiny model, named by the path of its folder from the repository's root."""
    model = build(name, seed)
    model.name_or_path = (models / name).as_posix()
    return model


def noise_for(base: str, seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed + 1000 + place(base))


def labelled_batch(base: PreTrainedModel, seed: int) -> Tensors:
    """The batch that every golden of that base model has, with labels."""
    batch = batch_for(base, seed + 1)
    return batch | {"labels": labels_for_batch(base, batch, seed + 1)}


def without_labels(batch: Tensors) -> Tensors:
    return {name: tensor for name, tensor in batch.items() if name != "labels"}


def gradients(adapted: Adapted, batch: Tensors) -> tuple[torch.Tensor, Tensors, list[str]]:
    """Loss, gradients by "grad.<name in the adapter file>", and the names of trained parameters that got none."""
    loss = adapted.forward(**batch).loss
    loss.backward()
    found = {f"grad.{key}": p.grad.clone() for key, p in adapted.trained.items() if p.grad is not None}
    return loss.detach(), found, [key for key, p in adapted.trained.items() if p.grad is None]


def updates(adapted: Adapted, batch: Tensors) -> Tensors:
    """Five AdamW updates on one batch: the loss before each, and every trained tensor afterwards."""
    optimizer = torch.optim.AdamW(adapted.trained.values(), **ADAMW)
    losses = []
    for _ in range(UPDATES):
        loss = adapted.forward(**batch).loss
        losses.append(loss.detach())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    after = {f"after.{key}": parameter.detach() for key, parameter in adapted.trained.items()}
    return {"losses": torch.stack(losses)} | after


def double(adapted: Adapted, batch: Tensors) -> Tensors:
    """Turns the model into float64; gives the batch in float64."""
    adapted.forward.double()
    adapted.base.double()
    return {name: tensor.double() if tensor.is_floating_point() else tensor for name, tensor in batch.items()}


def largest_difference(found: Tensors, exact: Tensors, left_out: list[str]) -> float:
    """The largest relative L2 distance of a tensor from its float64 twin."""
    names = [name for name in found if name.removeprefix("after.") not in left_out and exact[name].is_floating_point()]
    return max(float((found[n].double() - exact[n]).norm() / exact[n].norm().clamp(min=1e-30)) for n in names)


def save_tensors(path: Path, tensors: Tensors) -> None:
    save_file({name: tensor.detach().contiguous() for name, tensor in tensors.items()}, path, {"format": "pt"})


def write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=2, sort_keys=True) + "\n")


def fresh_folder(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def made_by(script: str, *packages: str) -> dict[str, str]:
    """Name of the script and the versions of torch, transformers and the packages named."""
    names = ("torch", "transformers", *packages)
    return {"script": f"reference/{Path(script).name}"} | {name: importlib.metadata.version(name) for name in names}


def trainable_line(trainable: int, total: int) -> str:
    """What PEFT's print_trainable_parameters prints."""
    return f"trainable params: {trainable:,d} || all params: {total:,d} || trainable%: {100 * trainable / total:.4f}"


def write_numbers(
    folder: Path,
    make: Callable[[], Adapted],
    seed: int,
    run: Callable[[Adapted, Tensors], Tensors] = updates,
    partly_rounding: Sequence[str] = (),
) -> dict:
    """Writes io.safetensors and updates.safetensors; gives what meta.json says of them.

    `make` must give the same model on each call: one is for gradients and outputs (merging and unmerging rounds its
    weights), one for the updates, and one repeats them in float64, which tells how far rounding carries. `run` makes them;
    `partly_rounding` names tensors to count among those whose gradient is rounding, because a part of it is.
    """
    adapted = make()
    batch = labelled_batch(adapted.base, seed)
    loss, grads, without_gradient = gradients(adapted, batch)
    with torch.no_grad():
        outputs = adapted.outputs(without_labels(batch))
    save_tensors(folder / "io.safetensors", batch | {"loss": loss} | grads | outputs)
    rounding = [key for key in adapted.trained if f"grad.{key}" in grads and 0 < grads[f"grad.{key}"].norm() < ROUNDING_NORM]
    rounding += [key for key in partly_rounding if key not in rounding]
    found = run(make(), batch)
    save_tensors(folder / "updates.safetensors", found)
    exact = make()
    difference = largest_difference(found, run(exact, double(exact, batch)), rounding)
    return {
        "trainableWithoutGradient": without_gradient,
        "gradientIsRounding": rounding,
        "updatesDifferenceFromFloat64": float(f"{difference:.1e}"),
    }
