"""Writes adapters that left a residual in the base, and what PEFT converts them to, to test/golden/converted/<case>.

    python reference/make_converted_golden.py

`initial/` is the adapter before training, as save_pretrained wrote it; `trained/` the same moved away from there; `converted/` what
save_pretrained(..., path_initial_model_for_weight_conversion=initial) makes of it: a LoRA of twice the rank on the base itself.
PEFT leaves modules_to_save out of the converted file. io.safetensors: a batch, and the trained adapter's logits.
"""

import argparse
import json
import shutil
import tempfile
from pathlib import Path

import torch
from make_lora_golden import IMAGE, TEXT
from make_method_golden import save_adapter
from method_golden import base_model, fresh_folder, labelled_batch, made_by, noise_for, save_tensors, without_labels, write_json
from peft import LoraConfig, get_peft_model
from peft_cases import BASES, TASKS
from quiet import silence_transformers

PATTERNS = {"rank_pattern": {"layer.0.attention.self.query": 2}, "alpha_pattern": {"value": 6}}
CASES = {
    "bert_pissa": TEXT | {"init_lora_weights": "pissa"} | PATTERNS,
    "bert_olora_rslora": TEXT | {"init_lora_weights": "olora", "use_rslora": True},
    "vit_pissa": IMAGE | {"init_lora_weights": "pissa"},
}


def write(name: str, config: dict, out: Path, models: Path, seed: int) -> None:
    family = name.split("_")[0]
    folder = fresh_folder(out / name)
    base = base_model(BASES[family], models, seed)
    model = get_peft_model(base, LoraConfig(task_type=TASKS[family], **config)).eval()
    save_adapter(model, folder / "initial")
    generator = noise_for(BASES[family], seed)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.add_(0.05 * torch.randn(parameter.shape, generator=generator))
    save_adapter(model, folder / "trained")
    batch = without_labels(labelled_batch(base, seed))
    with torch.no_grad():
        logits = model(**batch).logits
    save_tensors(folder / "io.safetensors", batch | {"logits": logits})
    with tempfile.TemporaryDirectory() as scratch:
        # PEFT changes the config of the folder it is given.
        initial = shutil.copytree(folder / "initial", Path(scratch) / "initial")
        model.save_pretrained(folder / "converted", path_initial_model_for_weight_conversion=str(initial))
    (folder / "converted" / "README.md").unlink(missing_ok=True)
    config_file = folder / "converted" / "adapter_config.json"
    write_json(config_file, json.loads(config_file.read_text()))
    write_json(folder / "meta.json", {"base": BASES[family], "made_by": made_by(__file__, "peft")})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("test/golden/converted"))
    parser.add_argument("--models", type=Path, default=Path("test/golden/models"))
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    silence_transformers()
    torch.set_num_threads(1)
    for name, config in CASES.items():
        write(name, config, arguments.out, arguments.models, arguments.seed)
        print(name, flush=True)


if __name__ == "__main__":
    main()
