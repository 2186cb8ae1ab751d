"""Writes test/golden/methods/<name>/: adapters of PEFT's methods for the tiny models, with numbers and five updates.

    python reference/make_method_golden.py --out test/golden/methods --models test/golden/models [NAME ...]

Run it from the repository's root. Each folder holds adapter_config.json, adapter_model.safetensors, io.safetensors,
updates.safetensors and meta.json (see reference/README.md). Names given write those folders alone.
"""

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch
from make_peft_golden import file_name, trainable_line
from method_golden import Adapted, base_model, fresh_folder, made_by, noise_for, write_json, write_numbers
from peft import IA3Config, LoraConfig, PeftConfig, PeftModel, PromptTuningConfig, get_peft_model
from peft.utils.other import ModulesToSaveWrapper
from quiet import silence_transformers
from safetensors.torch import load_file
from tiny_models import Tensors


@dataclass(frozen=True)
class Variant:
    """One adapter: the tiny model it adapts and its PEFT config."""

    name: str
    base: str
    make: Callable[..., PeftConfig]
    config: dict = field(default_factory=dict)
    task: str | None = "SEQ_CLS"


LORA = {"r": 4, "lora_alpha": 8, "init_lora_weights": False}
TEXT = LORA | {"target_modules": ["query", "value"]}
HEAD = {"modules_to_save": ["classifier"]}
IMAGE = LORA | HEAD | {"target_modules": ["q_proj", "v_proj"]}

# Suffix, path with its head anchored, and a pattern in the middle; each module takes the first key that matches it.
TEXT_PATTERNS = {
    "target_modules": ["query", "key", "value", "output.dense"],
    "rank_pattern": {"layer.0.attention.self.query": 2, "^bert.*key": 6, r"layer\.1\..*output\.dense": 3, "query": 5},
    "alpha_pattern": {"query": 16, r"bert.encoder.layer.1.attention.self.value": 3, "attention.output.dense": 1},
}
IMAGE_PATTERNS = {
    "target_modules": ["q_proj", "v_proj", "fc2"],
    "rank_pattern": {"layers.0.attention.q_proj": 2, r"^vit.*\.fc\d": 6},
    "alpha_pattern": {"v_proj": 16, r"vit\.layers\.1\..*q_proj": 3},
}
IMAGE_IA3 = HEAD | {"target_modules": ["k_proj", "v_proj", "fc2"], "feedforward_modules": ["fc2"]}
EXPLICIT_IA3 = {
    "target_modules": ["query", "layer.1.attention.self.value", "intermediate.dense", "layer.0.output.dense"],
    "feedforward_modules": ["intermediate.dense"],
}
PROMPT = {"num_virtual_tokens": 4, "prompt_tuning_init": "RANDOM"}

VARIANTS = [
    Variant("bert_ia3", "bert_seqcls", IA3Config),
    Variant("roberta_ia3", "roberta_seqcls", IA3Config),
    Variant("vit_ia3", "vit_imgcls", IA3Config, IMAGE_IA3, task=None),
    Variant("bert_ia3_feedforward", "bert_seqcls", IA3Config, EXPLICIT_IA3),
    Variant("bert_dora", "bert_seqcls", LoraConfig, TEXT | {"use_dora": True}),
    Variant("vit_dora", "vit_imgcls", LoraConfig, IMAGE | {"use_dora": True}, task=None),
    Variant("bert_dora_rslora", "bert_seqcls", LoraConfig, TEXT | {"use_dora": True, "use_rslora": True}),
    Variant("bert_dora_rank_pattern", "bert_seqcls", LoraConfig, TEXT | TEXT_PATTERNS | {"use_dora": True}),
    Variant("bert_rank_pattern", "bert_seqcls", LoraConfig, TEXT | TEXT_PATTERNS),
    Variant("vit_rank_pattern", "vit_imgcls", LoraConfig, IMAGE | IMAGE_PATTERNS, task=None),
    Variant("bert_prompt", "bert_seqcls", PromptTuningConfig, PROMPT),
    Variant("roberta_prompt", "roberta_seqcls", PromptTuningConfig, PROMPT),
    Variant("bert_tokencls_lora", "bert_tokencls", LoraConfig, TEXT, task="TOKEN_CLS"),
    Variant("roberta_tokencls_lora", "roberta_tokencls", LoraConfig, TEXT, task="TOKEN_CLS"),
]

# Parts of a PEFT method's parameter names that mark a module as adapted.
MARKS = (".lora_A", ".ia3_l")


