"""Trains all-MiniLM-L6-v2 with LoRA on SST-2, with transformers' Trainer and PEFT.

    python reference/train_sst2.py --rows 8000 --group-by-length --seed 0 --threads 2 --json sst2-0.json

LoRA r=8, alpha 16 on query and value, no LoRA dropout (the model's own 0.1 is on), classifier trained; batch 32, AdamW lr 1e-3
linear to 0, clipping 1.0, one pass. Batches are padded to their longest row. Without --rows all 67,349 rows are used; the
evaluation always takes the whole dev set.
"""

from pathlib import Path

from jobs import SST2_LORA, minilm_folder, sst2, text_model
from peft import LoraConfig, get_peft_model
from quiet import silence_transformers
from trainer_job import parser_for, report, run, seed_everything, settings
from transformers import AutoTokenizer, DataCollatorWithPadding


def encoded(tokenizer: object, assets: Path, split: str, rows: int | None) -> list[dict]:
    sentences, labels = sst2(assets, split, rows)
    encodings = tokenizer(sentences, truncation=True, max_length=128)
    columns = [encodings[name] for name in encodings]
    return [dict(zip(encodings, row, strict=True)) | {"labels": label} for *row, label in zip(*columns, labels, strict=True)]


def main() -> None:
    parser = parser_for(__doc__, epochs=1)
    parser.add_argument("--group-by-length", action="store_true", help="batches of rows of similar length")
    arguments = parser.parse_args()
    silence_transformers(errors_only=True)
    seed_everything(arguments.seed, arguments.threads)
    folder = minilm_folder(arguments.assets)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = get_peft_model(text_model(folder), LoraConfig(**SST2_LORA))

    def make_data() -> tuple[list[dict], list[dict]]:
        return encoded(tokenizer, arguments.assets, "train", arguments.rows), encoded(tokenizer, arguments.assets, "dev", None)

    sampling = "group_by_length" if arguments.group_by_length else "random"
    training = settings(arguments, batch_size=32, learning_rate=1e-3, train_sampling_strategy=sampling)
    result = run(arguments, model, training, make_data, DataCollatorWithPadding(tokenizer))
    report(arguments, {"job": "sst2", "groupByLength": arguments.group_by_length} | result)


if __name__ == "__main__":
    main()
