"""Writes what both sides of a benchmark read: the base model, the initial adapter and the batch.

    python reference/make_bench_model.py --job vit-base --out /tmp/bench/vit-base

Into the folder go adapter/ (as PEFT saves it, lora_B zero), batch.safetensors, and, for vit-base and bert-base, model/ with random
weights (346 and 438 MB: keep the folder outside the repository). vit-tiny and minilm have their weights in the assets.
"""

import argparse
from pathlib import Path

import torch
from bench_jobs import JOBS, load_model, random_batch, random_model
from peft import LoraConfig, get_peft_model
from quiet import silence_transformers
from safetensors.torch import save_file


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--job", choices=JOBS, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    silence_transformers(errors_only=True)
    job = JOBS[arguments.job]
    model = load_model(job, job.folder) if job.folder else random_model(job, arguments.seed)
    if job.folder is None:
        model.save_pretrained(arguments.out / "model")
        model.name_or_path = str(arguments.out / "model")
    torch.manual_seed(arguments.seed)
    batch = random_batch(job, model.config, job.batch, arguments.seed)
    get_peft_model(model, LoraConfig(**job.lora)).save_pretrained(arguments.out / "adapter")
    save_file(batch, arguments.out / "batch.safetensors")


if __name__ == "__main__":
    main()
