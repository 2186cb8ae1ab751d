"""Writes test/golden/peft/<name>/: LoRA adapters saved by PEFT for the tiny models, with outputs and gradients.

    python reference/make_peft_golden.py --out test/golden/peft --models test/golden/models [NAME ...]

Run it from the repository's root: the adapter configs then name their base model by a path that holds everywhere.
Each folder holds adapter_config.json, adapter_model.safetensors, io.safetensors and meta.json (see reference/README.md).
"""

import argparse
import contextlib
import io as text_io
import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from quiet import silence_transformers
from safetensors.torch import load_file, save_file
from tiny_models import Tensors, batch_for, build, labels_for, place
from vit_names import to_v4


@dataclass(frozen=True)
class Variant:
    """One adapter: the tiny model it adapts and what its LoraConfig adds to r=4, alpha 8, dropout 0.1."""

    name: str
    base: str
    config: dict = field(default_factory=dict)


TEXT = {"task_type": "SEQ_CLS", "target_modules": ["query", "value"]}
DISTIL = {"task_type": "SEQ_CLS", "target_modules": ["q_lin", "v_lin"]}
IMAGE = {"modules_to_save": ["classifier"], "target_modules": ["q_proj", "v_proj"]}

VARIANTS = [
    Variant("bert_default", "bert_seqcls", TEXT),
    Variant("bert_no_task", "bert_seqcls", {"target_modules": ["query", "value"]}),
    Variant("bert_rslora", "bert_seqcls", TEXT | {"use_rslora": True}),
    Variant("bert_bias_all", "bert_seqcls", TEXT | {"bias": "all"}),
    Variant("bert_bias_lora_only", "bert_seqcls", TEXT | {"bias": "lora_only"}),
    Variant("bert_regex", "bert_seqcls", TEXT | {"target_modules": r".*layer\.1\.attention\.self\.(query|key)"}),
    Variant("bert_all_linear", "bert_seqcls", TEXT | {"target_modules": "all-linear"}),
    Variant("bert_exclude", "bert_seqcls", TEXT | {"exclude_modules": ["layer.0.attention.self.value"]}),
    Variant("bert_regression", "bert_regression", TEXT),
    Variant("bert_multilabel", "bert_multilabel", TEXT),
    Variant("roberta_default", "roberta_seqcls", TEXT),
    Variant("roberta_bias_all", "roberta_seqcls", TEXT | {"bias": "all"}),
    Variant("roberta_all_linear", "roberta_seqcls", TEXT | {"target_modules": "all-linear"}),
    Variant("distilbert_default", "distilbert_seqcls", DISTIL),
    Variant("deberta_default", "deberta_seqcls", {"task_type": "SEQ_CLS"}),
    Variant("deberta_all_linear", "deberta_seqcls", {"task_type": "SEQ_CLS", "target_modules": "all-linear"}),
    Variant("deberta_positions", "deberta_p2c", {"task_type": "SEQ_CLS", "target_modules": ["pos_query_proj", "key_proj"]}),
    Variant("vit_default", "vit_imgcls", IMAGE),
    Variant("vit_rslora", "vit_imgcls", IMAGE | {"use_rslora": True}),
    Variant("vit_bias_all", "vit_imgcls", IMAGE | {"bias": "all"}),
    Variant("vit_bias_lora_only", "vit_imgcls", IMAGE | {"bias": "lora_only"}),
    Variant("vit_regex", "vit_imgcls", IMAGE | {"target_modules": r".*\.layers\.1\..*(q_proj|fc2)"}),
    Variant("vit_all_linear", "vit_imgcls", IMAGE | {"target_modules": "all-linear"}),
]

# Adapters that are also written under the names of transformers 4, with the target_modules their authors had used.
V4_TARGETS = {
    "vit_default": ["query", "value"],
    "vit_bias_lora_only": ["query", "value"],
    "vit_bias_all": ["query", "value"],
    "vit_regex": r".*\.layer\.1\..*(attention\.query|(?<!attention\.)output\.dense)",
}


def adapt(variant: Variant, models: Path, seed: int) -> PeftModel:
    """The base model with the adapter, every trainable tensor away from its initial value, in eval mode."""
    model = build(variant.base, seed)
    model.name_or_path = (models / variant.base).as_posix()
    config = LoraConfig(r=4, lora_alpha=8, lora_dropout=0.1, init_lora_weights=False, **variant.config)
    peft_model = get_peft_model(model, config).eval()
    generator = torch.Generator().manual_seed(seed + 1000 + place(variant.base))
    with torch.no_grad():
        for name, parameter in peft_model.named_parameters():
            if parameter.requires_grad:
                noise = 0.2 * torch.randn(parameter.shape, generator=generator)
                parameter.copy_(noise if ".lora_" in name else parameter + noise)
    return peft_model


def file_name(parameter_name: str) -> str:
    """The name under which PEFT saves a parameter that it calls so in memory."""
    return parameter_name.replace(".modules_to_save.default", "").replace(".default", "")


