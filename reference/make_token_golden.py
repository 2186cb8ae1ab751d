"""Writes test/golden/training/seqeval.json and test/golden/data/token-alignment.json: what token classification rests on.

    python reference/make_token_golden.py

seqeval.json: precision, recall, F1 and accuracy of seqeval 1.2.2 in its default mode for forty sets of tag sequences,
many of them ill-formed. A number is null where seqeval divides by zero; `types` is empty where it raises since there are
no entities. token-alignment.json: words, cut into tokens by the tiny tokenizers, with the label of a word on its first
token and -100 on the others and on special tokens.
"""

import argparse
import json
import random
import warnings
from pathlib import Path

from method_golden import made_by
from seqeval.metrics import accuracy_score, classification_report, f1_score, precision_score, recall_score
from tokenizers import Tokenizer, pre_tokenizers

TYPES = ["PER", "LOC", "MISC-X"]
ODD_TAGS = ["B", "I", "B-", "PER", "X-PER", "E-LOC", "S-ORG", "I-ORG", "b-PER"]
Sequences = list[list[str]]

# What random sequences may miss: no entity at all, one side alone, ill-formed starts, changes of type, adjacent entities.
WRITTEN: list[tuple[Sequences, Sequences]] = [
    ([["O", "O", "O"]], [["O", "O", "O"]]),
    ([[]], [[]]),
    ([[], ["B-PER"]], [[], ["B-PER"]]),
    ([["B-PER", "I-PER", "O"]], [["O", "O", "O"]]),
    ([["O", "O", "O"]], [["B-PER", "I-PER", "O"]]),
    ([["I-PER", "I-PER", "O", "I-LOC"]], [["B-PER", "I-PER", "O", "B-LOC"]]),
    ([["B-PER", "I-LOC", "I-LOC"]], [["B-PER", "B-LOC", "I-LOC"]]),
    ([["B-PER", "B-PER", "I-PER"]], [["B-PER", "I-PER", "I-PER"]]),
    ([["B-PER", "I-PER", "E-PER", "S-LOC"]], [["B-PER", "I-PER", "I-PER", "B-LOC"]]),
    ([["S-PER", "S-PER"], ["E-LOC"]], [["B-PER", "I-PER"], ["S-LOC"]]),
    ([["B-PER", "I-PER"], ["I-PER", "O"]], [["B-PER", "I-PER"], ["B-PER", "O"]]),
    ([["B", "I", "O", "B"]], [["B", "I", "O", "O"]]),
    ([["B-PER", "O", "I-PER"]], [["B-PER", "I-PER", "I-PER"]]),
]


def random_tags(draw: random.Random, length: int, kind: str) -> list[str]:
    """Well-formed IOB2 or IOBES, or anything at all."""
    if kind == "odd":
        prefixes = [f"{prefix}-{name}" for prefix in "BIES" for name in TYPES]
        return [draw.choice([*prefixes, "O", "O", "O", *ODD_TAGS]) for _ in range(length)]
    tags: list[str] = []
    while len(tags) < length:
        if draw.random() < 0.4:
            tags.append("O")
            continue
        name, size = draw.choice(TYPES), min(draw.randint(1, 3), length - len(tags))
        entity = [f"B-{name}"] + [f"I-{name}"] * (size - 1)
        if kind == "iobes":
            entity[-1] = f"S-{name}" if size == 1 else f"E-{name}"
        tags += entity
    return tags


def disturbed(draw: random.Random, tags: list[str], kind: str) -> list[str]:
    """A prediction: each tag kept with four chances of five."""
    other = random_tags(draw, len(tags), "odd" if kind == "odd" else kind)
    return [tag if draw.random() < 0.8 else wrong for tag, wrong in zip(tags, other, strict=True)]


