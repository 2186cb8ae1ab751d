"""Compares the goldens of Houlsby's bottlenecks with AdapterHub's `double_seq_bn`, which has the same definition.

    python reference/check_paper_adapters.py

Needs `adapters` 1.3 and torch in an environment of their own: it pins transformers 4.57. Prints, for each golden, the
largest difference of the logits.
"""

from pathlib import Path

import adapters
import torch
from adapters import DoubleSeqBnConfig
from safetensors.torch import load_file
from transformers import AutoModelForSequenceClassification

GOLDEN = Path("test/golden")
INPUTS = ("input_ids", "attention_mask", "token_type_ids")
PLACES = {"adapter_attention_": "attention.output.adapters.golden.adapter_", "adapter_output_": "output.adapters.golden.adapter_"}


def main() -> None:
    for family in ("bert", "roberta"):
        model = AutoModelForSequenceClassification.from_pretrained(GOLDEN / "models" / f"{family}_seqcls")
        adapters.init(model)
        model.add_adapter("golden", config=DoubleSeqBnConfig(reduction_factor=4))
        model.set_active_adapters("golden")
        folder = next(path for path in GOLDEN.glob(f"methods*/{family}_houlsby"))
        state = model.state_dict()
        for key, tensor in load_file(folder / "adapter_model.safetensors").items():
            name = key.removeprefix("base_model.model.")
            for short, long in PLACES.items():
                name = name.replace(f"{short}down.", f"{long}down.0.").replace(f"{short}up.", f"{long}up.")
            state[name].copy_(tensor)
        io = load_file(folder / "io.safetensors")
        with torch.no_grad():
            found = model.eval()(**{name: io[name] for name in INPUTS if name in io}).logits
        print(family, float((found - io["logits"]).abs().max()))


if __name__ == "__main__":
    main()