def gradients(model: PeftModel) -> tuple[Tensors, list[str]]:
    """Gradient of every trainable parameter by its name in the adapter file, and the names of those that got none."""
    found, without = {}, []
    for name, parameter in model.named_parameters():
        if parameter.requires_grad and parameter.grad is not None:
            found["grad." + file_name(name)] = parameter.grad.clone()
        elif parameter.requires_grad:
            without.append(name)
    return found, without


def outputs(model: PeftModel, batch: Tensors) -> Tensors:
    """Logits with the adapter beside the weights, disabled, and merged into them; the adapter ends up unmerged."""
    with torch.no_grad():
        unmerged = model(**batch).logits
        with model.disable_adapter():
            disabled = model(**batch).logits
        model.merge_adapter()
        merged = model(**batch).logits
        model.unmerge_adapter()
    return {"logits": unmerged, "disabled_logits": disabled, "merged_logits": merged}


def trainable_line(model: PeftModel) -> str:
    printed = text_io.StringIO()
    with contextlib.redirect_stdout(printed):
        model.print_trainable_parameters()
    return printed.getvalue().strip()


def adapted_modules(model: PeftModel) -> list[str]:
    """Paths, within the base model, of the modules that carry LoRA matrices."""
    suffix = ".lora_A"
    names = (name for name, _ in model.base_model.model.named_modules() if name.endswith(suffix))
    return [name.removesuffix(suffix) for name in names]


def describe(variant: Variant, model: PeftModel, without_gradient: list[str]) -> dict:
    trainable, total = model.get_nb_trainable_parameters()
    return {
        "base": variant.base,
        "moduleNames": "v5",
        "adaptedModules": adapted_modules(model),
        "trainableParameters": trainable,
        "allParameters": total,
        "printTrainableParameters": trainable_line(model),
        "trainableWithoutGradient": without_gradient,
    }


def write_json(path: Path, value: dict) -> None:
    path.write_text(json.dumps(value, indent=2, sort_keys=True) + "\n")


def save_adapter(model: PeftModel, folder: Path) -> None:
    """PEFT's own files without its model card; lists that PEFT keeps as sets are sorted, so that reruns are equal."""
    model.save_pretrained(folder)
    (folder / "README.md").unlink()
    config = json.loads((folder / "adapter_config.json").read_text())
    for key in ("target_modules", "exclude_modules"):
        if isinstance(config[key], list):
            config[key].sort()
    write_json(folder / "adapter_config.json", config)


def write_variant(variant: Variant, out: Path, models: Path, seed: int) -> None:
    folder = out / variant.name
    shutil.rmtree(folder, ignore_errors=True)
    model = adapt(variant, models, seed)
    save_adapter(model, folder)
    batch = batch_for(model.base_model.model, seed + 1)
    rows = next(iter(batch.values())).shape[0]
    labels = labels_for(model.base_model.model, rows, seed + 1)
    loss = model(**batch, labels=labels).loss
    loss.backward()
    grads, without_gradient = gradients(model)
    io = batch | {"labels": labels, "loss": loss.detach()} | grads | outputs(model, batch)
    save_file({name: tensor.contiguous() for name, tensor in io.items()}, folder / "io.safetensors")
    write_json(folder / "meta.json", describe(variant, model, without_gradient))


def write_v4_copy(name: str, out: Path) -> None:
    """The same adapter as authors saved it with transformers 4: other tensor names, other target_modules."""
    source, target = out / name, out / f"{name}_v4"
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    for file, metadata in (("adapter_model.safetensors", {"format": "pt"}), ("io.safetensors", None)):
        renamed = {to_v4(key): tensor for key, tensor in load_file(source / file).items()}
        save_file(renamed, target / file, metadata)
    config = json.loads((source / "adapter_config.json").read_text())
    config["target_modules"] = V4_TARGETS[name]
    write_json(target / "adapter_config.json", config)
    meta = json.loads((source / "meta.json").read_text())
    meta["moduleNames"] = "v4"
    meta["adaptedModules"] = [to_v4(module) for module in meta["adaptedModules"]]
    write_json(target / "meta.json", meta)


def check_names(models: Path) -> None:
    """The name table must turn transformers' names in memory into the names that it writes into checkpoints."""
    in_memory = {to_v4(name) for name in build("vit_imgcls").state_dict()}
    in_file = set(load_file(models / "vit_imgcls" / "model.safetensors"))
    assert in_memory == in_file, sorted(in_memory ^ in_file)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="write these folders alone")
    parser.add_argument("--out", type=Path, default=Path("test/golden/peft"))
    parser.add_argument("--models", type=Path, default=Path("test/golden/models"))
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    silence_transformers()
    torch.set_num_threads(1)
    check_names(arguments.models)
    for variant in VARIANTS:
        if not arguments.names or variant.name in arguments.names:
            write_variant(variant, arguments.out, arguments.models, arguments.seed)
    for name in arguments.names or V4_TARGETS:
        if name in V4_TARGETS:
            write_v4_copy(name, arguments.out)


if __name__ == "__main__":
    main()