def cases() -> list[tuple[Sequences, Sequences]]:
    draw = random.Random(0)
    found = list(WRITTEN)
    while len(found) < 40:
        kind = ("iob2", "iobes", "odd")[len(found) % 3]
        gold = [random_tags(draw, draw.randint(1, 10), kind) for _ in range(draw.randint(1, 3))]
        found.append((gold, [disturbed(draw, tags, kind) for tags in gold]))
    return found


def number(score, gold: Sequences, predicted: Sequences) -> float | None:
    try:
        return float(score(gold, predicted))
    except ZeroDivisionError:
        return None


def by_type(gold: Sequences, predicted: Sequences) -> dict[str, dict[str, float]]:
    try:
        report = classification_report(gold, predicted, output_dict=True)
    except ValueError:
        return {}
    return {
        name: {"precision": float(row["precision"]), "recall": float(row["recall"]), "f1": float(row["f1-score"]), "number": int(row["support"])}
        for name, row in report.items()
        if not name.endswith(" avg")
    }


def seqeval_case(gold: Sequences, predicted: Sequences) -> dict:
    return {
        "gold": gold,
        "predicted": predicted,
        "precision": number(precision_score, gold, predicted),
        "recall": number(recall_score, gold, predicted),
        "f1": number(f1_score, gold, predicted),
        "accuracy": number(accuracy_score, gold, predicted),
        "types": by_type(gold, predicted),
    }


SENTENCES = [
    ["The", "cook", "tasted", "the", "soup", "in", "Zürich", "."],
    ["Monday", ",", "Tuesday", "and", "Wednesday"],
    ["Dvořák's", "piñata", "12.5", "don't", "e-mail", "unbelievable"],
    ["東京", "は", "大きい", "。"],
    ["😀", "soup", "\u200b", "good"],
    ["New", "York", "[SEP]", "</s>", "city"],
    ["supercalifragilistic", "a", "b"],
    ["one"],
    [],
]
LENGTHS = [None, 8]  # of the tokens, special ones included


def aligned(tokenizer: Tokenizer, words: list[str], length: int | None) -> dict:
    """Word k has the label k % 5. As transformers' example aligns: the first token of each word, by word_ids."""
    labels = [index % 5 for index in range(len(words))]
    if length is None:
        tokenizer.no_truncation()
    else:
        tokenizer.enable_truncation(length)
    encoded = tokenizer.encode(words, is_pretokenized=True)
    before, token_labels = None, []
    for word in encoded.word_ids:
        token_labels.append(-100 if word is None or word == before else labels[word])
        before = word
    return {
        "words": words,
        "wordLabels": labels,
        "maxLength": length,
        "ids": encoded.ids,
        "wordIds": encoded.word_ids,
        "labels": token_labels,
    }


def alignments(folder: Path) -> dict[str, list[dict]]:
    """By tokenizer; tiny-bpe also with a space before each word, as token classification with RoBERTa needs it."""
    tokenizers = {name: Tokenizer.from_file(str(folder / name / "tokenizer.json")) for name in ("tiny-wordpiece", "tiny-bpe")}
    spaced = Tokenizer.from_file(str(folder / "tiny-bpe" / "tokenizer.json"))
    spaced.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizers["tiny-bpe with add_prefix_space"] = spaced
    return {
        name: [aligned(tokenizer, words, length) for words in SENTENCES for length in LENGTHS]
        for name, tokenizer in tokenizers.items()
    }


def write(path: Path, value: dict) -> None:
    path.write_text(json.dumps(value, separators=(",", ":"), ensure_ascii=False) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--training", type=Path, default=Path("test/golden/training"))
    parser.add_argument("--data", type=Path, default=Path("test/golden/data"))
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")  # seqeval warns of odd tags and of scores without entities
    found = [seqeval_case(*case) for case in cases()]
    write(arguments.training / "seqeval.json", {"made_by": made_by(__file__, "seqeval"), "cases": found})
    alignment = {"made_by": made_by(__file__, "tokenizers"), "tokenizers": alignments(arguments.data)}
    write(arguments.data / "token-alignment.json", alignment)


if __name__ == "__main__":
    main()
