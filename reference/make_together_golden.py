"""Writes test/golden/together/<name>/: several adapters in one model.

    python reference/make_together_golden.py --out test/golden/together --models test/golden/models

`*_two_adapters*`: two LoRA adapters that act alone and both at once. `*_mixed`: rows of one batch that each take their
own. `bert_lora_then_ia3`, `bert_ia3_then_lora`: two methods on the same modules, from the definitions. reference/README.md
has the layout. What PEFT refuses stands in meta.json with its words.
"""

import argparse
import warnings
from collections.abc import Callable
from pathlib import Path

import torch
from make_method_golden import randomise, save_adapter, saved_name
from method_golden import (
    ROUNDING_NORM,
    Adapted,
    base_model,
    double,
    fresh_folder,
    gradients,
    labelled_batch,
    largest_difference,
    made_by,
    noise_for,
    save_tensors,
    updates,
    without_labels,
    write_json,
)
from nested_methods import ORDERS, nest
from peft import IA3Config, LoraConfig, PeftConfig, PeftModel, get_peft_model
from quiet import silence_transformers
from safetensors.torch import load_file
from tiny_models import Tensors, image_batch, text_batch

HEAD = {"modules_to_save": ["classifier"]}


def lora(rank: int, alpha: int, targets: list[str], **more) -> LoraConfig:
    return LoraConfig(r=rank, lora_alpha=alpha, target_modules=targets, init_lora_weights=False, **more)


def pair(bias: str) -> dict[str, LoraConfig]:
    """Both adapt the queries of all layers, each something of its own besides; only the first has a head."""
    return {
        "first": lora(4, 8, ["query", "value"], bias=bias, **HEAD),
        "second": lora(3, 12, ["query", "layer.1.attention.self.key", "intermediate.dense"]),
    }


PAIRS = {
    "bert_two_adapters": "none",
    "bert_two_adapters_bias_all": "all",
    "bert_two_adapters_bias_lora_only": "lora_only",
}


def trio(names: tuple[str, str, str]) -> dict[str, LoraConfig]:
    """Three adapters with heads; `names` are the query, value and second feed-forward layer."""
    query, value, dense = names
    return {
        "small": lora(2, 4, [query, value], **HEAD),
        "wide": lora(6, 3, [query, dense], **HEAD),
        "rs": lora(4, 8, [value], use_rslora=True, **HEAD),
    }


MIXED = {
    "bert_mixed": ("bert_seqcls", ("query", "value", "output.dense")),
    "roberta_mixed": ("roberta_seqcls", ("query", "value", "output.dense")),
    "vit_mixed": ("vit_imgcls", ("q_proj", "v_proj", "fc2")),
}
ROW_ADAPTERS = ["wide", "small", "__base__", "rs", "small", "wide"]


def combine(base: str, configs: dict[str, PeftConfig], models: Path, seed: int) -> PeftModel:
    """The tiny model with all these adapters, every trained tensor of each away from its initial value; the first acts."""
    first, *others = configs
    model = get_peft_model(base_model(base, models, seed), configs[first], adapter_name=first)
    for name in others:
        model.add_adapter(name, configs[name])
    generator = noise_for(base, seed)
    for name in [*others, first]:
        model.set_adapter(name)
        randomise(model, generator)
    return model.eval()


def trained_by_adapter(model: PeftModel, names: list[str]) -> dict[str, torch.nn.Parameter]:
    """Trained parameters by "<adapter>.<name in its file>". Biases bear no adapter's name: they are the first's."""
    found = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            owner = next((adapter for adapter in names if f".{adapter}." in f"{name}."), names[0])
            found[f"{owner}.{saved_name(name, owner)}"] = parameter
    return found


def refusal(attempt: Callable[[], object]) -> dict[str, str]:
    try:
        attempt()
    except Exception as error:  # noqa: BLE001: whatever PEFT raises is what is recorded
        return {"error": type(error).__name__, "message": str(error)}
    raise AssertionError("PEFT no longer refuses this")


