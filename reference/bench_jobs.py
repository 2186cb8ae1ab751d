"""The four jobs of the speed benchmark: model shapes, LoRA settings and batches, with no dropout anywhere.

Shared by make_bench_model.py, bench_step.py and cold_start.py.
"""

from dataclasses import dataclass
from pathlib import Path

import torch
from jobs import DEFAULT_ASSETS, IMAGE_LORA, NO_DROPOUT, TEXT_LORA, image_model, minilm_folder, text_model, vit_tiny_folder
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    PreTrainedModel,
    ViTConfig,
    ViTForImageClassification,
)


@dataclass(frozen=True)
class Job:
    """One benchmark job; sequence 0 means pictures. folder: None for a random model that make_bench_model.py writes."""

    batch: int
    sequence: int
    labels: int
    lora: dict
    folder: Path | None = None


JOBS = {
    "vit-base": Job(8, 0, 101, IMAGE_LORA | {"r": 16, "lora_alpha": 16}),
    "bert-base": Job(8, 128, 2, TEXT_LORA | {"r": 8, "lora_alpha": 16}),
    "vit-tiny": Job(16, 0, 10, IMAGE_LORA | {"r": 16, "lora_alpha": 16}, vit_tiny_folder(DEFAULT_ASSETS)),
    "minilm": Job(32, 32, 2, TEXT_LORA | {"r": 8, "lora_alpha": 16}, minilm_folder(DEFAULT_ASSETS)),
}


def random_model(job: Job, seed: int) -> PreTrainedModel:
    """ViT-B/16 or BERT-base with transformers' own initialisation."""
    torch.manual_seed(seed)
    if job.sequence == 0:
        return ViTForImageClassification(ViTConfig(num_labels=job.labels, **NO_DROPOUT))
    return BertForSequenceClassification(BertConfig(num_labels=job.labels, **NO_DROPOUT))


def load_model(job: Job, folder: Path) -> PreTrainedModel:
    load = text_model if job.sequence else image_model
    return load(folder, job.labels, **NO_DROPOUT)


def random_batch(job: Job, config: object, batch: int, seed: int) -> dict[str, torch.Tensor]:
    """Normal pixels, or random token ids without padding."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, job.labels, (batch,), generator=generator)
    if job.sequence == 0:
        shape = (batch, config.num_channels, config.image_size, config.image_size)
        return {"pixel_values": torch.randn(shape, generator=generator), "labels": labels}
    input_ids = torch.randint(1000, config.vocab_size, (batch, job.sequence), generator=generator)
    return {"input_ids": input_ids, "attention_mask": torch.ones_like(input_ids), "labels": labels}
