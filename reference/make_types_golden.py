"""Writes test/golden/peft-types.json: every method of PEFT, and the keys and defaults of its adapter_config.json.

    python reference/make_types_golden.py

`types.<peft_type>`: the object that a config with PEFT's defaults is written as; null where PEFT asks for more than defaults.
"""

import argparse
import json
import tempfile
from pathlib import Path

from method_golden import made_by, write_json
from peft import PeftType
from peft.mapping import PEFT_TYPE_TO_CONFIG_MAPPING

# What a config needs besides its defaults.
NEEDED = {"ADALORA": {"total_step": 1000}}


def written(peft_type: PeftType) -> dict | None:
    try:
        config = PEFT_TYPE_TO_CONFIG_MAPPING[peft_type](**NEEDED.get(peft_type.value, {}))
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
    with tempfile.TemporaryDirectory() as folder:
        config.save_pretrained(folder)
        return json.loads((Path(folder) / "adapter_config.json").read_text())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("test/golden/peft-types.json"))
    out = parser.parse_args().out
    write_json(out, {"types": {one.value: written(one) for one in PeftType}, "made_by": made_by(__file__, "peft")})


if __name__ == "__main__":
    main()
