"""What train_food101.py and train_sst2.py share: the Trainer's settings and the report."""

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from jobs import DEFAULT_ASSETS, peak_memory_mb
from peft import PeftModel
from torch.utils.data import Dataset
from transformers import EvalPrediction, PrinterCallback, Trainer, TrainingArguments


def parser_for(doc: str, epochs: int) -> argparse.ArgumentParser:
    """The flags that both jobs have."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--assets", type=Path, default=DEFAULT_ASSETS)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--epochs", type=float, default=epochs)
    parser.add_argument("--max-steps", type=int, default=-1, help="stop early, to see that the script runs")
    parser.add_argument("--rows", type=int, help="only the first rows of the training set")
    parser.add_argument("--json", type=Path, help="where the result goes; standard output without it")
    return parser


def accuracy(prediction: EvalPrediction) -> dict[str, float]:
    return {"accuracy": float((prediction.predictions.argmax(-1) == prediction.label_ids).mean())}


def settings(arguments: argparse.Namespace, batch_size: int, learning_rate: float, **overrides) -> TrainingArguments:
    """AdamW (the Trainer's default, fused), linear schedule to zero, no weight decay, clipping 1.0; nothing saved or logged."""
    return TrainingArguments(
        output_dir=tempfile.mkdtemp(prefix="graft-reference-"),
        per_device_train_batch_size=batch_size,
        per_device_eval_batch_size=batch_size,
        learning_rate=learning_rate,
        lr_scheduler_type="linear",
        weight_decay=0.0,
        max_grad_norm=1.0,
        num_train_epochs=arguments.epochs,
        max_steps=arguments.max_steps,
        seed=arguments.seed,
        use_cpu=True,
        label_names=["labels"],
        remove_unused_columns=False,
        save_strategy="no",
        logging_strategy="no",
        report_to="none",
        disable_tqdm=True,
        **overrides,
    )


def run(
    arguments: argparse.Namespace,
    model: PeftModel,
    training: TrainingArguments,
    make_data: Callable[[], tuple[Dataset, Dataset]],
    collate: Callable,
) -> dict:
    """Prepares the data, trains and evaluates. trainSeconds covers the preparation of the data and the training."""
    start = time.perf_counter()
    train_data, eval_data = make_data()
    prepared = time.perf_counter()
    trainer = Trainer(
        model, training, train_dataset=train_data, eval_dataset=eval_data, data_collator=collate, compute_metrics=accuracy
    )
    trainer.remove_callback(PrinterCallback)
    outcome = trainer.train()
    trained = time.perf_counter()
    evaluation = trainer.evaluate()
    epochs = trainer.state.epoch
    return {
        "accuracy": evaluation["eval_accuracy"],
        "evalLoss": evaluation["eval_loss"],
        "trainLoss": outcome.training_loss,
        "trainSeconds": trained - start,
        "dataSeconds": prepared - start,
        "secondsPerEpoch": (trained - prepared) / epochs if epochs else None,
        "steps": outcome.global_step,
        "epochs": epochs,
        "evalSeconds": evaluation["eval_runtime"],
        "peakMemoryMB": peak_memory_mb(),
        "trainableParameters": model.get_nb_trainable_parameters()[0],
        "seed": arguments.seed,
        "threads": arguments.threads,
        "trainRows": len(train_data),
        "evalRows": len(eval_data),
    }


def report(arguments: argparse.Namespace, result: dict) -> None:
    text = json.dumps(result)
    if arguments.json:
        arguments.json.write_text(text + "\n")
    else:
        print(text)


def seed_everything(seed: int, threads: int) -> None:
    """The adapter and the fresh head depend on the seed too, so it is set before the model exists."""
    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    np.random.seed(seed)
