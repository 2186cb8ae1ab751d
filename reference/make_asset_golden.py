"""Writes test/golden/assets/<model>.safetensors: a few inputs and transformers' outputs for models too large to copy.

    python reference/make_asset_golden.py --models ../shared/assets/models --out test/golden/assets

Pictures are noise from a seeded generator, kept small by a low resolution: `small_pixels` [rows, channels, k, k] is
repeated along both axes up to the model's image size. Heads that a checkpoint lacks are not part of the goldens.
"""

import argparse
from pathlib import Path

import torch
from quiet import silence_transformers
from safetensors.torch import save_file
from transformers import AutoModel, AutoModelForCausalLM, AutoModelForImageClassification, PreTrainedModel

TEXT_MODELS = ["all-MiniLM-L6-v2", "bert-rnabert", "roberta-from-rnabert", "deberta-v2-from-rnabert"]
DECODERS = ["gpt2-char-shakespeare", "llama-stories260K"]
IMAGE_MODELS = ["vit-tiny-tinyimagenet", "vit-mnist-classifier"]
Tensors = dict[str, torch.Tensor]


@torch.no_grad()
def text_io(model: PreTrainedModel, generator: torch.Generator) -> Tensors:
    """Two rows, the second padded; the first position's hidden state stands for all of them."""
    rows, length = 2, 9
    input_ids = torch.randint(1, model.config.vocab_size, (rows, length), generator=generator)
    attention_mask = torch.ones(rows, length, dtype=torch.int64)
    attention_mask[1, 6:] = 0
    input_ids[attention_mask == 0] = model.config.pad_token_id
    output = model(input_ids=input_ids, attention_mask=attention_mask)
    pooled = getattr(output, "pooler_output", None)
    return {
        "input_ids": input_ids,
        "attention_mask": attention_mask,
        "first_hidden_state": output.last_hidden_state[:, 0],
    } | ({} if pooled is None else {"pooler_output": pooled})


def decoder_io(model: PreTrainedModel, generator: torch.Generator) -> Tensors:
    """Three rows, the second padded on the right and the third on the left; loss, and gradients of the small tensors of the first layer."""
    rows, length = 3, 24
    input_ids = torch.randint(1, model.config.vocab_size, (rows, length), generator=generator)
    attention_mask = torch.ones(rows, length, dtype=torch.int64)
    attention_mask[1, 17:] = 0
    attention_mask[2, :5] = 0
    input_ids[attention_mask == 0] = 0
    labels = input_ids.masked_fill(attention_mask == 0, -100)
    output = model(input_ids=input_ids, attention_mask=attention_mask, labels=labels)
    output.loss.backward()
    first = {name: p.grad for name, p in model.named_parameters() if ".0." in name or "embed" in name or "wte" in name}
    logits = (output.logits * attention_mask[..., None])[:, :, :16]
    return {
        "input_ids": input_ids,
        "attention_mask": attention_mask,
        "labels": labels,
        "first_logits": logits.detach(),
        "loss": output.loss.detach(),
    } | {f"grad.{name}": gradient.detach() for name, gradient in first.items() if gradient.numel() < 7000}


@torch.no_grad()
def image_io(model: PreTrainedModel, generator: torch.Generator) -> Tensors:
    size, channels = model.config.image_size, model.config.num_channels
    small_size = 14
    small_pixels = torch.randn(2, channels, small_size, small_size, generator=generator)
    repeat = size // small_size
    pixel_values = small_pixels.repeat_interleave(repeat, 2).repeat_interleave(repeat, 3)
    return {"small_pixels": small_pixels, "logits": model(pixel_values=pixel_values).logits}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=Path, default=Path("../shared/assets/models"))
    parser.add_argument("--out", type=Path, default=Path("test/golden/assets"))
    parser.add_argument("names", nargs="*")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    silence_transformers()
    torch.set_num_threads(1)
    arguments.out.mkdir(parents=True, exist_ok=True)
    kinds = {
        **{name: (AutoModel, text_io) for name in TEXT_MODELS},
        **{name: (AutoModelForImageClassification, image_io) for name in IMAGE_MODELS},
        **{name: (AutoModelForCausalLM, decoder_io) for name in DECODERS},
    }
    for name in arguments.names or kinds:
        auto_class, make_io = kinds[name]
        model = auto_class.from_pretrained(arguments.models / name, dtype=torch.float32).eval()
        io = make_io(model, torch.Generator().manual_seed(arguments.seed))
        save_file({key: tensor.contiguous() for key, tensor in io.items()}, arguments.out / f"{name}.safetensors")


if __name__ == "__main__":
    main()
