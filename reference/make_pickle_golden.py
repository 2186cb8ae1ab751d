"""Writes test/golden/pickle/*.pt with torch.save, and beside each the same tensors as safetensors.

    python reference/make_pickle_golden.py --out test/golden/pickle

Names that begin with "refused_" hold what a restricted reader must refuse; they have no safetensors beside them.
"""

import argparse
import os
import pickle
from collections import OrderedDict
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

DTYPES = ["float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "bool"]


class Runs:
    def __reduce__(self):
        return (os.system, ("touch /tmp/graft-was-here",))


def plain() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return {"layer.0.weight": torch.randn(3, 4), "layer.0.bias": torch.randn(3), "steps": torch.tensor(7)}


def every_dtype() -> dict[str, torch.Tensor]:
    values = torch.arange(-3, 3).reshape(2, 3)
    return {name: (values.abs() if name == "uint8" else values).to(getattr(torch, name)) for name in DTYPES}


def views() -> dict[str, torch.Tensor]:
    base = torch.arange(24, dtype=torch.float32).reshape(2, 3, 4)
    return {
        "base": base,
        "transposed": base.permute(2, 0, 1),
        "slice": base[:, 1:, ::2],
        "row": base[1, 2],
        "scalar": base[1, 0, 3],
        "empty": base[:0],
        "single": base[:, :1, :1],
    }


def parameters() -> OrderedDict[str, torch.Tensor]:
    torch.manual_seed(1)
    module = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.LayerNorm(2))
    state = module.state_dict(keep_vars=True)
    state["tied"] = state["0.weight"]
    return state


def main(out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    legacy = {"_use_new_zipfile_serialization": False}
    cases = {
        "plain": (plain(), {}),
        "every_dtype": (every_dtype(), {}),
        "views": (views(), {}),
        "parameters": (parameters(), {}),
        "protocol4": (plain(), {"pickle_protocol": 4}),
        "legacy": (plain(), legacy),
        "legacy_views": (views(), legacy),
    }
    for name, (tensors, options) in cases.items():
        torch.save(tensors, out / f"{name}.pt", **options)
        save_file({key: tensor.detach().clone().contiguous() for key, tensor in tensors.items()}, out / f"{name}.safetensors")
    torch.save({"epoch": 3, "model_state_dict": plain()}, out / "wrapped.pt")
    save_file(plain(), out / "wrapped.safetensors")

    refused = {
        "refused_call": {"weight": torch.zeros(2), "evil": Runs()},
        "refused_numpy": {"weight": np.zeros(2, dtype=np.float32)},
        "refused_class": {"weight": torch.zeros(2), "args": Fraction(1, 3)},
        "refused_tensor": torch.zeros(2),
        "refused_expanded": {"weight": torch.zeros(1).expand(1_000_000_000)},
        "refused_complex": {"weight": torch.zeros(2, dtype=torch.complex64)},
        "refused_float8": {"weight": torch.zeros(2).to(torch.float8_e4m3fn)},
        "refused_module": torch.nn.Linear(2, 2),
    }
    for name, value in refused.items():
        torch.save(value, out / f"{name}.pt")
    (out / "refused_plain_pickle.pt").write_bytes(pickle.dumps({"weight": [1.0, 2.0]}, protocol=2))
    (out / "refused_protocol0.pt").write_bytes(pickle.dumps({"weight": [1.0, 2.0]}, protocol=0))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    main(parser.parse_args().out)
