"""Loads an adapter with PEFT + transformers, fails on any warning, and compares its logits with given ones.

    python reference/check_adapter.py --base model-folder --adapter adapter-folder --io io.safetensors
    python reference/check_adapter.py --base merged-model-folder --io io.safetensors

The io file holds the model's inputs by their transformers names (input_ids, attention_mask, token_type_ids, pixel_values) and
`logits`. Without --adapter the base folder itself is checked, warnings of its loading included; with --adapter the loading of the
base is not (a fresh head is announced there, which the adapter then replaces). Prints one JSON line; exits with 1 on a warning or a
relative L2 error above --tolerance.
"""

import argparse
import json
import logging
import sys
import warnings
from contextlib import contextmanager
from pathlib import Path

import torch
from peft import PeftModel
from quiet import silence_transformers
from safetensors.torch import load_file
from transformers import AutoConfig, AutoModelForImageClassification, AutoModelForSequenceClassification, PreTrainedModel

INPUTS = ("input_ids", "attention_mask", "token_type_ids", "pixel_values")


class Collector(logging.Handler):
    """Keeps the text of every log record of at least warning level."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())


@contextmanager
def collected_warnings():
    """Python warnings and the warnings of the loggers of transformers, PEFT and everything that reaches the root logger."""
    collector, found = Collector(), []
    loggers = [logging.getLogger(name) for name in ("", "transformers", "peft")]
    for logger in loggers:
        logger.addHandler(collector)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield found
    for logger in loggers:
        logger.removeHandler(collector)
    found.extend(dict.fromkeys([str(warning.message) for warning in caught] + collector.messages))


def load_base(folder: Path, num_labels: int | None) -> PreTrainedModel:
    is_image = AutoConfig.from_pretrained(folder).model_type == "vit"
    auto_class = AutoModelForImageClassification if is_image else AutoModelForSequenceClassification
    options = {} if num_labels is None else {"num_labels": num_labels, "ignore_mismatched_sizes": True}
    return auto_class.from_pretrained(folder, **options)


def relative_l2(found: torch.Tensor, wanted: torch.Tensor) -> float:
    return ((found - wanted).norm() / wanted.norm()).item()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", type=Path, required=True)
    parser.add_argument("--adapter", type=Path)
    parser.add_argument("--io", type=Path, required=True)
    parser.add_argument("--num-labels", type=int, help="labels of the adapter's head where the base has another number")
    parser.add_argument("--tolerance", type=float, default=1e-5)
    arguments = parser.parse_args()
    silence_transformers()
    torch.set_num_threads(1)
    io = load_file(arguments.io)
    with collected_warnings() as from_base:
        model = load_base(arguments.base, arguments.num_labels)
    with collected_warnings() as from_adapter, torch.no_grad():
        if arguments.adapter:
            model = PeftModel.from_pretrained(model, arguments.adapter)
        logits = model.eval()(**{name: io[name] for name in INPUTS if name in io}).logits
    found = from_adapter if arguments.adapter else from_base + from_adapter
    error = relative_l2(logits, io["logits"])
    ok = not found and error <= arguments.tolerance
    print(json.dumps({"ok": ok, "relativeL2": error, "warnings": found}))
    sys.exit(not ok)


if __name__ == "__main__":
    main()
