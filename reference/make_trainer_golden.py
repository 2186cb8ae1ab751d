"""Writes test/golden/training/trainer.json: what transformers' Trainer does with many combinations of arguments.

    python reference/make_trainer_golden.py --out test/golden/training

Full fine-tuning of test/golden/models/bert_seqcls without dropout, on made-up rows in their own order. Each case holds its
arguments and what came of them: the log (learning rate and losses included, times left out), the checkpoint folders that
are left, the best one, updates and epochs. Cases that accumulate batches hold no losses: for BERT transformers adds the
batches' means up, so that its losses grow with their number.
"""

import argparse
import json
import tempfile
from pathlib import Path

import torch
from quiet import silence_transformers
from transformers import AutoConfig, AutoModelForSequenceClassification, Trainer, TrainingArguments

MODEL = "test/golden/models/bert_seqcls"
SCORED = {"eval_strategy": "epoch", "save_strategy": "epoch", "metric_for_best_model": "score"}
EACH_STEP = {"eval_strategy": "steps", "eval_steps": 1}
QUIET = {"save_strategy": "no", "logging_steps": 1}

# name: (arguments, rows, the evaluations' scores in turn)
CASES = {
    "best by loss": ({"num_train_epochs": 2, "eval_strategy": "steps", "eval_steps": 2, "save_steps": 4, "load_best_model_at_end": True, "logging_steps": 1}, 20, None),
    "one checkpoint, the best earlier": ({**SCORED, "num_train_epochs": 4, "save_total_limit": 1, "load_best_model_at_end": True}, 20, [0.5, 0.9, 0.7, 0.8]),
    "two checkpoints, less is better": ({**SCORED, "num_train_epochs": 4, "save_total_limit": 2, "metric_for_best_model": "eval_score", "greater_is_better": False}, 20, [0.5, 0.2, 0.7, 0.8]),
    "one checkpoint, the first is the best": ({**EACH_STEP, "num_train_epochs": 1, "save_steps": 1, "save_total_limit": 1, "load_best_model_at_end": True, "metric_for_best_model": "score"}, 20, [0.9, 0.1, 0.2, 0.3, 0.4]),
    "saving the best": ({**EACH_STEP, "num_train_epochs": 1, "save_strategy": "best", "metric_for_best_model": "score", "load_best_model_at_end": True}, 20, [0.5, 0.4, 0.7, 0.7, 0.6]),
    "saving the best, one of them": ({**EACH_STEP, "num_train_epochs": 1, "save_strategy": "best", "metric_for_best_model": "score", "save_total_limit": 1}, 20, [0.5, 0.6, 0.7, 0.8, 0.1]),
    "checkpoints between evaluations": ({"num_train_epochs": 2, "eval_strategy": "steps", "eval_steps": 3, "save_steps": 2, "metric_for_best_model": "score"}, 20, [0.5, 0.6, 0.4, 0.8]),
    "two of ten checkpoints": ({"num_train_epochs": 2, "save_steps": 1, "save_total_limit": 2}, 20, None),
    "max_steps, logging every third": ({"max_steps": 7, "logging_steps": 3, "logging_first_step": True, "save_strategy": "no"}, 20, None),
    "max_steps within an epoch": ({"max_steps": 8, "eval_strategy": "epoch", "save_strategy": "epoch", "logging_steps": 100}, 20, None),
    "max_steps before epochs": ({"max_steps": 3, "num_train_epochs": 10, "eval_strategy": "steps", "eval_steps": 2, "save_steps": 2}, 20, None),
    "accumulation, a short last group": ({"num_train_epochs": 2, "gradient_accumulation_steps": 2, "logging_steps": 1, "eval_strategy": "epoch", "save_strategy": "epoch"}, 20, None),
    "accumulation, last batch dropped": ({**QUIET, "num_train_epochs": 2, "gradient_accumulation_steps": 3, "dataloader_drop_last": True}, 22, None),
    "accumulation over more than an epoch": ({**QUIET, "num_train_epochs": 2, "gradient_accumulation_steps": 8}, 20, None),
    "accumulation, epochs in part": ({**QUIET, "num_train_epochs": 2.3, "gradient_accumulation_steps": 2}, 20, None),
    "last batch dropped": ({**QUIET, "num_train_epochs": 2, "dataloader_drop_last": True}, 22, None),
    "one and a half epochs": ({"num_train_epochs": 1.5, "logging_steps": 1, "eval_strategy": "epoch", "save_strategy": "epoch"}, 20, None),
    "half an epoch": ({"num_train_epochs": 0.5, "logging_steps": 1, "eval_strategy": "epoch", "save_strategy": "epoch"}, 20, None),
    "warm-up steps": ({**QUIET, "num_train_epochs": 2, "warmup_steps": 3}, 20, None),
    "warm-up as a share, cosine": ({**QUIET, "num_train_epochs": 2, "warmup_steps": 0.25, "lr_scheduler_type": "cosine"}, 20, None),
    "warm-up, constant": ({**QUIET, "num_train_epochs": 1, "warmup_steps": 2, "lr_scheduler_type": "constant_with_warmup"}, 20, None),
    "intervals as shares": ({"num_train_epochs": 2, "eval_strategy": "steps", "eval_steps": 0.3, "logging_steps": 0.25, "save_steps": 0.5}, 20, None),
    "logging by epoch": ({"num_train_epochs": 2, "logging_strategy": "epoch", "save_strategy": "no"}, 20, None),
    "no logging, evaluation by epoch": ({"num_train_epochs": 1, "logging_strategy": "no", "save_strategy": "no", "eval_strategy": "epoch"}, 20, None),
    "evaluation at logging steps": ({"num_train_epochs": 1, "eval_strategy": "steps", "logging_steps": 2, "save_strategy": "no"}, 20, None),
    "SGD with decay": ({**QUIET, "num_train_epochs": 1, "optim": "sgd", "weight_decay": 0.1}, 20, None),
    "no clipping": ({**QUIET, "num_train_epochs": 1, "max_grad_norm": 0.0}, 20, None),
    "fewer rows than a batch": ({"num_train_epochs": 3, "logging_steps": 1, "save_strategy": "epoch"}, 3, None),
}


