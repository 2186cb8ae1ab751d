"""Writes test/golden/training/metrics.json: scikit-learn's metrics of random and of degenerate predictions.

    python reference/make_metric_golden.py --out test/golden/training
"""

import argparse
import json
import warnings
from pathlib import Path

import numpy as np
from sklearn.metrics import accuracy_score, f1_score, matthews_corrcoef


def classification(predictions: np.ndarray, references: np.ndarray) -> dict:
    averages = ["macro", "micro", "weighted"]
    if len(set(predictions) | set(references)) <= 2:
        averages.append("binary")
    return {
        "predictions": predictions.tolist(),
        "references": references.tolist(),
        "accuracy": accuracy_score(references, predictions),
        "f1": {name: f1_score(references, predictions, average=name, zero_division=0) for name in averages},
        "matthews_correlation": matthews_corrcoef(references, predictions),
    }


def regression(predictions: np.ndarray, references: np.ndarray) -> dict:
    return {
        "predictions": predictions.tolist(),
        "references": references.tolist(),
        "pearson": float(np.corrcoef(predictions, references)[0, 1]),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("test/golden/training"))
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    random = np.random.default_rng(0)

    def noisy(classes: int, rows: int) -> tuple[np.ndarray, np.ndarray]:
        references = random.integers(0, classes, rows)
        wrong = random.random(rows) < 0.3
        return np.where(wrong, random.integers(0, classes, rows), references), references

    values = random.normal(size=25)
    result = {
        "classification": [
            classification(*noisy(2, 40)),
            classification(*noisy(5, 60)),
            # One class never predicted, one never true.
            classification(np.array([0, 0, 3, 3, 1]), np.array([0, 2, 3, 2, 1])),
            classification(np.zeros(6, dtype=int), np.array([0, 1, 0, 1, 1, 0])),
            classification(np.zeros(3, dtype=int), np.zeros(3, dtype=int)),
        ],
        "regression": [
            regression(values + random.normal(size=25), values),
            regression(1000 - 2 * values, values),
        ],
    }
    arguments.out.mkdir(parents=True, exist_ok=True)
    (arguments.out / "metrics.json").write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
