"""Trains vit-tiny with LoRA on ten classes of Food-101, with transformers' Trainer and PEFT.

    python reference/train_food101.py --seed 0 --threads 2 --json food101-0.json

LoRA r=16, alpha 16, dropout 0.1 on query and value, classifier trained; batch 16, AdamW lr 2e-3 linear to 0, no decay, clipping
1.0, 8 epochs, no augmentation, plain resize to 224 by ViTImageProcessorPil. As usual with a dataset transform, every picture is
decoded and resized anew in every epoch; --decode once does it before the training instead (and counts the time).
"""

from pathlib import Path

import torch
from jobs import FOOD101_LORA, food101, image_model, normalise, resized_pixels, vit_processor, vit_tiny_folder
from peft import LoraConfig, get_peft_model
from quiet import silence_transformers
from torch.utils.data import Dataset
from trainer_job import parser_for, report, run, seed_everything, settings


class Pictures(Dataset):
    """Pictures that are decoded and resized on access, or all at once beforehand."""

    def __init__(self, paths: list[Path], labels: list[int], processor: object, decode_once: bool) -> None:
        self.paths, self.labels, self.processor = paths, labels, processor
        self.decoded = [resized_pixels(processor, path) for path in paths] if decode_once else None

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> dict:
        pixels = self.decoded[index] if self.decoded else resized_pixels(self.processor, self.paths[index])
        return {"pixel_values": normalise(pixels), "labels": self.labels[index]}


def collate(rows: list[dict]) -> dict[str, torch.Tensor]:
    labels = torch.tensor([row["labels"] for row in rows])
    return {"pixel_values": torch.stack([row["pixel_values"] for row in rows]), "labels": labels}


def main() -> None:
    parser = parser_for(__doc__, epochs=8)
    parser.add_argument("--decode", choices=["every-epoch", "once"], default="every-epoch")
    arguments = parser.parse_args()
    silence_transformers(errors_only=True)
    seed_everything(arguments.seed, arguments.threads)
    _, _, names = food101(arguments.assets, "train")
    base = image_model(vit_tiny_folder(arguments.assets), names)
    model = get_peft_model(base, LoraConfig(**FOOD101_LORA, lora_dropout=0.1))
    processor = vit_processor(arguments.assets)

    def pictures(split: str) -> Pictures:
        paths, labels, _ = food101(arguments.assets, split)
        rows = arguments.rows if split == "train" else None
        return Pictures(paths[:rows], labels[:rows], processor, arguments.decode == "once")

    training = settings(arguments, batch_size=16, learning_rate=2e-3)
    result = run(arguments, model, training, lambda: (pictures("train"), pictures("test")), collate)
    report(arguments, {"job": "food101", "decode": arguments.decode} | result)


if __name__ == "__main__":
    main()
