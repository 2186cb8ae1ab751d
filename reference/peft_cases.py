"""Shared by the scripts that write goldens of PEFT's methods to test/golden/methods-next: a case, and how it is written.

The layout is that of make_method_golden.py; reference/README.md says what is there besides.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch
from make_method_golden import disabled_logits, save_adapter
from make_peft_golden import trainable_line
from method_golden import (
    Adapted,
    base_model,
    fresh_folder,
    made_by,
    noise_for,
    save_tensors,
    updates,
    write_json,
    write_numbers,
)
from peft import PeftConfig, PeftModel, get_peft_model, get_peft_model_state_dict
from quiet import silence_transformers
from safetensors.torch import load_file
from tiny_models import Tensors
from torch import nn

INPUTS = ("input_ids", "attention_mask", "token_type_ids", "pixel_values")
BASES = {
    "bert": "bert_seqcls",
    "roberta": "roberta_seqcls",
    "vit": "vit_imgcls",
    "gpt2": "gpt2_lm",
    "llama": "llama_lm",
    "distilbert": "distilbert_seqcls",
    "deberta": "deberta_seqcls",
}
TASKS = {"bert": "SEQ_CLS", "roberta": "SEQ_CLS", "vit": None, "gpt2": "CAUSAL_LM", "llama": "CAUSAL_LM"}
TASKS |= {"distilbert": "SEQ_CLS", "deberta": "SEQ_CLS"}

# Matrices that a method multiplies: they become N(0, 0.2), whatever they were; all else is moved by N(0, 0.2).
FACTORS = (".lora_A.", ".lora_B.", ".lora_embedding_", ".hada_", ".lokr_", "prompt_encoder.")

Moves = Callable[[PeftModel, torch.Generator], None]


def move(model: PeftModel, generator: torch.Generator) -> None:
    """Every trained tensor away from its initial value."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.requires_grad:
                noise = 0.2 * torch.randn(parameter.shape, generator=generator)
                parameter.copy_(noise if any(mark in f"{name}." for mark in FACTORS) else parameter + noise)


def keep(model: PeftModel, generator: torch.Generator) -> None:
    """Every tensor as PEFT initialised it."""


@dataclass(frozen=True)
class Case:
    """One adapter: its folder ("<family>_<method>"), PEFT config and what is recorded besides the usual.

    `notes`, and what `describe` says of the model, go into meta.json. `initial` also writes init.safetensors: the factors and the base weights as PEFT's
    initialisation left them. `run` makes the updates; `untrained` says what the file holds that is not trained. `redraw` is added to
    the seed of the adapter's elements where a draw gives one element a gradient near AdamW's epsilon: its step is rounding then.
    """

    name: str
    make: Callable[..., PeftConfig]
    config: dict = field(default_factory=dict)
    moves: Moves = move
    run: Callable[[Adapted, Tensors], Tensors] = updates
    notes: dict = field(default_factory=dict)
    initial: bool = False
    mergeable: bool = True
    untrained: tuple[str, ...] = ()
    describe: Callable[[Adapted], dict] | None = None
    redraw: int = 0

    @property
    def family(self) -> str:
        return self.name.split("_")[0]

    @property
    def base(self) -> str:
        return BASES[self.family]


def trained_parameters(model: PeftModel) -> dict[str, nn.Parameter]:
    """Trained parameters by the names under which PEFT saves them; those of a prompt's encoder by their own."""
    saved = get_peft_model_state_dict(model)
    names = {tensor.data_ptr(): key for key, tensor in saved.items()}
    found = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            own = name.removeprefix("prompt_encoder.default.")
            prompt = saved.get("prompt_embeddings")
            is_prompt = own == "embedding.weight" and prompt is not None and torch.equal(prompt, parameter.detach())
            found[names.get(parameter.data_ptr(), "prompt_embeddings" if is_prompt else own)] = parameter
    return found


def merged(model: PeftModel, batch: Tensors) -> Tensors:
    model.merge_adapter()
    return {"merged_logits": model(**batch).logits}


def outputs(case: Case, model: PeftModel, batch: Tensors) -> Tensors:
    """Logits with the adapter, without it, and merged where the method merges."""
    is_classifier_prompt = model.peft_config["default"].is_prompt_learning and TASKS[case.family] == "SEQ_CLS"
    found = {"logits": model(**batch).logits}
    if is_classifier_prompt:
        found["disabled_logits"] = disabled_logits(model, batch)
    else:
        with model.disable_adapter():
            found["disabled_logits"] = model(**batch).logits
    return found | (merged(model, batch) if case.mergeable else {})


