"""Small data sets as Python's `datasets` writes and reads them, for test/data/load-dataset.test.ts and the walkthrough.

    pip install datasets pillow huggingface_hub
    python reference/make_datasets_golden.py
"""

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from datasets import ClassLabel, Dataset, Features, Image, Sequence, Value, load_dataset
from PIL import Image as Pictures

out = Path(__file__).parent.parent / "test/golden/datasets"
out.mkdir(parents=True, exist_ok=True)


def stripes(at: int) -> Pictures.Image:
    """Horizontal (even rows) and vertical stripes: what random crops and mirroring leave as it is."""
    width, height = 40 + at, 48 - at
    along = np.arange(height)[:, None] if at % 2 == 0 else np.arange(width)[None, :]
    grey = np.where((along + at) % 8 < 4, 30 + at, 220 - at) * np.ones((height, width))
    return Pictures.fromarray(grey.astype(np.uint8)).convert("RGB")


features = Features({"image": Image(), "label": ClassLabel(names=["horizontal", "vertical"])})
rows = {"image": [stripes(at) for at in range(20)], "label": [at % 2 for at in range(20)]}
Dataset.from_dict(rows, features=features).to_parquet(out / "stripes.parquet")

table_features = Features(
    {
        "text": Value("string"),
        "label": ClassLabel(names=["negative", "positive"]),
        "score": Value("float32"),
        "id": Value("int64"),
        "tags": Sequence(Value("string")),
    }
)
table = Dataset.from_dict(
    {
        "text": [f"text {at} größe" for at in range(137)],
        "label": [at % 2 for at in range(137)],
        "score": [at / 8 for at in range(137)],
        "id": [2**40 + at for at in range(137)],
        "tags": [["a", "b"][: at % 3] for at in range(137)],
    },
    features=table_features,
)
table.to_parquet(out / "table-none.parquet")
written = pq.read_table(out / "table-none.parquet")  # with the note of the features
for codec in ["snappy", "zstd", "gzip", "brotli", "none"]:
    pq.write_table(written, out / f"table-{codec}.parquet", compression=codec, row_group_size=50)
indexed = {"data_page_size": 256, "write_page_index": True, "write_batch_size": 10, "use_dictionary": False}
pq.write_table(written, out / "table-indexed.parquet", **indexed)

folder = out / "splits"
folder.mkdir(exist_ok=True)
for split, count in [("train", 137), ("test", 41), ("validation", 7)]:
    (folder / f"{split}.csv").write_text("id\n" + "".join(f"{at}\n" for at in range(count)))

expressions = [
    "train", "train[:50]", "train[10:20]", "train[-5:]", "train[:-5]", "train[-10:-5]", "train[:10%]", "train[10%:20%]",
    "train[-10%:]", "train[:33%]", "train[33%:66%]", "train[50%:]", "train[:1%]", "test[:1%]", "test[1%:3%]",
    "validation[:50%]", "validation[7%:50%]", "train+test", "train[:3]+test[-2:]", "train[:10%]+test[:10%]", "all",
    "train[:1000]", "train[-1000:5]", "train[20:10]", "train[100%:]", "train[:100%]", "train[5%:15%](pct1_dropremainder)",
    "train[:7%](closest)", "train[-7%:](pct1_dropremainder)", "train[1_0:2_0]", "test[::]", "train[", "train[:101%]", "nothing",
    "train[:10](closest)", "test[:50%](pct1_dropremainder)", "train[:5%](other)", "train [:5]", "train[5]", "train + test[:2]",
]
goldens = {}
for expression in expressions:
    try:
        read = load_dataset(str(folder), split=expression)
        goldens[expression] = list(read["id"])
    except Exception as error:  # what is refused is part of the golden
        goldens[expression] = None
        print(expression, type(error).__name__, str(error)[:100])


def packed(ids):
    """Rows as runs [first, last], to keep the file small."""
    if ids is None:
        return None
    runs = []
    for each in ids:
        if runs and runs[-1][1] == each - 1:
            runs[-1][1] = each
        else:
            runs.append([each, each])
    return runs


text = ",\n".join(f"  {json.dumps(key)}: {json.dumps(packed(ids))}" for key, ids in goldens.items())
(out / "splits.json").write_text("{\n" + text + "\n}\n")
