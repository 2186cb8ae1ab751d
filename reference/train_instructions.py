"""Fine-tunes llama-stories260K on Alpaca's instructions with PyTorch + PEFT, as examples/instructions.yaml does with Graft.

    python reference/train_instructions.py --export --folder /tmp/instructions
    python reference/train_instructions.py --folder /tmp/instructions --seeds 0 1 2

The rows of up to 512 tokens, 100 of them held out, answers alone learnt. Prints the held-out loss before and after, and its
fall, for each seed; `--export` writes the rows as train.jsonl and heldout.jsonl, which both sides read.
"""

import argparse
import json
import time
from pathlib import Path

import torch
from jobs import DEFAULT_ASSETS
from language_jobs import IGNORED, Row, instruction_rows, instructions, language_model, padded, split_rows, stories_folder
from peft import LoraConfig, get_peft_model
from quiet import silence_transformers
from transformers import AutoTokenizer, get_linear_schedule_with_warmup

LONGEST = 512
HELD_OUT = 100
EPOCHS = 1
BATCH = 8
LEARNING_RATE = 5e-3
LORA = {
    "r": 8,
    "lora_alpha": 16,
    "target_modules": ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"],
    "task_type": "CAUSAL_LM",
}


def export(folder: Path, assets: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(stories_folder(assets))
    fitting = [row for row in instructions(assets) if instruction_rows(tokenizer, [row], LONGEST)]
    train, held_out = split_rows(fitting, HELD_OUT, seed=0)
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in {"train": train, "heldout": held_out}.items():
        lines = [json.dumps({key: row[key] for key in ("instruction", "input", "output")}) for row in rows]
        (folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n")
    print(f"{len(train)} rows to train on, {len(held_out)} held out")


def read_rows(folder: Path, name: str, assets: Path) -> list[Row]:
    tokenizer = AutoTokenizer.from_pretrained(stories_folder(assets))
    lines = (folder / f"{name}.jsonl").read_text().splitlines()
    return instruction_rows(tokenizer, [json.loads(line) for line in lines], LONGEST)


@torch.no_grad()
def held_out_loss(model: torch.nn.Module, rows: list[Row]) -> float:
    """Mean over all learnt tokens."""
    model.eval()
    total, count = 0.0, 0
    for start in range(0, len(rows), 16):
        batch = padded(rows[start : start + 16])
        learnt = int((batch["labels"][:, 1:] != IGNORED).sum())
        total += model(**batch).loss.item() * learnt
        count += learnt
    return total / count


def run(folder: Path, assets: Path, seed: int) -> dict[str, float]:
    train, held_out = read_rows(folder, "train", assets), read_rows(folder, "heldout", assets)
    torch.manual_seed(seed)
    model = get_peft_model(language_model(stories_folder(assets)), LoraConfig(**LORA))
    before = held_out_loss(model, held_out)
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=LEARNING_RATE, weight_decay=0.0)
    steps = EPOCHS * -(-len(train) // BATCH)
    schedule = get_linear_schedule_with_warmup(optimizer, 0, steps)
    start = time.perf_counter()
    for _ in range(EPOCHS):
        order = torch.randperm(len(train)).tolist()
        model.train()
        for first in range(0, len(order), BATCH):
            model(**padded([train[i] for i in order[first : first + BATCH]])).loss.backward()
            torch.nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
    seconds = time.perf_counter() - start
    after = held_out_loss(model, held_out)
    return {"seed": seed, "before": before, "after": after, "fall": before - after, "seconds": seconds}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--export", action="store_true", help="write the rows instead of training")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--assets", type=Path, default=DEFAULT_ASSETS)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    silence_transformers(errors_only=True)
    torch.set_num_threads(arguments.threads)
    if arguments.export:
        export(arguments.folder, arguments.assets)
        return
    for seed in arguments.seeds:
        print(json.dumps(run(arguments.folder, arguments.assets, seed)), flush=True)


if __name__ == "__main__":
    main()
