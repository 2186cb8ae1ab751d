"""Loads adapters that Graft wrote with PEFT + transformers, and compares warnings and logits.

    python reference/check_written.py --manifest manifest.json --out verdicts.json

The manifest lists cases: `name`, `base` and `written` (folders), `own` (the folder of PEFT's own making with the same adapter, or null)
and `io` (the model's inputs by transformers' names, and Graft's `logits`). The verdict of a case holds `warnings`, those of loading `written`
that loading `own` does not cause, and `relativeL2` of the logits. test/peft/written.test.ts makes the manifest and reads the verdicts.
"""

import argparse
import json
from pathlib import Path

import peft
import torch
import transformers
from check_adapter import INPUTS, collected_warnings, relative_l2
from peft import PeftModel
from quiet import silence_transformers
from safetensors.torch import load_file
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForImageClassification,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
    PreTrainedModel,
)

CLASSES = {
    "ForCausalLM": AutoModelForCausalLM,
    "LMHeadModel": AutoModelForCausalLM,
    "ForImageClassification": AutoModelForImageClassification,
    "ForSequenceClassification": AutoModelForSequenceClassification,
    "ForTokenClassification": AutoModelForTokenClassification,
}


def load_base(folder: str) -> PreTrainedModel:
    (architecture,) = AutoConfig.from_pretrained(folder).architectures
    auto_class = next(auto for end, auto in CLASSES.items() if architecture.endswith(end))
    return auto_class.from_pretrained(folder)


def loaded(base: str, adapter: str) -> tuple[PreTrainedModel, list[str]]:
    with collected_warnings() as nothing:
        model = load_base(base)
    del nothing
    with collected_warnings() as found:
        model = PeftModel.from_pretrained(model, adapter)
    return model.eval(), [warning.replace(adapter, "FOLDER") for warning in found]


def verdict(case: dict) -> dict:
    own = loaded(case["base"], case["own"])[1] if case["own"] else []
    try:
        model, warnings = loaded(case["base"], case["written"])
        io = load_file(case["io"])
        with torch.no_grad():
            logits = model(**{name: io[name] for name in INPUTS if name in io}).logits
        if logits.ndim == 3:
            # PEFT also returns what is said behind virtual tokens.
            logits = logits[:, -io["logits"].shape[1] :]
    except Exception as error:  # noqa: BLE001: whatever PEFT says of the folder is the verdict
        return {"error": f"{type(error).__name__}: {error}"}
    return {"relativeL2": float(f"{relative_l2(logits, io['logits']):.1e}"), "warnings": sorted(set(warnings) - set(own))}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--manifest", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    silence_transformers()
    torch.set_num_threads(1)
    cases = json.loads(arguments.manifest.read_text())
    versions = {"peft": peft.__version__, "torch": torch.__version__.split("+")[0], "transformers": transformers.__version__}
    arguments.out.write_text(json.dumps({"versions": versions, "cases": {case["name"]: verdict(case) for case in cases}}))


if __name__ == "__main__":
    main()
