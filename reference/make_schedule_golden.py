"""Writes test/golden/training/schedules.json: learning-rate factors of transformers.get_scheduler.

    python reference/make_schedule_golden.py --out test/golden/training
"""

import argparse
import json
from pathlib import Path

import torch
from transformers import TrainingArguments, get_scheduler

CASES = [
    ("linear", 0, 20),
    ("linear", 5, 20),
    ("linear", 0.1, 37),
    ("cosine", 0, 20),
    ("cosine", 7, 31),
    ("constant", 4, 12),
    ("constant_with_warmup", 4, 12),
    ("constant_with_warmup", 0.3, 11),
]
LEARNING_RATE = 3e-4


def learning_rates(name: str, warmup: float, training_steps: int) -> tuple[int, list[float]]:
    """Resolved warm-up steps, and the rate of every update (and of two beyond the end)."""
    warmup_steps = TrainingArguments("unused", warmup_steps=warmup, use_cpu=True).get_warmup_steps(training_steps)
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=LEARNING_RATE)
    scheduler = get_scheduler(name, optimizer, num_warmup_steps=warmup_steps, num_training_steps=training_steps)
    rates = []
    for _ in range(training_steps + 2):
        rates.append(scheduler.get_last_lr()[0])
        optimizer.step()
        scheduler.step()
    return warmup_steps, rates


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("test/golden/training"))
    arguments = parser.parse_args()
    cases = []
    for name, warmup, training_steps in CASES:
        warmup_steps, rates = learning_rates(name, warmup, training_steps)
        cases.append(
            {
                "name": name,
                "warmup": warmup,
                "warmupSteps": warmup_steps,
                "trainingSteps": training_steps,
                "learningRates": rates,
            }
        )
    arguments.out.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"learningRate": LEARNING_RATE, "cases": cases}, indent=1)
    (arguments.out / "schedules.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
