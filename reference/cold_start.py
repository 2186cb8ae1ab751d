"""From the start of the process to the end of the first training step, written as a user writes it; the caller times it.

    time python reference/cold_start.py --job vit-base --folder /tmp/bench/vit-base

Reads the model and the batch that make_bench_model.py wrote, makes a fresh adapter, takes one step and prints the loss.
"""

import argparse
from pathlib import Path

import torch
from bench_jobs import JOBS, load_model
from peft import LoraConfig, get_peft_model
from quiet import silence_transformers
from safetensors.torch import load_file


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--job", choices=JOBS, required=True)
    parser.add_argument("--folder", type=Path, required=True, help="what make_bench_model.py wrote")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    silence_transformers(errors_only=True)
    torch.set_num_threads(arguments.threads)
    job = JOBS[arguments.job]
    base = load_model(job, job.folder or arguments.folder / "model")
    model = get_peft_model(base, LoraConfig(**job.lora)).train()
    optimizer = torch.optim.AdamW((p for p in model.parameters() if p.requires_grad), lr=1e-3)
    loss = model(**load_file(arguments.folder / "batch.safetensors")).loss
    loss.backward()
    optimizer.step()
    print(loss.item())


if __name__ == "__main__":
    main()
