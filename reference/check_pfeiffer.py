"""Compares the goldens of Pfeiffer's bottleneck with AdapterHub's `seq_bn`, which has the same definition.

    python reference/check_pfeiffer.py

Needs `adapters` 1.3 and torch in an environment of their own: it pins transformers 4.57. Prints, for each golden, the
largest difference of the logits. AdapterHub's defaults differ in the size alone (reduction_factor 16; ReLU is its own).
"""

from pathlib import Path

import adapters
import torch
from adapters import SeqBnConfig
from safetensors.torch import load_file
from transformers import AutoModelForImageClassification, AutoModelForSequenceClassification

GOLDEN = Path("test/golden")
BASES = {"bert": "bert_seqcls", "roberta": "roberta_seqcls", "vit": "vit_imgcls"}
INPUTS = ("input_ids", "attention_mask", "token_type_ids", "pixel_values")


def logits(family: str, base: str) -> tuple[torch.Tensor, torch.Tensor]:
    """What AdapterHub finds with the golden's weights, and what the golden says."""
    auto = AutoModelForImageClassification if family == "vit" else AutoModelForSequenceClassification
    model = auto.from_pretrained(GOLDEN / "models" / base)
    adapters.init(model)
    model.add_adapter("golden", config=SeqBnConfig(reduction_factor=4))
    model.set_active_adapters("golden")
    folder = GOLDEN / "methods" / f"{family}_pfeiffer"
    saved, state = load_file(folder / "adapter_model.safetensors"), model.state_dict()
    for key, tensor in saved.items():
        name = key.removeprefix("base_model.model.").replace("vit.layers.", "vit.encoder.layer.")
        name = name.replace(".adapter_down.", ".adapter_down.0.")
        name = name.replace(".adapter_", f".output.{'output_adapters.' if family == 'vit' else ''}adapters.golden.adapter_")
        state[name].copy_(tensor)
    io = load_file(folder / "io.safetensors")
    with torch.no_grad():
        found = model.eval()(**{name: io[name] for name in INPUTS if name in io}).logits
    return found, io["logits"]


def main() -> None:
    for family, base in BASES.items():
        found, golden = logits(family, base)
        print(family, float((found - golden).abs().max()))


if __name__ == "__main__":
    main()
