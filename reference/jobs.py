"""The two real jobs (vit-tiny on ten Food-101 classes, all-MiniLM-L6-v2 on SST-2): data, base models, LoRA settings.

Shared by train_curve.py, train_food101.py, train_sst2.py, bench_step.py and cold_start.py.
"""

import csv
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from transformers import AutoModelForImageClassification, AutoModelForSequenceClassification, PreTrainedModel
from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

DEFAULT_ASSETS = Path(__file__).resolve().parents[2] / "shared" / "assets"
NO_DROPOUT = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
IMAGE_LORA = {"target_modules": ["q_proj", "v_proj"], "modules_to_save": ["classifier"]}
TEXT_LORA = {"target_modules": ["query", "value"], "task_type": "SEQ_CLS"}
FOOD101_LORA = IMAGE_LORA | {"r": 16, "lora_alpha": 16}
SST2_LORA = TEXT_LORA | {"r": 8, "lora_alpha": 16}


def food101(assets: Path, split: str) -> tuple[list[Path], list[int], list[str]]:
    """Picture paths in sorted order, their labels, and the class names; split is `train` or `test`."""
    folder = assets / "datasets" / "food101-10class" / split
    names = sorted(entry.name for entry in folder.iterdir())
    paths = [path for name in names for path in sorted((folder / name).iterdir())]
    return paths, [names.index(path.parent.name) for path in paths], names


def sst2(assets: Path, split: str, rows: int | None = None) -> tuple[list[str], list[int]]:
    """The first rows of SST-2 (all without a number); split is `train` or `dev`. The file has no quoting."""
    path = assets / "datasets" / "glue" / "SST-2" / f"{split}.tsv"
    with path.open(newline="", encoding="utf-8") as file:
        table = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))[:rows]
    return [row["sentence"] for row in table], [int(row["label"]) for row in table]


def vit_processor(assets: Path) -> ViTImageProcessorPil:
    return ViTImageProcessorPil.from_pretrained(vit_tiny_folder(assets))


def resized_pixels(processor: ViTImageProcessorPil, path: Path) -> torch.Tensor:
    """One picture as uint8 [3, 224, 224]: decoded by Pillow, resized as the processor does, not yet normalised."""
    with Image.open(path) as image:
        batch = processor(image.convert("RGB"), do_rescale=False, do_normalize=False, return_tensors="np")
    return torch.from_numpy(np.asarray(batch["pixel_values"][0]).astype(np.uint8))


def normalise(pixels: torch.Tensor) -> torch.Tensor:
    """uint8 pixels to [-1, 1], as mean = std = 0.5 and a scale of 1/255 do."""
    return (pixels.float() / 255 - 0.5) / 0.5


def vit_tiny_folder(assets: Path) -> Path:
    return assets / "models" / "vit-tiny-tinyimagenet"


def minilm_folder(assets: Path) -> Path:
    return assets / "models" / "all-MiniLM-L6-v2"


def image_model(folder: Path, labels: int | list[str], **overrides) -> PreTrainedModel:
    """A ViT classifier with a head for these labels; a head of another size in the folder is replaced by a fresh one."""
    return AutoModelForImageClassification.from_pretrained(
        folder, **label_options(labels), ignore_mismatched_sizes=True, **overrides
    )


def text_model(folder: Path, labels: int = 2, **overrides) -> PreTrainedModel:
    return AutoModelForSequenceClassification.from_pretrained(folder, **label_options(labels), **overrides)


def label_options(labels: int | list[str]) -> dict:
    if isinstance(labels, int):
        return {"num_labels": labels}
    return {"id2label": dict(enumerate(labels)), "label2id": {name: index for index, name in enumerate(labels)}}


def peak_memory_mb() -> float:
    """VmHWM of this process: the most memory it ever had resident, mapped files included."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("/proc/self/status has no VmHWM line")
