"""Writes test/golden/published/<name>.safetensors: logits of adapters that others published, on a base made of numbers.

    python reference/make_published_golden.py --adapters ../shared/assets/adapters --out test/golden/published

The adapters' own bases are not at hand. LoRA on query and value asks of a base only its width and depth, so a model of
that width and depth, with a small feed-forward part and vocabulary, is filled by a formula that both sides compute:
element i of a tensor is a hash of (i + CRC-32 of its name in the checkpoint), made uniform in [-0.05, 0.05], plus 1 in a
LayerNorm's weight.
"""

import argparse
import json
import shutil
import tempfile
import zlib
from pathlib import Path

import numpy as np
import torch
from peft import LoraConfig, PeftModel, get_peft_model_state_dict
from quiet import silence_transformers
from safetensors.torch import load_file, save_file
from transformers import DistilBertConfig, DistilBertForSequenceClassification, PreTrainedModel, RobertaConfig
from transformers import RobertaForSequenceClassification, ViTConfig, ViTForImageClassification
from vit_names import V5_TO_V4, to_v4

DISTILBERT = "distilbert-sst2_lora_r8"
ROBERTA = "roberta-base_lora_mrpc_peft0.18dev"
VIT = "vit-base_lora_food101"
LORALIB = "loralib_roberta-base_mnli/roberta_base_lora_mnli.bin"
# As loralib's own script for MNLI has it.
LORALIB_ALPHA = 16
SMALL_SIZE = 14


def numbers(name: str, shape: tuple[int, ...]) -> torch.Tensor:
    hashed = np.arange(int(np.prod(shape)), dtype=np.uint32) + np.uint32(zlib.crc32(name.encode()))
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        hashed ^= hashed >> np.uint32(shift)
        hashed *= np.uint32(factor)
    hashed ^= hashed >> np.uint32(16)
    values = (hashed.astype(np.float64) / 2**32 - 0.5) * 0.1
    is_norm = name.endswith("weight") and any(norm in name for norm in ("LayerNorm", "layernorm", "layer_norm"))
    return torch.from_numpy((values + is_norm).astype(np.float32).reshape(shape))


@torch.no_grad()
def fill(model: PreTrainedModel) -> PreTrainedModel:
    for name, parameter in model.named_parameters():
        parameter.copy_(numbers(to_v4(name), tuple(parameter.shape)))
    return model.eval()


def with_v5_names(adapter: Path, folder: Path) -> Path:
    """A copy that transformers 5 can attach: module names of ViT as they are in memory now."""

    def renamed(name: str) -> str:
        for new, old in reversed(V5_TO_V4.items()):
            name = name.replace(old, new)
        return name

    shutil.copytree(adapter, folder)
    tensors = load_file(adapter / "adapter_model.safetensors")
    save_file({renamed(name): tensor for name, tensor in tensors.items()}, folder / "adapter_model.safetensors")
    config = json.loads((adapter / "adapter_config.json").read_text())
    config["target_modules"] = ["q_proj", "v_proj"]
    (folder / "adapter_config.json").write_text(json.dumps(config))
    return folder


def from_loralib(checkpoint: Path, folder: Path) -> Path:
    """The checkpoint as a folder of PEFT's: names end with .weight there, and the config knows rank and alpha."""
    tensors = torch.load(checkpoint, map_location="cpu", weights_only=True)
    rank = next(tensor.shape[0] for name, tensor in tensors.items() if name.endswith("lora_A"))
    suffix = {True: ".weight", False: ""}
    named = {f"base_model.model.{name}{suffix['.lora_' in name]}": tensor for name, tensor in tensors.items()}
    LoraConfig(
        r=rank, lora_alpha=LORALIB_ALPHA, target_modules=["query", "value"], modules_to_save=["classifier"]
    ).save_pretrained(folder)
    save_file(named, folder / "adapter_model.safetensors")
    return folder


@torch.no_grad()
def golden(base: PreTrainedModel, adapter: Path, stored: dict[str, torch.Tensor], inputs: dict[str, torch.Tensor]):
    model = PeftModel.from_pretrained(fill(base), adapter).eval()
    given, held = load_file(adapter / "adapter_model.safetensors"), get_peft_model_state_dict(model)
    assert given.keys() == held.keys() and all(torch.equal(given[name], held[name]) for name in given)
    logits = model(**inputs).logits
    return stored | {"logits": logits, "merged_logits": model.merge_and_unload()(**inputs).logits}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--adapters", type=Path, default=Path("../shared/assets/adapters"))
    parser.add_argument("--out", type=Path, default=Path("test/golden/published"))
    arguments = parser.parse_args()
    silence_transformers()
    torch.set_num_threads(1)
    arguments.out.mkdir(parents=True, exist_ok=True)
    generator = torch.Generator().manual_seed(0)

    config = RobertaConfig(vocab_size=100, intermediate_size=64, max_position_embeddings=40, type_vocab_size=1)
    text = {"input_ids": torch.randint(3, 100, (2, 9), generator=generator), "attention_mask": torch.ones(2, 9).long()}
    text["attention_mask"][1, 6:] = 0
    text["input_ids"][1, 6:] = config.pad_token_id
    roberta = RobertaForSequenceClassification(config)
    save_file(golden(roberta, arguments.adapters / ROBERTA, text, text), arguments.out / "roberta.safetensors")

    mnli = RobertaForSequenceClassification(RobertaConfig(**config.to_diff_dict() | {"num_labels": 3}))
    with tempfile.TemporaryDirectory() as folder:
        adapter = from_loralib(arguments.adapters / LORALIB, Path(folder))
        save_file(golden(mnli, adapter, text, text), arguments.out / "loralib.safetensors")

    labels = len(json.loads((arguments.adapters / VIT / "id2label.json").read_text()))
    vit = ViTForImageClassification(ViTConfig(intermediate_size=64, num_labels=labels))
    small = torch.randn(1, 3, SMALL_SIZE, SMALL_SIZE, generator=generator)
    repeat = vit.config.image_size // SMALL_SIZE
    inputs = {"pixel_values": small.repeat_interleave(repeat, 2).repeat_interleave(repeat, 3)}
    with tempfile.TemporaryDirectory() as folder:
        adapter = with_v5_names(arguments.adapters / VIT, Path(folder) / "adapter")
        save_file(golden(vit, adapter, {"small_pixels": small}, inputs), arguments.out / "vit.safetensors")

    config = DistilBertConfig(vocab_size=100, hidden_dim=64, max_position_embeddings=40)
    text = {"input_ids": text["input_ids"].where(text["attention_mask"] == 1, 0), "attention_mask": text["attention_mask"]}
    distilbert = DistilBertForSequenceClassification(config)
    save_file(golden(distilbert, arguments.adapters / DISTILBERT, text, text), arguments.out / "distilbert.safetensors")


if __name__ == "__main__":
    main()
