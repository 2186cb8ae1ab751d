"""Writes test/golden/models/<name>/ and test/golden/gradients/<name>.safetensors for the decoders of tiny_decoders.py.

    python reference/make_decoder_golden.py [NAME ...]

Layout and rules are those of make_model_golden.py and make_gradient_golden.py; NAMEs write those alone.
"""

import argparse
from pathlib import Path

import torch
from make_model_golden import base_outputs, head_outputs, outputs_from_ids_alone, save_model
from quiet import silence_transformers
from safetensors.torch import save_file
from tiny_decoders import MODELS, build
from tiny_models import Tensors, decoder_batch, next_tokens, labels_for, token_labels
from transformers import PreTrainedModel

SEED = 3


def labels_of(model: PreTrainedModel, batch: Tensors) -> torch.Tensor:
    kind = type(model).__name__
    if kind.endswith("ForSequenceClassification"):
        return labels_for(model, len(batch["input_ids"]), SEED)
    return token_labels(model, batch, SEED) if kind.endswith("ForTokenClassification") else next_tokens(batch)


@torch.no_grad()
def outputs(model: PreTrainedModel, batch: Tensors) -> Tensors:
    has_head = model.base_model is not model
    found = head_outputs(model, batch, labels_of(model, batch)) if has_head else base_outputs(model, batch)
    found |= outputs_from_ids_alone(model, batch, has_head)
    positions = (batch["attention_mask"].cumsum(-1) - 1).clamp(min=0)
    key = "positions." + ("logits" if has_head else "last_hidden_state")
    return found | {"position_ids": positions, key: model(**batch, position_ids=positions)[0]}


def gradients(model: PreTrainedModel, batch: Tensors) -> Tensors:
    model(**batch, labels=labels_of(model, batch)).loss.backward()
    return {key: parameter.grad for key, parameter in model.named_parameters()}


def write(name: str, out: Path) -> None:
    model = build(name)
    batch = decoder_batch(model, torch.Generator().manual_seed(SEED))
    io = {key: tensor.contiguous() for key, tensor in (batch | outputs(model, batch)).items()}
    save_model(model, out / "models" / name, io)
    if model.base_model is not model:
        save_file(gradients(model, batch), out / "gradients" / f"{name}.safetensors")
    print(name, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=list(MODELS))
    parser.add_argument("--out", type=Path, default=Path("test/golden"))
    arguments = parser.parse_args()
    silence_transformers()
    torch.set_num_threads(1)
    for name in arguments.names:
        write(name, arguments.out)


if __name__ == "__main__":
    main()