def made_up_rows(count: int, offset: int = 0) -> list[dict]:
    """The rows of tinyTextDataset in test/training/tiny.ts."""
    rows = []
    for row in range(offset, offset + count):
        ids = [4 + (row + 7 * i) % 60 for i in range(3 + row % 4)]
        rows.append({"input_ids": ids, "labels": ids[0] % 3})
    return rows


def collate(rows: list[dict]) -> dict[str, torch.Tensor]:
    width = max(len(row["input_ids"]) for row in rows)
    padded = [row["input_ids"] + [0] * (width - len(row["input_ids"])) for row in rows]
    masks = [[1] * len(row["input_ids"]) + [0] * (width - len(row["input_ids"])) for row in rows]
    return {"input_ids": torch.tensor(padded), "attention_mask": torch.tensor(masks), "labels": torch.tensor([row["labels"] for row in rows])}


def is_pace(key: str) -> bool:
    return key.endswith(("_runtime", "_per_second", "_flos"))


def run(arguments: dict, rows: int, scores: list[float] | None) -> dict:
    config = AutoConfig.from_pretrained(MODEL, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    left = list(scores or [])
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(
            model=AutoModelForSequenceClassification.from_pretrained(MODEL, config=config),
            args=TrainingArguments(
                output_dir=folder,
                per_device_train_batch_size=4,
                per_device_eval_batch_size=4,
                learning_rate=1e-3,
                train_sampling_strategy="sequential",
                report_to=[],
                disable_tqdm=True,
                use_cpu=True,
                **arguments,
            ),
            train_dataset=made_up_rows(rows),
            eval_dataset=made_up_rows(10, 100),
            data_collator=collate,
            compute_metrics=(lambda _: {"score": left.pop(0)}) if scores else None,
        )
        trainer.train()
        state = trainer.state
        hidden = {"loss", "grad_norm", "train_loss", "eval_loss"} if "gradient_accumulation_steps" in arguments else set()
        best = state.best_model_checkpoint
        return {
            "log": [{key: value for key, value in entry.items() if not is_pace(key) and key not in hidden} for entry in state.log_history],
            "checkpoints": sorted(path.name for path in Path(folder).glob("checkpoint-*")),
            "best": {"checkpoint": best and Path(best).name, "metric": state.best_metric, "step": state.best_global_step},
            "globalStep": state.global_step,
            "maxSteps": state.max_steps,
            "epoch": state.epoch,
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    out = parser.parse_args().out
    silence_transformers()
    torch.set_num_threads(1)
    cases = [{"name": name, "args": args, "rows": rows, "scores": scores, **run(args, rows, scores)} for name, (args, rows, scores) in CASES.items()]
    (out / "trainer.json").write_text(json.dumps(cases, indent=1) + "\n")


if __name__ == "__main__":
    main()
