"""Writes test/golden/generation/<name>.json: what transformers generates, and what its processors make of logits.

    python reference/make_generation_golden.py --models test/golden/models --assets ../shared/assets/models

Each file holds cases: options in transformers' spelling, prompts (padded on the left), the sequences, and the scores that
beams have. processors.json holds logits, tokens, and what each processor leaves of them ("-inf" as null).
"""

import argparse
import importlib.metadata
import json
from pathlib import Path

import torch
from peft import PeftModel
from quiet import silence_transformers
from transformers import AutoModelForCausalLM, PreTrainedModel
from transformers.generation.logits_process import (
    LogitsProcessor,
    MinPLogitsWarper,
    NoRepeatNGramLogitsProcessor,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

TINY = [
    "gpt2_lm",
    "gpt2_untied",
    "llama_lm",
    "llama_smol",
    "llama_linear",
    "llama_yarn",
    "llama_llama3",
    "mistral_lm",
    "qwen2_lm",
    "qwen3_lm",
]
ASSETS = ["gpt2-char-shakespeare", "llama-stories260K"]
ADAPTERS = ["gpt2_lora", "gpt2_prompt", "gpt2_prefix", "llama_lora", "llama_prompt", "llama_prefix", "llama_p_tuning"]

OPTIONS = {
    "greedy": {"max_new_tokens": 12},
    "repetition penalty": {"max_new_tokens": 10, "repetition_penalty": 1.3},
    "no repeated pair": {"max_new_tokens": 10, "no_repeat_ngram_size": 2},
    "least length": {"max_new_tokens": 10, "min_new_tokens": 6},
    "several ends": {"max_new_tokens": 12, "eos_token_id": [2, 5, 9, 11, 20]},
    "beams": {"max_new_tokens": 8, "num_beams": 3},
    "beams of the paper": {"max_new_tokens": 10, "num_beams": 10, "length_penalty": 0.9, "no_repeat_ngram_size": 4},
    "beams stopped early": {
        "max_new_tokens": 10,
        "num_beams": 4,
        "early_stopping": True,
        "num_return_sequences": 2,
        "eos_token_id": [2, 5, 9, 11, 20],
    },
    "beams never stopped": {
        "max_new_tokens": 8,
        "num_beams": 3,
        "early_stopping": "never",
        "length_penalty": 2.0,
        "eos_token_id": [2, 7],
    },
}


def prompts(vocab_size: int, pad: int, rows: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The first row is full; each further one has two tokens of padding more on the left."""
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(12 if vocab_size > 12 else 4, vocab_size, (rows, 6), generator=generator)
    mask = torch.ones_like(ids)
    for row in range(rows):
        mask[row, : 2 * row] = 0
    ids[mask == 0] = pad
    return ids, mask


def case(model: PreTrainedModel, name: str, options: dict, rows: int, more: dict) -> dict:
    pad = model.config.pad_token_id if model.config.pad_token_id is not None else 0
    ids, mask = prompts(model.config.vocab_size, pad, rows, 5)
    found = model.generate(
        input_ids=ids,
        attention_mask=mask,
        pad_token_id=pad,
        return_dict_in_generate=True,
        output_scores=True,
        **options,
        **more,
    )
    scores = getattr(found, "sequences_scores", None)
    return {
        "name": f"{name}, {rows} rows",
        "options": options | more | {"pad_token_id": pad},
        "input_ids": ids.tolist(),
        "attention_mask": mask.tolist(),
        "sequences": found.sequences.tolist(),
        "scores": None if scores is None else scores.tolist(),
    }


def cases(model: PreTrainedModel, names: list[str], more: dict, rows: tuple[int, ...] = (1, 3)) -> list[dict]:
    return [case(model, name, OPTIONS[name], count, more) for name in names for count in rows]


def processors() -> list[dict]:
    generator = torch.Generator().manual_seed(9)
    logits = 3 * torch.randn(3, 24, generator=generator)
    tokens = torch.randint(0, 24, (3, 9), generator=generator)
    tokens[1, 4:6] = tokens[1, :2]
    tokens[1, 7:] = tokens[1, :2]
    ties = logits.round()
    made: list[tuple[str, dict, LogitsProcessor]] = [
        ("temperature", {"temperature": 0.7}, TemperatureLogitsWarper(0.7)),
        ("topK", {"topK": 5}, TopKLogitsWarper(5)),
        ("topP", {"topP": 0.8}, TopPLogitsWarper(0.8)),
        ("topP", {"topP": 0.05}, TopPLogitsWarper(0.05)),
        ("minP", {"minP": 0.1}, MinPLogitsWarper(0.1)),
        ("repetitionPenalty", {"repetitionPenalty": 1.4}, RepetitionPenaltyLogitsProcessor(1.4)),
        ("noRepeatNgram", {"noRepeatNgramSize": 2}, NoRepeatNGramLogitsProcessor(2)),
        ("noRepeatNgram", {"noRepeatNgramSize": 1}, NoRepeatNGramLogitsProcessor(1)),
    ]
    written = []
    for name, options, processor in made:
        for kind, given in {"plain": logits, "ties": ties}.items():
            if kind == "ties" and name != "topK":
                continue
            left = processor(tokens, given.clone())
            shown = [[None if value == float("-inf") else value for value in row] for row in left.tolist()]
            written.append({"name": name, "options": options, "logits": given.tolist(), "tokens": tokens.tolist(), "left": shown})
    return written


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=Path, default=Path("test/golden/models"))
    parser.add_argument("--methods", type=Path, default=Path("test/golden/methods"))
    parser.add_argument("--assets", type=Path, default=Path("../shared/assets/models"))
    parser.add_argument("--out", type=Path, default=Path("test/golden/generation"))
    arguments = parser.parse_args()
    silence_transformers()
    torch.set_num_threads(1)
    arguments.out.mkdir(parents=True, exist_ok=True)
    versions = {name: importlib.metadata.version(name) for name in ("torch", "transformers", "peft")}

    def write(name: str, content: dict) -> None:
        made_by = {"script": "reference/make_generation_golden.py"} | versions
        (arguments.out / f"{name}.json").write_text(json.dumps(content | {"made_by": made_by}) + "\n")
        print(name, flush=True)

    for name in TINY:
        model = AutoModelForCausalLM.from_pretrained(arguments.models / name).eval()
        chosen = list(OPTIONS) if name in ("gpt2_lm", "llama_lm") else ["greedy", "beams"]
        write(name, {"model": name, "cases": cases(model, chosen, {})})
    for name in ASSETS:
        model = AutoModelForCausalLM.from_pretrained(arguments.assets / name).eval()
        longer = {"max_new_tokens": 40}
        made = [case(model, one, OPTIONS[one] | longer, rows, {}) for one in ("greedy", "beams", "beams of the paper") for rows in (1, 3)]
        write(name, {"asset": name, "cases": made})
    for name in ADAPTERS:
        config = json.loads((arguments.methods / name / "adapter_config.json").read_text())
        base = AutoModelForCausalLM.from_pretrained(config["base_model_name_or_path"])
        model = PeftModel.from_pretrained(base, arguments.methods / name).eval()
        # With a prefix, what PEFT generates for padded rows is not what its own forward pass says of them.
        rows = (1,) if name.endswith("_prefix") else (1, 3)
        made = cases(model, ["greedy", "beams"], {}, rows)
        write(f"adapter-{name}", {"adapter": name, "model": Path(config["base_model_name_or_path"]).name, "cases": made})
    write("processors", {"cases": processors()})


if __name__ == "__main__":
    main()