def adapt(case: Case, models: Path, seed: int) -> tuple[PeftModel, Adapted]:
    """The tiny model with the adapter; PEFT draws from a seed of its own."""
    base = base_model(case.base, models, seed)
    torch.manual_seed(seed + 7)
    model = get_peft_model(base, case.make(task_type=TASKS[case.family], **case.config)).eval()
    case.moves(model, noise_for(case.base, seed + case.redraw))
    trained = trained_parameters(model)
    return model, Adapted(base, model, trained, lambda batch: outputs(case, model, batch))


def adapted_modules(model: PeftModel) -> list[str]:
    """Paths, within the base model, of the modules that a tuner wrapped."""
    inner = model.get_base_model()
    return [name for name, module in inner.named_modules() if hasattr(module, "base_layer") and name]


def initial_tensors(model: PeftModel, models: Path, case: Case) -> Tensors:
    """`init.<name in the file>`: the factors; `base.<path>.weight`: weights of the base that the initialisation changed."""
    inner, plain = model.get_base_model(), base_model(case.base, models)
    found = {f"init.{key}": tensor for key, tensor in get_peft_model_state_dict(model).items() if ".lora_" in key}
    for path in adapted_modules(model):
        weight = inner.get_submodule(path).base_layer.weight
        if not torch.equal(weight, plain.get_submodule(path).weight):
            found[f"base.{path}.weight"] = weight
    return found


def check_saved(case: Case, folder: Path, trained: dict[str, nn.Parameter]) -> list[str]:
    """The file must hold the trained tensors under the names used here; gives the names of those it holds besides."""
    saved = load_file(folder / "adapter_model.safetensors")
    besides = sorted(set(saved) - set(trained))
    assert all(any(part in key for part in case.untrained) for key in besides), besides
    encoder = {key for key in trained if "base_model." not in key and key != "prompt_embeddings"}
    assert set(trained) - set(saved) <= encoder, sorted(set(trained) - set(saved))
    for key in set(saved) & set(trained):
        torch.testing.assert_close(saved[key], trained[key].detach(), rtol=0, atol=0)
    return besides


def check_reload(case: Case, folder: Path, models: Path, seed: int) -> dict:
    """What PEFT says of its own file: the largest difference of the logits after loading, or its refusal."""
    io = load_file(folder / "io.safetensors")
    torch.manual_seed(seed + 7)
    model = PeftModel.from_pretrained(base_model(case.base, models, seed), folder).eval()
    with torch.no_grad():
        found = model(**{key: io[key] for key in INPUTS if key in io}).logits
    return {"reloadDifference": float(f"{(found - io['logits']).abs().max():.1e}")}


def write_case(case: Case, out: Path, models: Path, seed: int, script: str) -> None:
    folder = fresh_folder(out / case.name)
    model, adapted = adapt(case, models, seed)
    save_adapter(model, folder)
    trainable, total = model.get_nb_trainable_parameters()
    besides = check_saved(case, folder, adapted.trained)
    encoder = {key: p for key, p in adapted.trained.items() if "base_model." not in key and key != "prompt_embeddings"}
    if encoder:
        save_tensors(folder / "trained.safetensors", encoder)
    if case.initial:
        save_tensors(folder / "init.safetensors", initial_tensors(model, models, case))
    meta = {
        "base": case.base,
        "moduleNames": "v5",
        "mergeable": case.mergeable,
        "adaptedModules": adapted_modules(model),
        "trainableParameters": trainable,
        "allParameters": total,
        "printTrainableParameters": trainable_line(model),
        "made_by": made_by(script, "peft"),
    }
    meta |= {"savedNotTrained": besides} if besides else {}
    meta |= write_numbers(folder, lambda: adapt(case, models, seed)[1], seed, case.run)
    meta |= check_reload(case, folder, models, seed) | case.notes
    meta |= case.describe(adapted) if case.describe else {}
    write_json(folder / "meta.json", meta)
    shown = ("updatesDifferenceFromFloat64", "reloadDifference", "gradientIsRounding", "trainableParameters")
    print(case.name, *(meta[key] for key in shown), flush=True)


def write_cases(cases: list[Case], script: str, description: str | None) -> None:
    """The command line that all these scripts have: NAMEs write those folders alone."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--out", type=Path, default=Path("test/golden/methods-next"))
    parser.add_argument("--models", type=Path, default=Path("test/golden/models"))
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    silence_transformers()
    torch.set_num_threads(1)
    for case in cases:
        if not arguments.names or case.name in arguments.names:
            write_case(case, arguments.out, arguments.models, arguments.seed, script)
