"""Fifty training steps of PyTorch + PEFT on exported batches, for a step-by-step comparison of losses.

Export the batches and the initial adapter once (120 MB for vit-tiny; keep the folder outside the repository):

    python reference/train_curve.py --export --job vit-tiny --folder /tmp/curve/vit-tiny
    python reference/train_curve.py --export --job minilm --folder /tmp/curve/minilm
    python reference/train_curve.py --export --job stories260k --folder /tmp/curve/stories260k
    python reference/train_curve.py --export --job gpt2-char --folder /tmp/curve/gpt2-char

Then train from them, with any number of threads:

    python reference/train_curve.py --folder /tmp/curve/vit-tiny --threads 2 --json losses.json

The folder's layout is in reference/README.md.
"""

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from jobs import (
    DEFAULT_ASSETS,
    FOOD101_LORA,
    NO_DROPOUT,
    SST2_LORA,
    food101,
    image_model,
    minilm_folder,
    normalise,
    resized_pixels,
    sst2,
    text_model,
    vit_processor,
    vit_tiny_folder,
)
from language_jobs import (
    GPT2_NO_DROPOUT,
    SHAKESPEARE_LORA,
    STORIES_LORA,
    language_model,
    shakespeare_batches,
    shakespeare_folder,
    stories_batches,
    stories_folder,
)
from peft import LoraConfig, PeftModel, get_peft_model
from quiet import silence_transformers
from safetensors import safe_open
from safetensors.torch import save_file
from transformers import AutoTokenizer

STEPS = 50
LEARNING_RATE = 1e-3
MAX_GRAD_NORM = 1.0
Tensors = dict[str, torch.Tensor]


def batch_rows(count: int, batch_size: int, seed: int) -> list[list[int]]:
    """Row numbers of each step's batch: permutations of all rows, one after another."""
    generator = torch.Generator().manual_seed(seed)
    passes = -(-STEPS * batch_size // count)
    order = torch.cat([torch.randperm(count, generator=generator) for _ in range(passes)]).tolist()
    return [order[step * batch_size : (step + 1) * batch_size] for step in range(STEPS)]


def image_batches(assets: Path, seed: int) -> list[Tensors]:
    paths, labels, _ = food101(assets, "train")
    processor = vit_processor(assets)
    pixels = torch.stack([resized_pixels(processor, path) for path in paths])
    label_tensor = torch.tensor(labels)
    return [{"pixels": pixels[rows], "labels": label_tensor[rows]} for rows in batch_rows(len(paths), 16, seed)]


def text_batches(assets: Path, seed: int) -> list[Tensors]:
    sentences, labels = sst2(assets, "train")
    tokenizer = AutoTokenizer.from_pretrained(minilm_folder(assets))
    batches = []
    for rows in batch_rows(len(sentences), 32, seed):
        texts = [sentences[row] for row in rows]
        encoded = tokenizer(texts, padding="longest", truncation=True, max_length=128, return_tensors="pt")
        batches.append({**encoded, "labels": torch.tensor([labels[row] for row in rows])})
    return batches


@dataclass(frozen=True)
class Job:
    """The base model without any dropout (what a classifier's head holds does not matter, the adapter brings its own)."""

    folder: Callable[[Path], Path]
    batches: Callable[[Path, int], list[Tensors]]
    model: Callable[[Path], torch.nn.Module]
    lora: dict


JOBS = {
    "vit-tiny": Job(vit_tiny_folder, image_batches, lambda folder: image_model(folder, 10, **NO_DROPOUT), FOOD101_LORA),
    "minilm": Job(
        minilm_folder, text_batches, lambda folder: text_model(folder, 2, classifier_dropout=0.0, **NO_DROPOUT), SST2_LORA
    ),
    "stories260k": Job(
        stories_folder, lambda assets, seed: stories_batches(assets, batch_rows(500, 8, seed)), language_model, STORIES_LORA
    ),
    "gpt2-char": Job(
        shakespeare_folder,
        lambda assets, seed: shakespeare_batches(assets, batch_rows(5000, 8, seed)),
        lambda folder: language_model(folder, **GPT2_NO_DROPOUT),
        SHAKESPEARE_LORA,
    ),
}


def export(job: str, folder: Path, assets: Path, seed: int) -> None:
    """Writes batches.safetensors, adapter/ and curve.json."""
    base = JOBS[job].folder(assets)
    batches = JOBS[job].batches(assets, seed)
    folder.mkdir(parents=True, exist_ok=True)
    named = {f"step_{step:02}.{name}": tensor for step, batch in enumerate(batches) for name, tensor in batch.items()}
    save_file(named, folder / "batches.safetensors")
    torch.manual_seed(seed)
    adapted = get_peft_model(JOBS[job].model(base), LoraConfig(**JOBS[job].lora))
    adapted.save_pretrained(folder / "adapter")
    settings = {
        "job": job,
        "modelFolder": str(base),
        "numLabels": getattr(adapted.config, "num_labels", 0),
        "steps": STEPS,
        "learningRate": LEARNING_RATE,
        "maxGradNorm": MAX_GRAD_NORM,
    }
    (folder / "curve.json").write_text(json.dumps(settings, indent=2) + "\n")


def read_batch(file, step: int) -> Tensors:
    """One step's inputs for the model; pictures are stored as uint8 and normalised here."""
    prefix = f"step_{step:02}."
    batch = {key.removeprefix(prefix): file.get_tensor(key) for key in file.keys() if key.startswith(prefix)}
    if "pixels" in batch:
        batch["pixel_values"] = normalise(batch.pop("pixels"))
    return batch


def train(folder: Path, settings: dict) -> tuple[list[float], list[float]]:
    """Loss and global gradient norm (before clipping) of each step."""
    base = JOBS[settings["job"]].model(Path(settings["modelFolder"]))
    model = PeftModel.from_pretrained(base, folder / "adapter", is_trainable=True).train()
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=settings["learningRate"], weight_decay=0.0)
    losses, norms = [], []
    with safe_open(folder / "batches.safetensors", "pt") as file:
        for step in range(settings["steps"]):
            loss = model(**read_batch(file, step)).loss
            loss.backward()
            norms.append(torch.nn.utils.clip_grad_norm_(parameters, settings["maxGradNorm"]).item())
            optimizer.step()
            optimizer.zero_grad()
            losses.append(loss.item())
    return losses, norms


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--export", action="store_true", help="write the folder instead of training from it")
    parser.add_argument("--job", choices=list(JOBS), help="which job to export")
    parser.add_argument("--assets", type=Path, default=DEFAULT_ASSETS)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path, help="where the losses go; standard output without it")
    arguments = parser.parse_args()
    silence_transformers(errors_only=True)
    torch.set_num_threads(arguments.threads)
    if arguments.export:
        if arguments.job is None:
            parser.error("--export needs --job")
        export(arguments.job, arguments.folder, arguments.assets, arguments.seed)
        return
    settings = json.loads((arguments.folder / "curve.json").read_text())
    losses, norms = train(arguments.folder, settings)
    text = json.dumps({"job": settings["job"], "threads": arguments.threads, "losses": losses, "gradNorms": norms})
    if arguments.json:
        arguments.json.write_text(text + "\n")
    else:
        print(text)


if __name__ == "__main__":
    main()
