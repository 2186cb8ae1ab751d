"""Writes test/golden/gradients/<model>.safetensors: PyTorch's gradients of every parameter of the tiny models with a loss.

    python reference/make_gradient_golden.py --out test/golden/gradients [NAME ...]

Inputs and labels are those of test/golden/models/<model>/io.safetensors; no dropout. Names are those of the checkpoint.
padding.safetensors holds what padding tokens get that attention sees (no mask): nothing, in tables with a padding_idx.
"""

import argparse
from pathlib import Path

import torch
from quiet import silence_transformers
from safetensors.torch import load_file, save_file
from tiny_models import build
from vit_names import to_v4

LABELLED = [
    "bert_seqcls",
    "bert_regression",
    "bert_multilabel",
    "roberta_seqcls",
    "vit_imgcls",
    "bert_tokencls",
    "roberta_tokencls",
    "gpt2_lm",
    "llama_lm",
    "distilbert_seqcls",
    "distilbert_tokencls",
    "deberta_seqcls",
    "deberta_tokencls",
    "deberta_conv",
    "deberta_p2c",
    "deberta_both",
]
INPUTS = ["input_ids", "attention_mask", "token_type_ids", "pixel_values", "labels"]


def gradients(name: str, models: Path) -> dict[str, torch.Tensor]:
    io = load_file(models / name / "io.safetensors")
    model = build(name)
    model(**{key: io[key] for key in INPUTS if key in io}).loss.backward()
    rename = to_v4 if name.startswith("vit") else str
    return {rename(key): parameter.grad for key, parameter in model.named_parameters()}


def padding_gradients() -> dict[str, torch.Tensor]:
    """Gradients of the embedding tables for rows that end with padding, without a mask; "<model>.<parameter>" each."""
    labels = torch.tensor([0, 2])
    written: dict[str, torch.Tensor] = {}
    for name in ["bert_seqcls", "roberta_seqcls"]:
        model = build(name)
        pad = model.config.pad_token_id
        ids = torch.tensor([[9, 8, 7, pad], [5, pad, pad, pad]])
        model(input_ids=ids, labels=labels).loss.backward()
        written[f"{name}.input_ids"] = ids.int()
        for key, parameter in model.named_parameters():
            if key.endswith("_embeddings.weight"):
                written[f"{name}.{key}"] = parameter.grad
    return written | {"labels": labels.int()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="write these files alone")
    parser.add_argument("--models", type=Path, default=Path("test/golden/models"))
    parser.add_argument("--out", type=Path, default=Path("test/golden/gradients"))
    arguments = parser.parse_args()
    silence_transformers()
    torch.set_num_threads(1)
    arguments.out.mkdir(parents=True, exist_ok=True)
    for name in arguments.names or LABELLED:
        save_file(gradients(name, arguments.models), arguments.out / f"{name}.safetensors")
    if not arguments.names:
        save_file(padding_gradients(), arguments.out / "padding.safetensors")


if __name__ == "__main__":
    main()
