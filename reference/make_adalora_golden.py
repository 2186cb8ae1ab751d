"""Writes test/golden/methods-next/<name>/: eight AdaLoRA updates by PEFT, with its rank allocator at work.

    python reference/make_adalora_golden.py --out test/golden/methods-next --models test/golden/models

Each step is loss.backward(), AdamW's step, update_and_allocate(step), zero_grad, with step from 0. adapter_*: PEFT's files
before the first step; pruned/adapter_*: after the last, ranks cut, rank_pattern in the config. io.safetensors: the batch, and
logits before, after, and of the pruned file loaded again. steps.safetensors: `losses` [8] with the regularisation and
`plain_losses` without; `<step>.E.<module>` after the step's mask; `<step>.score.<module>` [r], the score of each triplet by
which the step masked (only where it did); `<step>.exp_avg_ipt.<name>`, `<step>.exp_avg_unc.<name>` after steps 0 and 5;
`after.<name>`. meta.json: budgets, and rank_pattern after each step (null before the first mask).
"""

import argparse
from pathlib import Path

import torch
from make_method_golden import save_adapter
from method_golden import ADAMW, fresh_folder, labelled_batch, largest_difference, made_by, save_tensors, without_labels, write_json
from peft import AdaLoraConfig, PeftModel, get_peft_model_state_dict
from peft.tuners.adalora.layer import RankAllocator
from peft_cases import INPUTS, Case, adapt
from quiet import silence_transformers
from safetensors.torch import load_file
from tiny_models import Tensors

STEPS = 8
SCHEDULE = {"init_r": 6, "target_r": 2, "lora_alpha": 8, "tinit": 1, "tfinal": 2, "deltaT": 2, "total_step": STEPS}
CASES = [
    Case("bert_adalora_steps", AdaLoraConfig, {"target_modules": ["query", "value"]} | SCHEDULE),
    Case(
        "vit_adalora_steps",
        AdaLoraConfig,
        {"target_modules": ["q_proj", "fc1"], "modules_to_save": ["classifier"]} | SCHEDULE | {"deltaT": 1, "orth_reg_weight": 0.1},
    ),
    Case("llama_adalora_steps", AdaLoraConfig, {"target_modules": ["q_proj", "v_proj"]} | SCHEDULE),
]
KEPT_STEPS = (0, 5)


def module_of(name: str) -> str:
    return name.split(".lora_")[0]


def scores(allocator: RankAllocator) -> Tensors:
    """The score of each triplet, as mask_to_budget computes it: E's own plus the means of its row of A and column of B."""
    found = {}
    for name in allocator.exp_avg_ipt:
        if ".lora_E." in name:
            a, b = (allocator._element_score(name.replace("lora_E", part)) for part in ("lora_A", "lora_B"))
            found[module_of(name)] = allocator._element_score(name).view(-1) + a.mean(dim=1) + b.mean(dim=0)
    return found


def train(model: PeftModel, trained: dict, batch: Tensors) -> tuple[Tensors, dict]:
    tuner = model.base_model
    allocator = tuner.rankallocator
    inner = model.get_base_model()
    optimizer = torch.optim.AdamW(trained.values(), **ADAMW)
    saved_names = {id(p): key for key, p in trained.items()}
    losses, plain, found, patterns, budgets = [], [], {}, [], []
    for step in range(STEPS):
        with torch.no_grad():
            plain.append(inner(**batch).loss.detach())
        loss = model(**batch).loss
        loss.backward()
        optimizer.step()
        ended = step == STEPS - SCHEDULE["tfinal"]
        kept = scores(allocator) if ended else {}
        tuner.update_and_allocate(step)
        pattern = model.peft_config["default"].rank_pattern
        if step < STEPS - SCHEDULE["tfinal"] and allocator.budget_schedule(step)[1]:
            kept = scores(allocator)
        optimizer.zero_grad()
        losses.append(loss.detach())
        budgets.append(allocator.budget_schedule(step)[0])
        patterns.append(pattern and {module_of(name): mask for name, mask in pattern.items()})
        found |= {f"{step}.score.{name}": score.clone() for name, score in kept.items()}
        found |= {f"{step}.E.{module_of(n)}": p.detach().clone() for n, p in inner.named_parameters() if ".lora_E." in n}
        if step in KEPT_STEPS:
            for kind in ("exp_avg_ipt", "exp_avg_unc"):
                averages = getattr(allocator, kind)
                named = {n: saved_names[id(p)] for n, p in inner.named_parameters() if n in averages}
                found |= {f"{step}.{kind}.{named[n]}": averages[n].clone() for n in named}
    found |= {"losses": torch.stack(losses), "plain_losses": torch.stack(plain)}
    return found | {f"after.{key}": p.detach().clone() for key, p in trained.items()}, {"rankPatterns": patterns, "budgets": budgets}


def write(case: Case, out: Path, models: Path, seed: int) -> None:
    folder = fresh_folder(out / case.name)
    model, adapted = adapt(case, models, seed)
    save_adapter(model, folder)
    batch = labelled_batch(adapted.base, seed)
    with torch.no_grad():
        io = batch | {"logits": model(**without_labels(batch)).logits}
    found, decisions = train(model, adapted.trained, batch)
    exact, exact_adapted = adapt(case, models, seed)
    exact.double()
    wide = {name: tensor.double() if tensor.is_floating_point() else tensor for name, tensor in batch.items()}
    exact_found, exact_decisions = train(exact, exact_adapted.trained, wide)
    assert decisions == exact_decisions
    with torch.no_grad():
        io["after_logits"] = model(**without_labels(batch)).logits
    save_adapter(model, folder / "pruned")
    saved = load_file(folder / "pruned" / "adapter_model.safetensors")
    loaded = PeftModel.from_pretrained(adapt(case, models, seed)[1].base.__class__.from_pretrained(models / case.base), folder / "pruned")
    with torch.no_grad():
        io["pruned_logits"] = loaded.eval()(**{name: batch[name] for name in INPUTS if name in batch}).logits
    save_tensors(folder / "io.safetensors", io)
    save_tensors(folder / "steps.safetensors", found)
    zero = [name for name, tensor in exact_found.items() if tensor.norm() == 0]
    meta = {
        "base": case.base,
        "moduleNames": "v5",
        "schedule": case.config | {"targets": None},
        "prunedShapes": {key: list(tensor.shape) for key, tensor in saved.items()},
        "prunedDifference": float(f"{(io['pruned_logits'] - io['after_logits']).abs().max():.1e}"),
        "stepsDifferenceFromFloat64": float(f"{largest_difference(found, exact_found, zero):.1e}"),
        "made_by": made_by(__file__, "peft"),
    }
    del meta["schedule"]["targets"]
    write_json(folder / "meta.json", meta | decisions)
    print(case.name, meta["stepsDifferenceFromFloat64"], meta["prunedDifference"], decisions["budgets"], sorted(get_peft_model_state_dict(model))[:2])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("test/golden/methods-next"))
    parser.add_argument("--models", type=Path, default=Path("test/golden/models"))
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    silence_transformers(errors_only=True)
    torch.set_num_threads(1)
    for case in CASES:
        write(case, arguments.out, arguments.models, arguments.seed)


if __name__ == "__main__":
    main()
