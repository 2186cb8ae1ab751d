"""The language models' jobs: Alpaca's instructions on llama-stories260K, Shakespeare on gpt2-char.

Shared by train_curve.py and train_instructions.py.
"""

import json
import random
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

IGNORED = -100
STORIES_LORA = {"target_modules": ["q_proj", "v_proj"], "task_type": "CAUSAL_LM", "r": 8, "lora_alpha": 16}
SHAKESPEARE_LORA = {
    "target_modules": ["c_attn"], "task_type": "CAUSAL_LM", "r": 4, "lora_alpha": 8, "fan_in_fan_out": True,
}
GPT2_NO_DROPOUT = {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0}
Row = tuple[list[int], list[int]]


def stories_folder(assets: Path) -> Path:
    return assets / "models" / "llama-stories260K"


def shakespeare_folder(assets: Path) -> Path:
    return assets / "models" / "gpt2-char-shakespeare"


def instructions(assets: Path) -> list[dict[str, str]]:
    """The 999 rows of Alpaca's kind, in their order."""
    return json.loads((assets / "datasets" / "instruction" / "alpaca_en_demo.json").read_text(encoding="utf-8"))


def instruction_prompt(row: dict[str, str]) -> str:
    """The words that Alpaca puts around an instruction."""
    if row["input"]:
        return (
            "Below is an instruction that describes a task, paired with an input that provides further context. Write a "
            "response that appropriately completes the request.\n\n"
            f"### Instruction:\n{row['instruction']}\n\n### Input:\n{row['input']}\n\n### Response:\n"
        )
    return (
        "Below is an instruction that describes a task. Write a response that appropriately completes the request.\n\n"
        f"### Instruction:\n{row['instruction']}\n\n### Response:\n"
    )


def instruction_rows(tokenizer: PreTrainedTokenizerBase, rows: list[dict[str, str]], longest: int) -> list[Row]:
    """Ids and labels, the answers alone learnt, of the rows that have at most so many tokens."""
    made = []
    for row in rows:
        prompt = instruction_prompt(row)
        text = prompt + row["output"] + tokenizer.eos_token
        encoded = tokenizer(text, return_offsets_mapping=True)
        if len(encoded["input_ids"]) > longest:
            continue
        labels = [
            id_ if end > len(prompt) else IGNORED
            for id_, (_, end) in zip(encoded["input_ids"], encoded["offset_mapping"], strict=True)
        ]
        made.append((encoded["input_ids"], labels))
    return made


def padded(rows: list[Row]) -> dict[str, torch.Tensor]:
    """A batch, padded on the right with token 0."""
    longest = max(len(ids) for ids, _ in rows)
    fill = {"input_ids": 0, "attention_mask": 0, "labels": IGNORED}
    batch = {name: torch.full((len(rows), longest), value) for name, value in fill.items()}
    for index, (ids, labels) in enumerate(rows):
        batch["input_ids"][index, : len(ids)] = torch.tensor(ids)
        batch["attention_mask"][index, : len(ids)] = 1
        batch["labels"][index, : len(ids)] = torch.tensor(labels)
    return batch


def stories_batches(assets: Path, picks: list[list[int]]) -> list[dict[str, torch.Tensor]]:
    """Batches of instructions up to 256 tokens, by the numbers of their rows."""
    tokenizer = AutoTokenizer.from_pretrained(stories_folder(assets))
    rows = instruction_rows(tokenizer, instructions(assets), 256)
    return [padded([rows[number % len(rows)] for number in pick]) for pick in picks]


def shakespeare_batches(assets: Path, picks: list[list[int]]) -> list[dict[str, torch.Tensor]]:
    """Batches of stretches of 96 letters; every row learns all of them."""
    text = (assets / "datasets" / "tinyshakespeare" / "input.txt").read_text(encoding="utf-8")
    tokenizer = AutoTokenizer.from_pretrained(shakespeare_folder(assets))
    batches = []
    for pick in picks:
        ids = [tokenizer(text[96 * number : 96 * (number + 1)])["input_ids"] for number in pick]
        batches.append(padded([(row, row) for row in ids]))
    return batches


def language_model(folder: Path, **overrides) -> PreTrainedModel:
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, **overrides)


def split_rows(rows: list[Row], held_out: int, seed: int) -> tuple[list[Row], list[Row]]:
    """Training rows and held-out rows, at random."""
    order = list(range(len(rows)))
    random.Random(seed).shuffle(order)
    return [rows[i] for i in order[held_out:]], [rows[i] for i in order[:held_out]]
