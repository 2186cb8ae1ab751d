"""scikit-learn's metrics of several labels a row: test/golden/training/multi-label-metrics.json."""

import json
from pathlib import Path

import numpy as np
from sklearn.metrics import accuracy_score, f1_score

rng = np.random.default_rng(7)
cases = []
for rows, classes in [(5, 3), (20, 4), (3, 1), (8, 6)]:
    logits = rng.normal(size=(rows, classes)).astype(np.float32)
    labels = (rng.random((rows, classes)) < 0.4).astype(int)
    labels[:, -1] = 0
    predictions = (logits >= 0).astype(int)
    if classes == 6:
        logits[:, -1] = -1
        predictions[:, -1] = 0
    cases.append({
        "classes": classes,
        "logits": [float(v) for v in logits.flatten()],
        "labels": [int(v) for v in labels.flatten()],
        "accuracy": float((predictions == labels).all(axis=1).mean()),
        "f1_micro": float(f1_score(labels, predictions, average="micro", zero_division=0)) if classes > 1
        else float(f1_score(labels.ravel(), predictions.ravel(), zero_division=0)),
        "f1_macro": float(f1_score(labels, predictions, average="macro", zero_division=0)) if classes > 1
        else float(f1_score(labels.ravel(), predictions.ravel(), zero_division=0)),
    })
    if classes > 1:
        assert cases[-1]["accuracy"] == float(accuracy_score(labels, predictions))
out = Path(__file__).parent.parent / "test" / "golden" / "training" / "multi-label-metrics.json"
out.write_text(json.dumps(cases) + "\n")
