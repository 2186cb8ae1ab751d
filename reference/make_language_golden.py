"""Writes test/golden/training/language.json: losses and gradient norms of tiny language models (after the models).

    python reference/make_language_golden.py

Three rows of different lengths, padded on the right, of which some tokens are labelled -100; loss as the model computes it,
and with transformers' LabelSmoother; the norm of all gradients. No dropout acts.
"""

import argparse
import json
from pathlib import Path

import torch
from method_golden import made_by
from transformers import AutoModelForCausalLM
from transformers.trainer_pt_utils import LabelSmoother

MODELS = ["gpt2_lm", "llama_lm"]
LENGTHS = [11, 5, 8]
FACTORS = [0.0, 0.1]
IGNORED = -100


def rows(vocab_size: int) -> list[dict[str, list[int]]]:
    generator = torch.Generator().manual_seed(7)
    made = []
    for length in LENGTHS:
        ids = torch.randint(3, vocab_size, (length,), generator=generator)
        labels = ids.clone()
        labels[: length // 3] = IGNORED
        made.append({"inputIds": ids.tolist(), "labels": labels.tolist()})
    return made


def batch(examples: list[dict[str, list[int]]]) -> dict[str, torch.Tensor]:
    longest = max(LENGTHS)
    fill = {"input_ids": 0, "attention_mask": 0, "labels": IGNORED}
    tensors = {name: torch.full((len(examples), longest), value) for name, value in fill.items()}
    for index, row in enumerate(examples):
        length = len(row["inputIds"])
        tensors["input_ids"][index, :length] = torch.tensor(row["inputIds"])
        tensors["attention_mask"][index, :length] = 1
        tensors["labels"][index, :length] = torch.tensor(row["labels"])
    return tensors


def case(models: Path, name: str) -> dict:
    model = AutoModelForCausalLM.from_pretrained(models / name, attn_implementation="eager").eval()
    examples = rows(model.config.vocab_size)
    results = []
    for factor in FACTORS:
        tensors = batch(examples)
        outputs = model(**tensors)
        loss = outputs.loss
        if factor > 0:
            loss = LabelSmoother(epsilon=factor)(outputs, tensors["labels"], shift_labels=True)
        model.zero_grad()
        loss.backward()
        norm = torch.nn.utils.get_total_norm([p.grad for p in model.parameters() if p.grad is not None])
        results.append({"labelSmoothingFactor": factor, "loss": loss.item(), "gradNorm": norm.item()})
    return {"model": name, "rows": examples, "results": results}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=Path, default=Path("test/golden/models"))
    parser.add_argument("--out", type=Path, default=Path("test/golden/training/language.json"))
    arguments = parser.parse_args()
    cases = [case(arguments.models, name) for name in MODELS]
    arguments.out.write_text(json.dumps({"made_by": made_by(Path(__file__)), "cases": cases}) + "\n")
    for one in cases:
        print(one["model"], *[f"{result['loss']:.6f} {result['gradNorm']:.6f}" for result in one["results"]])


if __name__ == "__main__":
    main()