def refused_pairs(models: Path, seed: int) -> dict[str, dict[str, str]]:
    """What PEFT does not allow of two adapters in one model."""
    base = "bert_seqcls"
    both_heads = {"first": lora(4, 8, ["query"], **HEAD), "second": lora(3, 12, ["query"], **HEAD)}
    biased = lora(3, 12, ["query"], bias="lora_only")
    plain = combine(base, pair("none"), models, seed)
    return {
        "two acting adapters that both save the head": refusal(
            lambda: combine(base, both_heads, models, seed).base_model.set_adapter(["first", "second"])
        ),
        "a second adapter with bias beside one with bias all": refusal(
            lambda: combine(base, {**pair("all"), "second": biased}, models, seed)
        ),
        "a second adapter with bias beside one with bias lora_only": refusal(
            lambda: combine(base, {**pair("lora_only"), "second": biased}, models, seed)
        ),
        "PeftModel.set_adapter with a list": refusal(lambda: plain.set_adapter(["first", "second"])),
        "an IA3 adapter beside a LoRA adapter": refusal(
            lambda: plain.add_adapter("third", IA3Config(target_modules=["key"], feedforward_modules=[]))
        ),
    }


def both_acting(configs: dict[str, PeftConfig], models: Path, seed: int) -> tuple[PeftModel, Adapted]:
    model = combine("bert_seqcls", configs, models, seed)
    model.base_model.set_adapter(list(configs))
    trained = trained_by_adapter(model, list(configs))
    return model, Adapted(model.get_base_model(), model, trained, lambda batch: {})


def pair_outputs(model: PeftModel, batch: Tensors, folder: Path, models: Path, seed: int) -> Tensors:
    """Logits of each adapter as PEFT switches to it, of each alone in a fresh model, of both, of both merged, of none.

    They differ for the second beside a first with bias: PEFT trains biases in place, and they stay when it switches.
    """
    found = {"logits": model(**batch).logits}
    with model.disable_adapter():
        found["disabled_logits"] = model(**batch).logits
    names = list(model.peft_config)
    for name in names:
        model.set_adapter(name)
        found[f"{name}.logits"] = model(**batch).logits
        alone = PeftModel.from_pretrained(base_model("bert_seqcls", models, seed), folder / name).eval()
        found[f"{name}.alone.logits"] = alone(**batch).logits
    model.base_model.set_adapter(names)
    model.merge_adapter(names)
    return found | {"merged_logits": model(**batch).logits}


def write_both(folder: Path, make: Callable[[], Adapted], outputs: Callable[[Adapted, Tensors], Tensors], seed: int) -> dict:
    """io.safetensors and updates.safetensors of adapters that act together, as write_numbers does for one."""
    adapted = make()
    batch = labelled_batch(adapted.base, seed)
    loss, grads, without_gradient = gradients(adapted, batch)
    with torch.no_grad():
        found = outputs(adapted, without_labels(batch))
    save_tensors(folder / "io.safetensors", batch | {"loss": loss} | grads | found)
    rounding = sorted(key.removeprefix("grad.") for key, grad in grads.items() if grad.norm() < ROUNDING_NORM)
    trained = updates(make(), batch)
    save_tensors(folder / "updates.safetensors", trained)
    exact = make()
    difference = largest_difference(trained, updates(exact, double(exact, batch)), rounding + without_gradient)
    return {
        "trainableWithoutGradient": without_gradient,
        "gradientIsRounding": rounding,
        "updatesDifferenceFromFloat64": float(f"{difference:.1e}"),
    }


def write_pair(name: str, bias: str, out: Path, models: Path, seed: int) -> None:
    folder = fresh_folder(out / name)
    model, adapted = both_acting(pair(bias), models, seed)
    save_adapter(model, folder)
    saved = {f"{a}.{key}" for a in pair(bias) for key in load_file(folder / a / "adapter_model.safetensors")}
    meta = {
        "base": "bert_seqcls",
        "moduleNames": "v5",
        "adapters": list(pair(bias)),
        "trainableParameters": sum(p.numel() for p in adapted.trained.values()),
        "allParameters": model.get_nb_trainable_parameters()[1],
        "trainedNotSaved": sorted(set(adapted.trained) - saved),
        "savedNotTrained": sorted(saved - set(adapted.trained)),
        "refused": refused_pairs(models, seed),
        "made_by": made_by(__file__, "peft"),
    }
    make = lambda: both_acting(pair(bias), models, seed)[1]  # noqa: E731
    meta |= write_both(folder, make, lambda a, batch: pair_outputs(a.forward, batch, folder, models, seed), seed)
    write_json(folder / "meta.json", meta)
    print(name, meta)


def six_rows(model: PeftModel, seed: int) -> Tensors:
    base = model.get_base_model()
    generator = torch.Generator().manual_seed(seed + 1)
    if base.config.model_type == "vit":
        return image_batch(base, generator, rows=6)
    return text_batch(base, generator, rows=6, length=13)


