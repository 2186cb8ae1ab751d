"""Writes test/golden/training/<adapter>.{json,safetensors}: twenty LoRA training steps of PyTorch + PEFT on tiny models.

    python reference/make_training_golden.py --out test/golden/training

AdamW with weight decay (biases and LayerNorm left out, as the Trainer of transformers does), clipping, a linear schedule
with warm-up, and two micro-batches of unequal size for each update. The loss of an update is the mean over all rows of
its micro-batches: what transformers computes for heads that take `num_items_in_batch`. The model is in eval mode, so no
dropout acts. The JSON holds loss, gradient norm before clipping and learning rate of each update; the safetensors file
the micro-batches (used in turn) and the trained tensors at the end, under their names in the adapter file.
"""

import argparse
import json
from pathlib import Path

import torch
from make_peft_golden import file_name
from peft import PeftModel
from quiet import silence_transformers
from safetensors.torch import save_file
from tiny_models import Tensors, build, image_batch, labels_for, text_batch
from transformers import Trainer, get_scheduler

CASES = {"bert_default": "bert_seqcls", "bert_multilabel": "bert_multilabel", "roberta_default": "roberta_seqcls", "vit_default": "vit_imgcls"}
ROWS = (3, 1, 2, 3)  # of the micro-batches, which are used in turn
SETTINGS = {
    "learningRate": 5e-3,
    "weightDecay": 0.05,
    "maxGradNorm": 1.0,
    "warmupSteps": 3,
    "steps": 20,
    "gradientAccumulationSteps": 2,
}


def micro_batches(base, seed: int) -> list[Tensors]:
    generator = torch.Generator().manual_seed(seed)
    make = image_batch if base.config.model_type == "vit" else text_batch
    batches = []
    for index, rows in enumerate(ROWS):
        labels = labels_for(base, rows, seed + index)
        batches.append({**make(base, generator, rows=rows), "labels": labels})
    return batches


def optimizer_for(model: PeftModel) -> torch.optim.AdamW:
    decayed = set(Trainer.get_decay_parameter_names(None, model))
    trained = [(name, parameter) for name, parameter in model.named_parameters() if parameter.requires_grad]
    groups = [
        {"params": [p for name, p in trained if name in decayed], "weight_decay": SETTINGS["weightDecay"]},
        {"params": [p for name, p in trained if name not in decayed], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=SETTINGS["learningRate"])


def train(model: PeftModel, batches: list[Tensors]) -> list[dict[str, float]]:
    optimizer = optimizer_for(model)
    scheduler = get_scheduler(
        "linear", optimizer, num_warmup_steps=SETTINGS["warmupSteps"], num_training_steps=SETTINGS["steps"]
    )
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    accumulated = SETTINGS["gradientAccumulationSteps"]
    steps = []
    for step in range(SETTINGS["steps"]):
        micro = [batches[(step * accumulated + i) % len(batches)] for i in range(accumulated)]
        total_rows = sum(len(batch["labels"]) for batch in micro)
        loss = 0.0
        for batch in micro:
            weighted = model(**batch).loss * (len(batch["labels"]) / total_rows)
            weighted.backward()
            loss += weighted.item()
        norm = torch.nn.utils.clip_grad_norm_(trained, SETTINGS["maxGradNorm"]).item()
        steps.append({"loss": loss, "gradNorm": norm, "learningRate": scheduler.get_last_lr()[0]})
        optimizer.step()
        scheduler.step()
        optimizer.zero_grad()
    return steps


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("test/golden/training"))
    parser.add_argument("--adapters", type=Path, default=Path("test/golden/peft"))
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    silence_transformers()
    torch.set_num_threads(1)
    arguments.out.mkdir(parents=True, exist_ok=True)
    for name, base_name in CASES.items():
        base = build(base_name, arguments.seed)
        model = PeftModel.from_pretrained(base, arguments.adapters / name, is_trainable=True).eval()
        batches = micro_batches(base, arguments.seed + 1)
        tensors = {f"batch_{i}.{key}": value for i, batch in enumerate(batches) for key, value in batch.items()}
        steps = train(model, batches)
        for parameter_name, parameter in model.named_parameters():
            if parameter.requires_grad:
                tensors[f"trained.{file_name(parameter_name)}"] = parameter.detach()
        save_file({key: value.contiguous() for key, value in tensors.items()}, arguments.out / f"{name}.safetensors")
        result = {"model": base_name, "adapter": name, **SETTINGS, "results": steps}
        (arguments.out / f"{name}.json").write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
