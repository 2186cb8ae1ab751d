"""Writes test/golden/safetensors/*: files as the Python package `safetensors` lays them out.

    python reference/make_safetensors_golden.py

values.json repeats every element as text, so that reading is checked apart from writing.
"""

import json
import pathlib

import torch
from safetensors.torch import save_file

folder = pathlib.Path(__file__).resolve().parent.parent / "test" / "golden" / "safetensors"
folder.mkdir(parents=True, exist_ok=True)

DTYPES = {
    "float64": torch.float64,
    "float32": torch.float32,
    "float16": torch.float16,
    "bfloat16": torch.bfloat16,
    "int64": torch.int64,
    "int32": torch.int32,
    "int16": torch.int16,
    "int8": torch.int8,
    "uint8": torch.uint8,
    "bool": torch.bool,
}


def every_dtype():
    """Two tensors a dtype, odd lengths, names that do not sort like the dtypes."""
    tensors = {}
    for position, (name, dtype) in enumerate(DTYPES.items()):
        if dtype == torch.bool:
            first = torch.tensor([True, False, True])
        elif dtype == torch.uint8:
            first = torch.tensor([0, 128, 255], dtype=dtype)
        elif dtype.is_floating_point:
            first = torch.tensor([1.5, -0.333251953125, 6.103515625e-05], dtype=dtype)
        else:
            first = torch.tensor([torch.iinfo(dtype).min, -1, torch.iinfo(dtype).max], dtype=dtype)
        tensors[f"{chr(ord('z') - position)}.{name}"] = first
        tensors[f"{chr(ord('a') + position)}.{name}.matrix"] = torch.arange(position, position + 6).reshape(2, 3).to(dtype)
    return tensors


FILES = {
    "every_dtype": (every_dtype(), {"format": "pt"}),
    "shapes": (
        {"scalar": torch.tensor(3.25), "empty": torch.zeros(0, 4), "deep": torch.arange(24.0).reshape(1, 2, 3, 4)},
        None,
    ),
    "names": (
        {
            name: torch.tensor([float(i)])
            for i, name in enumerate(["b", "a.10", "a.9", "B", "é", "\uffee", "\U0001f600", 'quote"back\\slash', "tab\tx\u0001\u007f"])
        },
        {"note": 'é "quoted"\n\u0001'},
    ),
    "no_tensors": ({}, {"format": "pt"}),
}

values = {}
for file, (tensors, metadata) in FILES.items():
    save_file(tensors, folder / f"{file}.safetensors", metadata=metadata)
    values[file] = {
        "metadata": metadata or {},
        "tensors": {
            name: {
                "dtype": str(tensor.dtype).removeprefix("torch."),
                "shape": list(tensor.shape),
                "values": [str(value) for value in tensor.flatten().tolist()],
            }
            for name, tensor in tensors.items()
        },
    }
(folder / "values.json").write_text(json.dumps(values, indent=1) + "\n")
