"""Writes test/golden/together/<name>/: LoRA with PreEmbed, PreLayer or PEFT's prompt tuning, in plain PyTorch.

    python reference/make_combined_golden.py --out test/golden/together --models test/golden/models [NAME ...]

`lora/` is PEFT's folder, with the head; `preembed/` and `prelayer/` are Graft's own, `prompt/` is PEFT's. Trained tensors are
"<adapter>.<name in its file>". io.safetensors: logits and gradients of both, `<adapter>.logits` of each alone (the head is the
trained one in both), `disabled_logits`. updates.safetensors: five AdamW updates of both.
"""

import argparse
import json
from pathlib import Path

import torch
from make_method_golden import save_adapter
from make_together_golden import HEAD, combine, lora, write_both
from method_golden import Adapted, base_model, fresh_folder, made_by, noise_for, save_tensors, write_json
from nested_methods import Nested, nest
from peft import LoraConfig, PromptTuningConfig
from plain_methods import Trained, prelayer, preembed
from quiet import silence_transformers
from safetensors.torch import load_file
from tiny_models import Tensors

SCALING = 2.0
PREFIX, INFIX = 3, 2
BASES = {"bert": "bert_seqcls", "roberta": "roberta_seqcls", "vit": "vit_imgcls"}
TARGETS = {"bert": ["query", "value"], "roberta": ["query", "value"], "vit": ["q_proj", "v_proj"]}
OTHERS = {"preembed": preembed, "prelayer": prelayer, "prompt": preembed}
NAMES = ["bert_lora_preembed", "bert_lora_prelayer", "bert_lora_prompt", "roberta_lora_preembed", "roberta_lora_prompt"]
NAMES += ["vit_lora_preembed", "vit_lora_prelayer"]


def infix_of(family: str, other: str) -> int:
    return 0 if family == "vit" or other == "prompt" else INFIX


def lora_config(family: str) -> LoraConfig:
    return lora(4, 8, TARGETS[family], **HEAD)


def own_config(family: str, other: str, models: Path) -> dict:
    return {
        "auto_mapping": None,
        "base_model_name_or_path": (models / BASES[family]).as_posix(),
        "inference_mode": True,
        "modules_to_save": None,
        "num_infix_tokens": infix_of(family, other),
        "num_prefix_tokens": PREFIX,
        "peft_type": other.upper(),
        "peft_version": None,
        "revision": None,
        "task_type": None,
    }


def write_other(folder: Path, family: str, other: str, models: Path, seed: int) -> None:
    """The second adapter's folder, filled with N(0, 0.2)."""
    generator = noise_for(BASES[family], seed + 50)
    if other == "prompt":
        config = PromptTuningConfig(task_type="SEQ_CLS", num_virtual_tokens=PREFIX, prompt_tuning_init="RANDOM")
        save_adapter(combine(BASES[family], {"default": config}, models, seed), folder)
        path = folder / "adapter_config.json"
        # With a task type the adapter would have a head of its own beside LoRA's.
        write_json(path, json.loads(path.read_text()) | {"modules_to_save": None, "task_type": None})
        key = "prompt_embeddings"
        shape = load_file(folder / "adapter_model.safetensors")[key].shape
        save_tensors(folder / "adapter_model.safetensors", {key: 0.2 * torch.randn(shape, generator=generator)})
        return
    folder.mkdir()
    trained = OTHERS[other](base_model(BASES[family], models, seed), PREFIX, infix_of(family, other))
    noise = {f"base_model.model.{key}": 0.2 * torch.randn(p.shape, generator=generator) for key, p in sorted(trained.items())}
    save_tensors(folder / "adapter_model.safetensors", noise)
    write_json(folder / "adapter_config.json", own_config(family, other, models))


def file_names(trained: Trained, other: str) -> Trained:
    if other == "prompt":
        return {"prompt_embeddings": next(iter(trained.values()))}
    return {f"base_model.model.{key}": parameter for key, parameter in trained.items()}


def write(name: str, out: Path, models: Path, seed: int) -> None:
    family, _, other = name.split("_")
    base, folder = BASES[family], fresh_folder(out / name)
    save_adapter(combine(base, {"default": lora_config(family)}, models, seed), folder / "lora")
    write_other(folder / other, family, other, models, seed)
    saved = {adapter: load_file(folder / adapter / "adapter_model.safetensors") for adapter in ("lora", other)}
    plain = base_model(base, models, seed)

    def make(acting: tuple[str, ...] = ("lora", other)) -> Adapted:
        model, trained = nest(base_model(base, models, seed), ("lora",), {"lora": saved["lora"]}, SCALING)
        if "lora" not in acting:
            for module in model.modules():
                if isinstance(module, Nested):
                    module.methods = ()
        if other in acting:
            added = file_names(OTHERS[other](model, PREFIX, infix_of(family, other)), other)
            with torch.no_grad():
                for key, parameter in added.items():
                    parameter.copy_(saved[other][key])
            trained = trained | {f"{other}.{key}": parameter for key, parameter in added.items()}
        for parameter in trained.values():
            parameter.requires_grad_(True)
        return Adapted(plain, model.eval(), trained, lambda batch: {})

    def outputs(adapted: Adapted, batch: Tensors) -> Tensors:
        found = {"logits": adapted.forward(**batch).logits, "disabled_logits": plain(**batch).logits}
        return found | {f"{one}.logits": make((one,)).forward(**batch).logits for one in ("lora", other)}

    meta = {
        "base": base,
        "moduleNames": "v5",
        "adapters": ["lora", other],
        "trainableParameters": sum(p.numel() for p in make().trained.values()),
        "made_by": made_by(__file__, "peft"),
    }
    meta |= write_both(folder, make, outputs, seed)
    write_json(folder / "meta.json", meta)
    print(name, meta["updatesDifferenceFromFloat64"], meta["trainableWithoutGradient"], meta["gradientIsRounding"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--out", type=Path, default=Path("test/golden/together"))
    parser.add_argument("--models", type=Path, default=Path("test/golden/models"))
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    silence_transformers(errors_only=True)
    torch.set_num_threads(1)
    for name in arguments.names or NAMES:
        write(name, arguments.out, arguments.models, arguments.seed)


if __name__ == "__main__":
    main()
