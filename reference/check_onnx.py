"""Checks ONNX files with the official checker: structure, types and full shape inference.

    python reference/check_onnx.py model.onnx exported-folder ...

A folder stands for all .onnx files below it. Only standard operators pass: the checker does not know com.microsoft's.
Prints one JSON line a file and exits with 1 if any file fails.
"""

import argparse
import json
import sys
from pathlib import Path

import onnx


def files_of(path: Path) -> list[Path]:
    return sorted(path.rglob("*.onnx")) if path.is_dir() else [path]


def check(path: Path) -> str | None:
    """None if the file is right, else what the checker says."""
    try:
        onnx.checker.check_model(str(path), full_check=True)
        model = onnx.load(path, load_external_data=False)
        onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError, OSError) as error:
        return str(error)
    return None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paths", type=Path, nargs="+")
    files = [file for path in parser.parse_args().paths for file in files_of(path)]
    if not files:
        sys.exit("no .onnx file found")
    errors = {file: check(file) for file in files}
    for file, error in errors.items():
        print(json.dumps({"file": str(file), "ok": error is None, "error": error}))
    sys.exit(any(errors.values()))


if __name__ == "__main__":
    main()
