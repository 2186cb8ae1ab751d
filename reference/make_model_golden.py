"""Writes test/golden/models/<name>/: tiny models as transformers saves them, with inputs and outputs.

    python reference/make_model_golden.py --out test/golden/models [NAME ...]

Each folder holds config.json, the weights and io.safetensors (see reference/README.md). All outputs are of eval mode.
"""

import argparse
import shutil
from collections.abc import Iterable
from pathlib import Path

import torch
from quiet import silence_transformers
from safetensors.torch import load_file, save_file
from tiny_models import DECODERS, ENCODERS, MODELS, Tensors, batch_for, build, labels_for_batch
from transformers import AutoModel, AutoModelForSequenceClassification, PreTrainedModel


def head_outputs(model: PreTrainedModel, batch: Tensors, labels: torch.Tensor) -> Tensors:
    """logits and loss of a classifier, and the outputs of the base model inside it."""
    output = model(**batch, labels=labels)
    return {"labels": labels, "logits": output.logits, "loss": output.loss, **base_outputs(model.base_model, batch)}


def base_outputs(model: PreTrainedModel, batch: Tensors) -> Tensors:
    output = model(**batch)
    pooler_output = getattr(output, "pooler_output", None)
    pooled = {} if pooler_output is None else {"pooler_output": pooler_output}
    return {"last_hidden_state": output.last_hidden_state, **pooled}


def outputs_from_ids_alone(model: PreTrainedModel, batch: Tensors, has_head: bool) -> Tensors:
    """What a text model gives for input_ids without mask and segments (transformers' defaults: all ones, all zeros)."""
    output = model(input_ids=batch["input_ids"])
    return {"ids_alone." + ("logits" if has_head else "last_hidden_state"): output[0]}


def outputs_by_positions(model: PreTrainedModel, batch: Tensors) -> Tensors:
    """A decoder's logits where positions count real tokens alone (0 on padding before them), as generation counts them."""
    positions = (batch["attention_mask"].cumsum(-1) - 1).clamp(min=0)
    return {"position_ids": positions, "positions.logits": model(**batch, position_ids=positions).logits}


@torch.no_grad()
def make_io(model: PreTrainedModel, seed: int) -> Tensors:
    """Inputs and outputs of one batch."""
    batch = batch_for(model, seed)
    has_head = model.base_model is not model
    outputs = head_outputs(model, batch, labels_for_batch(model, batch, seed)) if has_head else base_outputs(model, batch)
    if "input_ids" in batch:
        outputs |= outputs_from_ids_alone(model, batch, has_head)
    if model.config.model_type in DECODERS:
        outputs |= outputs_by_positions(model, batch)
    return {name: tensor.contiguous() for name, tensor in (batch | outputs).items()}


def save_model(model: PreTrainedModel, folder: Path, io: Tensors, **save_options) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    model.save_pretrained(folder, **save_options)
    save_file(io, folder / "io.safetensors")


def save_with_memory_names(model: PreTrainedModel, folder: Path, io: Tensors) -> None:
    """The same weights under the names that transformers 5 has in memory (vit.layers.0.attention.q_proj ...)."""
    save_model(model, folder, io)
    save_file(model.state_dict(), folder / "model.safetensors", {"format": "pt"})


def save_with_gamma_and_beta(model: PreTrainedModel, folder: Path, io: Tensors) -> None:
    """The same weights with the LayerNorm names of the oldest BERT checkpoints and their position_ids buffer."""
    save_model(model, folder, io)
    renamed = {
        name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): tensor
        for name, tensor in load_file(folder / "model.safetensors").items()
    }
    positions = torch.arange(model.config.max_position_embeddings).unsqueeze(0)
    renamed["bert.embeddings.position_ids"] = positions
    save_file(renamed, folder / "model.safetensors", {"format": "pt"})


def save_without_prefix(model: PreTrainedModel, folder: Path, io: Tensors) -> None:
    """A file of the base model alone beside a config of the same sizes: a classifier loads it and gets a fresh head."""
    base_io = {name: tensor for name, tensor in io.items() if "logits" not in name and name not in ("loss", "labels")}
    save_model(model.base_model, folder, base_io)


def check(folder: Path, auto_class: type) -> None:
    """Loads the folder with transformers again and compares: a golden that transformers cannot read would be no golden."""
    io = load_file(folder / "io.safetensors")
    model = auto_class.from_pretrained(folder).eval()
    names = ("input_ids", "attention_mask", "token_type_ids", "pixel_values")
    with torch.no_grad():
        output = model(**{name: io[name] for name in names if name in io})
    key = "logits" if "logits" in output else "last_hidden_state"
    torch.testing.assert_close(output[key], io[key], rtol=0, atol=1e-6)


def write_models(names: Iterable[str], out: Path, seed: int) -> None:
    for name in names:
        model = build(name, seed)
        save_model(model, out / name, make_io(model, seed))
        check(out / name, type(model))


def write_copies(out: Path, seed: int) -> None:
    """Models of the table in other files: sharded, with older or newer names."""
    bert, vit = build("bert_seqcls", seed), build("vit_imgcls", seed)
    bert_io, vit_io = make_io(bert, seed), make_io(vit, seed)
    save_model(bert, out / "bert_sharded", bert_io, max_shard_size="40KB")
    save_with_gamma_and_beta(bert, out / "bert_gamma_beta", bert_io)
    save_without_prefix(bert, out / "bert_noprefix", bert_io)
    save_with_memory_names(vit, out / "vit_v5names", vit_io)
    check(out / "bert_sharded", AutoModelForSequenceClassification)
    check(out / "bert_gamma_beta", AutoModelForSequenceClassification)
    check(out / "bert_noprefix", AutoModel)
    check(out / "vit_v5names", type(vit))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="write these folders alone")
    parser.add_argument("--out", type=Path, default=Path("test/golden/models"))
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    silence_transformers()
    torch.set_num_threads(1)
    write_models(arguments.names or MODELS | ENCODERS, arguments.out, arguments.seed)
    if not arguments.names:
        write_copies(arguments.out, arguments.seed)


if __name__ == "__main__":
    main()