def randomise(model: PeftModel, generator: torch.Generator) -> None:
    """Every trained tensor away from its initial value: ia3_l is 1 + N(0, 0.2), matrices and prompts N(0, 0.2)."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.requires_grad:
                noise = 0.2 * torch.randn(parameter.shape, generator=generator)
                anew = ".lora_A" in name or ".lora_B" in name or "prompt_encoder" in name
                parameter.copy_(noise if anew else parameter + noise)


def saved_name(name: str, adapter: str = "default") -> str:
    """The name under which PEFT saves a parameter that it calls so in memory."""
    if name.startswith("prompt_encoder."):
        return "prompt_embeddings"
    if ".lora_magnitude_vector." in name:
        name = name.removesuffix(".weight")
    return file_name(name.replace(f".{adapter}", ".default"))


def disabled_logits(model: PeftModel, batch: Tensors) -> torch.Tensor:
    """Logits of the base model alone.

    PEFT's `disable_adapter` fails for prompts on a classifier (it looks for `prepare_inputs_for_generation`): there the
    original head is put back by hand and the prompt is passed by.
    """
    if not model.peft_config["default"].is_prompt_learning:
        with model.disable_adapter():
            return model(**batch).logits
    heads = [module for module in model.base_model.modules() if isinstance(module, ModulesToSaveWrapper)]
    for head in heads:
        head.enable_adapters(False)
    logits = model.base_model(**batch).logits
    for head in heads:
        head.enable_adapters(True)
    return logits


def outputs(model: PeftModel, batch: Tensors) -> Tensors:
    """Logits with the adapter, without it, and merged where the method merges."""
    found = {"logits": model(**batch).logits, "disabled_logits": disabled_logits(model, batch)}
    if is_mergeable(model):
        model.merge_adapter()
        found["merged_logits"] = model(**batch).logits
    return found


def is_mergeable(model: PeftModel) -> bool:
    return not model.peft_config["default"].is_prompt_learning


def adapt(variant: Variant, models: Path, seed: int) -> tuple[PeftModel, Adapted]:
    base = base_model(variant.base, models, seed)
    model = get_peft_model(base, variant.make(task_type=variant.task, **variant.config)).eval()
    randomise(model, noise_for(variant.base, seed))
    trained = {saved_name(name): p for name, p in model.named_parameters() if p.requires_grad}
    return model, Adapted(base, model, trained, lambda batch: outputs(model, batch))


def adapted_modules(model: PeftModel) -> list[str]:
    """Paths, within the base model, of the modules that the method wrapped."""
    inner = model.get_base_model()
    names = [name for name, _ in inner.named_modules()]
    return [name.removesuffix(mark) for name in names for mark in MARKS if name.endswith(mark)]


def save_adapter(model: PeftModel, folder: Path) -> None:
    """PEFT's own files without its model card; lists that PEFT keeps as sets are sorted, so that reruns are equal."""
    model.save_pretrained(folder)
    for card in folder.glob("**/README.md"):
        card.unlink()
    for path in folder.glob("**/adapter_config.json"):
        config = json.loads(path.read_text())
        for key in ("target_modules", "exclude_modules", "feedforward_modules"):
            if isinstance(config.get(key), list):
                config[key].sort()
        write_json(path, config)


def check_saved(folder: Path, trained: dict[str, torch.nn.Parameter]) -> None:
    """The file must hold the trained tensors under the names used here, and nothing else."""
    saved = load_file(folder / "adapter_model.safetensors")
    assert set(saved) == set(trained), sorted(set(saved) ^ set(trained))
    for key, tensor in saved.items():
        torch.testing.assert_close(tensor, trained[key].detach(), rtol=0, atol=0)


def check_reload(variant: Variant, folder: Path, models: Path) -> None:
    """PEFT must find the same logits in the folder as it had before it saved."""
    io = load_file(folder / "io.safetensors")
    inputs = {key: io[key] for key in ("input_ids", "attention_mask", "token_type_ids", "pixel_values") if key in io}
    model = PeftModel.from_pretrained(base_model(variant.base, models), folder).eval()
    with torch.no_grad():
        torch.testing.assert_close(model(**inputs).logits, io["logits"], rtol=0, atol=1e-6)


def write_variant(variant: Variant, out: Path, models: Path, seed: int, script: str = __file__) -> None:
    folder = fresh_folder(out / variant.name)
    model, adapted = adapt(variant, models, seed)
    save_adapter(model, folder)
    check_saved(folder, adapted.trained)
    trainable, total = model.get_nb_trainable_parameters()
    meta = {
        "base": variant.base,
        "moduleNames": "v5",
        "mergeable": is_mergeable(model),
        "adaptedModules": adapted_modules(model),
        "trainableParameters": trainable,
        "allParameters": total,
        "printTrainableParameters": trainable_line(model),
        "made_by": made_by(script, "peft"),
    }
    meta |= write_numbers(folder, lambda: adapt(variant, models, seed)[1], seed)
    write_json(folder / "meta.json", meta)
    check_reload(variant, folder, models)
    print(variant.name, meta["updatesDifferenceFromFloat64"], meta["gradientIsRounding"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--out", type=Path, default=Path("test/golden/methods"))
    parser.add_argument("--models", type=Path, default=Path("test/golden/models"))
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    silence_transformers()
    torch.set_num_threads(1)
    for variant in VARIANTS:
        if not arguments.names or variant.name in arguments.names:
            write_variant(variant, arguments.out, arguments.models, arguments.seed)


if __name__ == "__main__":
    main()
