"""Writes test/golden/data/length-groups.json: the orders that transformers' group_by_length makes of known shuffles."""

import json
from pathlib import Path

import torch
from transformers.trainer_pt_utils import get_length_grouped_indices

OUT = Path(__file__).parent.parent / "test/golden/data/length-groups.json"
cases = []
for seed, (rows, batch) in enumerate([(5, 2), (37, 2), (120, 4), (700, 3), (31, 32)]):
    lengths = torch.randint(1, 40, (rows,), generator=torch.Generator().manual_seed(100 + seed)).tolist()
    shuffle = torch.randperm(rows, generator=torch.Generator().manual_seed(seed)).tolist()
    grouped = get_length_grouped_indices(lengths, batch, generator=torch.Generator().manual_seed(seed))
    cases.append({"batchSize": batch, "lengths": lengths, "shuffle": shuffle, "grouped": [int(i) for i in grouped]})
OUT.write_text(json.dumps(cases, separators=(",", ":")) + "\n")
print(OUT.stat().st_size, "bytes")
