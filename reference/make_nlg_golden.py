"""Scores of the E2E NLG challenge's own scripts: test/golden/nlg/e2e.json.

    python reference/make_nlg_golden.py --metrics e2e-metrics --e2e e2e-dataset.zip

--metrics: a checkout of github.com/tuetschek/e2e-metrics, with stanford-corenlp-3.4.1.jar in pycocoevalcap/tokenizer (needs Java, and the
package `future`). `examples` are the ten of its example-inputs; `development` are inputs of the challenge's development set, where the first
reference stands for an output and is scored against the others. `tokens` are texts with the words of its Penn tokeniser.
"""

import argparse
import csv
import io
import json
import sys
import zipfile
from collections import defaultdict
from pathlib import Path

OUT = Path(__file__).parent.parent / "test" / "golden" / "nlg" / "e2e.json"

parser = argparse.ArgumentParser()
parser.add_argument("--metrics", type=Path, required=True)
parser.add_argument("--e2e", type=Path, required=True)
arguments = parser.parse_args()
sys.path.insert(0, str(arguments.metrics.resolve()))

from metrics.pymteval import BLEUScore, NISTScore  # noqa: E402
from pycocoevalcap.cider.cider_scorer import CiderScorer  # noqa: E402
from pycocoevalcap.rouge.rouge import Rouge  # noqa: E402
from pycocoevalcap.tokenizer import ptbtokenizer  # noqa: E402


def penn(texts: list[str]) -> list[str]:
    by_id = ptbtokenizer.PTBTokenizer().tokenize({i: [{"caption": text}] for i, text in enumerate(texts)})
    return [by_id[i][0] for i in range(len(texts))]


def scores(examples: list[dict]) -> dict:
    bleu, nist = BLEUScore(), NISTScore()
    for one in examples:
        bleu.append(one["output"], one["references"])
        nist.append(one["output"], one["references"])
    words = penn([text for one in examples for text in (one["output"], *one["references"])])
    rouge, cider, at = [], CiderScorer(n=4, sigma=6.0), 0
    for one in examples:
        count = len(one["references"])
        output, references = words[at], words[at + 1 : at + 1 + count]
        at += 1 + count
        rouge.append(Rouge().calc_score([output], references))
        cider += (output, references)
    return {
        "bleu": bleu.score(),
        "nist": nist.score(),
        "rougeL": sum(rouge) / len(rouge),
        "cider": float(cider.compute_score()[0]),
    }


def example_inputs() -> list[dict]:
    folder = arguments.metrics / "example-inputs"
    references = [block.strip().split("\n") for block in (folder / "devel-conc.txt").read_text().strip().split("\n\n")]
    outputs = (folder / "baseline-output.txt").read_text().strip().split("\n")
    return [{"output": o, "references": r} for o, r in zip(outputs, references, strict=True)]


def development() -> list[dict]:
    by_input = defaultdict(list)
    with zipfile.ZipFile(arguments.e2e) as archive:
        name = next(n for n in archive.namelist() if n.endswith("devset.csv"))
        for row in csv.DictReader(io.TextIOWrapper(archive.open(name), "utf-8")):
            by_input[row["mr"]].append(" ".join(row["ref"].split()))
    usable = [texts for texts in by_input.values() if len(texts) > 2]
    return [{"output": texts[0], "references": texts[1:6]} for texts in usable[::7][:60]]


cases = {name: {"examples": made, "scores": scores(made)} for name, made in
         (("examples", example_inputs()), ("development", development()))}
texts = sorted({t for case in cases.values() for one in case["examples"] for t in (one["output"], *one["references"])})
tokens = dict(zip(texts, penn(texts), strict=True))
OUT.parent.mkdir(parents=True, exist_ok=True)
OUT.write_text(json.dumps({**cases, "tokens": tokens}, ensure_ascii=False, indent=0) + "\n")
print({name: case["scores"] for name, case in cases.items()}, len(tokens))