def row_by_row(model: PeftModel, batch: Tensors) -> torch.Tensor:
    """Logits of each row of the batch, computed alone with its own adapter."""
    rows = []
    for index, adapter in enumerate(ROW_ADAPTERS):
        row = {name: tensor[index : index + 1] for name, tensor in batch.items()}
        if adapter == "__base__":
            with model.disable_adapter():
                rows.append(model(**row).logits)
        else:
            model.set_adapter(adapter)
            rows.append(model(**row).logits)
    return torch.cat(rows)


def write_mixed(name: str, out: Path, models: Path, seed: int) -> None:
    base, targets = MIXED[name]
    folder = fresh_folder(out / name)
    model = combine(base, trio(targets), models, seed)
    save_adapter(model, folder)
    batch = six_rows(model, seed)
    refused = {}
    with torch.no_grad():
        alone = row_by_row(model, batch)
        model.set_adapter("small")
        model.eval()
        if base == "roberta_seqcls":  # its head is a module of several layers
            refused["a head that is no single layer"] = refusal(lambda: model(**batch, adapter_names=ROW_ADAPTERS))
            logits = alone
        else:
            logits = model(**batch, adapter_names=ROW_ADAPTERS).logits
            torch.testing.assert_close(logits, alone, rtol=1e-5, atol=1e-6)
    model.train()
    refused["training"] = refusal(lambda: model(**batch, adapter_names=ROW_ADAPTERS))
    model.eval().merge_adapter()
    refused["merged adapters"] = refusal(lambda: model(**batch, adapter_names=ROW_ADAPTERS))
    save_tensors(folder / "io.safetensors", batch | {"logits": logits})
    meta = {
        "base": base,
        "moduleNames": "v5",
        "adapters": list(trio(targets)),
        "adapterNames": ROW_ADAPTERS,
        "computed": "row by row" if logits is alone else "as one batch by adapter_names",
        "refused": refused,
        "made_by": made_by(__file__, "peft"),
    }
    write_json(folder / "meta.json", meta)
    print(name, meta)


def write_nested(name: str, out: Path, models: Path, seed: int) -> None:
    """LoRA and IA3 on the same modules; each saved by PEFT from a model of its own."""
    base, folder = "bert_seqcls", fresh_folder(out / name)
    configs = {
        "lora": lora(4, 8, ["query", "value"], **HEAD),
        "ia3": IA3Config(target_modules=["query", "value"], feedforward_modules=[]),
    }
    for method, config in configs.items():
        save_adapter(combine(base, {"default": config}, models, seed), folder / method)
    scaling = 2.0
    plain = base_model(base, models, seed)
    tensors = {method: load_file(folder / method / "adapter_model.safetensors") for method in configs}

    def make(methods: tuple[str, ...] = ORDERS[name]) -> Adapted:
        model, trained = nest(base_model(base, models, seed), methods, tensors, scaling)
        return Adapted(plain, model, trained, lambda batch: {})

    def outputs(adapted: Adapted, batch: Tensors) -> Tensors:
        found = {"logits": adapted.forward(**batch).logits, "disabled_logits": plain(**batch).logits}
        for method in configs:
            found[f"{method}.logits"] = make((method,)).forward(**batch).logits
            peft = PeftModel.from_pretrained(base_model(base, models, seed), folder / method).eval()
            torch.testing.assert_close(found[f"{method}.logits"], peft(**batch).logits, rtol=1e-5, atol=1e-6)
        for module in adapted.forward.modules():
            if hasattr(module, "merge"):
                module.merge()
        return found | {"merged_logits": adapted.forward(**batch).logits}

    meta = {
        "base": base,
        "moduleNames": "v5",
        "adapters": list(ORDERS[name]),
        "order": "innermost first",
        "trainableParameters": sum(p.numel() for p in make().trained.values()),
        "made_by": made_by(__file__, "peft"),
    }
    meta |= write_both(folder, make, outputs, seed)
    write_json(folder / "meta.json", meta)
    print(name, meta)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("test/golden/together"))
    parser.add_argument("--models", type=Path, default=Path("test/golden/models"))
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    silence_transformers()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")  # PEFT warns of biases that stay when an adapter is disabled: that is wanted here
    paths = (arguments.out, arguments.models, arguments.seed)
    for name in MIXED:
        write_mixed(name, *paths)
    for name, bias in PAIRS.items():
        write_pair(name, bias, *paths)
    for name in ORDERS:
        write_nested(name, *paths)


if __name__ == "__main__":
    main()
