"""Times training steps of PyTorch + PEFT: forward, backward, clipping and AdamW, with transformers' default (sdpa) attention.

    python reference/make_bench_model.py --job vit-base --out /tmp/bench/vit-base
    python reference/bench_step.py --job vit-base --folder /tmp/bench/vit-base --threads 2 --steps 8

Reads the folder that make_bench_model.py wrote and prints one JSON line: seconds of each step after the warm-up with their
median and minimum, medians of the parts, the losses, the peak memory (VmHWM) after the imports and after the steps, PyTorch's
sgemm rate at the job's shapes, and the seconds that the imports take in a process of their own.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from contextlib import nullcontext
from pathlib import Path

import torch
from bench_jobs import JOBS, Job, load_model, random_batch
from jobs import peak_memory_mb
from peft import PeftModel
from quiet import silence_transformers
from safetensors.torch import load_file
from torch import nn

LEARNING_RATE = 1e-3
IMPORTS = "import torch, peft; from transformers import AutoModelForImageClassification, AutoModelForSequenceClassification"


class Step:
    """One training step whose parts are timed."""

    def __init__(self, model: nn.Module, batch: dict[str, torch.Tensor], precision: str) -> None:
        self.model, self.batch, self.precision = model, batch, precision
        self.parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
        self.optimizer = torch.optim.AdamW(self.parameters, lr=LEARNING_RATE, weight_decay=0.0)

    def context(self):
        return torch.autocast("cpu", torch.bfloat16) if self.precision == "bf16" else nullcontext()

    def __call__(self) -> dict[str, float]:
        start = time.perf_counter()
        with self.context():
            loss = self.model(**self.batch).loss
        forward = time.perf_counter()
        loss.backward()
        backward = time.perf_counter()
        nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad()
        end = time.perf_counter()
        seconds = {"step": end - start, "forward": forward - start, "backward": backward - forward, "optimizer": end - backward}
        return seconds | {"loss": loss.item()}


def product_shapes(job: Job, config: object, batch: int) -> list[tuple[int, int, int, int]]:
    """(M, K, N, times in a layer) of the frozen products of one layer's forward pass."""
    tokens = job.sequence or (config.image_size // config.patch_size) ** 2 + 1
    hidden, inner = config.hidden_size, config.intermediate_size
    return [(batch * tokens, hidden, hidden, 4), (batch * tokens, hidden, inner, 1), (batch * tokens, inner, hidden, 1)]


def seconds_of_product(m: int, k: int, n: int, runs: int = 7) -> float:
    """The fastest of a few runs of x [m, k] times the transpose of w [n, k], the form that Linear layers use."""
    x, w = torch.randn(m, k), torch.randn(n, k)
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        nn.functional.linear(x, w)
        times.append(time.perf_counter() - start)
    return min(times)


def sgemm_rates(shapes: list[tuple[int, int, int, int]]) -> dict[str, float]:
    """GFLOPS of each shape, and over one layer's products together."""
    seconds = {(m, k, n): seconds_of_product(m, k, n) for m, k, n, _ in shapes}
    rates = {f"{m}x{k}x{n}": 2e-9 * m * k * n / seconds[m, k, n] for m, k, n, _ in shapes}
    work = sum(2e-9 * m * k * n * times for m, k, n, times in shapes)
    return rates | {"layer": work / sum(seconds[m, k, n] * times for m, k, n, times in shapes)}


def import_seconds() -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", IMPORTS], check=True)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--job", choices=JOBS, required=True)
    parser.add_argument("--folder", type=Path, required=True, help="what make_bench_model.py wrote")
    parser.add_argument("--precision", choices=["f32", "bf16"], default="f32")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--warm-up", type=int, default=2)
    parser.add_argument("--batch", type=int, help="rows of a random batch instead of the folder's")
    arguments = parser.parse_args()
    memory_after_imports = peak_memory_mb()
    silence_transformers(errors_only=True)
    torch.set_num_threads(arguments.threads)
    job = JOBS[arguments.job]
    base = load_model(job, job.folder or arguments.folder / "model")
    config = base.config
    model = PeftModel.from_pretrained(base, arguments.folder / "adapter", is_trainable=True).train()
    batch = load_file(arguments.folder / "batch.safetensors")
    if arguments.batch:
        batch = random_batch(job, config, arguments.batch, seed=0)
    step = Step(model, batch, arguments.precision)
    runs = [step() for _ in range(arguments.warm_up + arguments.steps)]
    measured = runs[arguments.warm_up :]
    memory = peak_memory_mb()
    medians = {part: statistics.median(run[part] for run in measured) for part in ("forward", "backward", "optimizer")}
    seconds = [run["step"] for run in measured]
    result = {
        "job": arguments.job,
        "precision": arguments.precision,
        "threads": arguments.threads,
        "batch": len(batch["labels"]),
        "stepSeconds": seconds,
        "medianSeconds": statistics.median(seconds),
        "minSeconds": min(seconds),
        "partMedianSeconds": medians,
        "losses": [run["loss"] for run in runs],
        "peakMemoryMB": memory,
        "memoryAfterImportsMB": memory_after_imports,
        "sgemmGflops": sgemm_rates(product_shapes(job, config, len(batch["labels"]))),
        "importSeconds": import_seconds(),
        "torch": torch.__version__,
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
