"""Writes test/golden/peft-matching.json: which modules PEFT adapts, for many configs, asked of PEFT itself.

    python reference/make_matching_golden.py --out test/golden/peft-matching.json

`trees.<architecture>.modules`: every module of a four-layer model as [path, class]. `cases.<rule>`: [architecture, config, result];
a config holds the fields of LoraConfig that differ from r 4, lora_alpha 8. A result holds `targets`, and by rule `saved` (modules
wrapped by modules_to_save) or `ranks` ([r, scaling, targets]), all as places in the tree ("0-2,5"); or `error`, the kind of what was
raised: a class of Python's, or one of PEFT's four words about no match. `warns` lists options that PEFT said it ignored.
`proper` counts, by rule, the cases whose rule made a non-empty proper subset of what there was without it.
"""

import argparse
import copy
import json
import random
import re
import warnings
from collections.abc import Callable
from pathlib import Path

import torch
from method_golden import made_by
from peft import LoraConfig, get_peft_model
from peft.tuners.tuners_utils import BaseTunerLayer
from peft.utils import ModulesToSaveWrapper
from quiet import silence_transformers
from tiny_models import DECODERS, bert_config, gpt2_config, llama_config, roberta_config, vit_config
from torch import nn
from transformers import (
    BertForSequenceClassification,
    GPT2LMHeadModel,
    LlamaForCausalLM,
    PreTrainedModel,
    RobertaForSequenceClassification,
    ViTForImageClassification,
)
from transformers.pytorch_utils import Conv1D

SMALL = {"hidden_size": 8, "num_hidden_layers": 4, "num_attention_heads": 2, "intermediate_size": 12}
TREES: dict[str, Callable[[], PreTrainedModel]] = {
    "bert": lambda: BertForSequenceClassification(bert_config(**SMALL)),
    "roberta": lambda: RobertaForSequenceClassification(roberta_config(**SMALL)),
    "vit": lambda: ViTForImageClassification(vit_config(**SMALL)),
    "gpt2": lambda: GPT2LMHeadModel(gpt2_config(n_embd=8, n_layer=4, n_head=2, n_inner=12)),
    "llama": lambda: LlamaForCausalLM(llama_config(**SMALL, num_key_value_heads=1)),
}
BLOCKS = {"bert": "layer", "roberta": "layer", "vit": "layers", "gpt2": "h", "llama": "layers"}
ADAPTABLE = (nn.Linear, nn.Embedding, nn.Conv2d, Conv1D)
PER_RULE, IMPROPER = 24, 11
BASE = {"r": 4, "lora_alpha": 8}
WORDS = {
    "All modules were excluded": "all-excluded",
    "No `target_modules` passed": "no-targets",
    "not found in the base model": "not-found",
    "No modules were targeted": "none-targeted",
}


def runs_of(places: list[int]) -> str:
    """0, 1, 2, 5 as "0-2,5"."""
    found: list[list[int]] = []
    for place in sorted(places):
        if found and found[-1][1] == place - 1:
            found[-1][1] = place
        else:
            found.append([place, place])
    return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in found)


class Tree:
    """An architecture's modules, and PEFT's answers about them."""

    def __init__(self, name: str, rng: random.Random) -> None:
        self.name, self.rng, self.model = name, rng, TREES[name]()
        self.modules = [(path, type(module).__name__) for path, module in self.model.named_modules() if path]
        self.paths = [path for path, _ in self.modules]
        self.place = {path: index for index, path in enumerate(self.paths)}
        self.adaptable = [path for path, module in self.model.named_modules() if isinstance(module, ADAPTABLE)]

    def ask(self, config: dict, details: str = "") -> dict:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                model = get_peft_model(copy.deepcopy(self.model), LoraConfig(**BASE | {"init_lora_weights": False} | config))
            except Exception as error:  # noqa: BLE001: whatever is raised is the result
                if isinstance(error, re.error):
                    return {"error": "bad-regex"}
                word = next((kind for text, kind in WORDS.items() if text in str(error)), None)
                return {"error": word or ("unsupported-module" if "is not supported" in str(error) else type(error).__name__)}
        inner = model.get_base_model()
        layers = {path: module for path, module in inner.named_modules() if isinstance(module, BaseTunerLayer)}
        result: dict = {"targets": runs_of([self.place[path] for path in layers])}
        if details == "saved":
            wrapped = [path for path, module in inner.named_modules() if isinstance(module, ModulesToSaveWrapper)]
            plain = {path.replace(".modules_to_save.default", "") for path in wrapped if ".original_module" not in path}
            result["saved"] = runs_of([self.place[path] for path in plain])
        if details == "ranks":
            kinds: dict[tuple, list[int]] = {}
            for path, layer in layers.items():
                kinds.setdefault((layer.r["default"], layer.scaling["default"]), []).append(self.place[path])
            result["ranks"] = [[r, scaling, runs_of(places)] for (r, scaling), places in sorted(kinds.items())]
        said = [str(warning.message) for warning in caught]
        ignored = {"exclude_modules": "no modules were excluded", "rank_pattern": "following rank_pattern", "alpha_pattern": "following alpha_pattern"}
        ignored = [option for option, text in ignored.items() if any(text in message for message in said)]
        return result | ({"warns": ignored} if ignored else {})

    def suffix(self, path: str | None = None) -> str:
        """The end of a path, of one to all its parts."""
        parts = (path or self.rng.choice(self.adaptable)).split(".")
        weights = [4, 4, 2, 1, 1, 1, 1, 1][: len(parts)]
        return ".".join(parts[-self.rng.choices(range(1, len(parts) + 1), weights)[0] :])

    def odd(self) -> str:
        """A name that is none, or of a module that nothing adapts, or cut within a word."""
        name = self.suffix()
        made = [name[1:], f"x_{name}", f"{name}.x", "", "foo", name.upper(), self.rng.choice(self.paths), self.suffix(self.rng.choice(self.paths))]
        return self.rng.choice(made)

    def names(self, most: int = 3, odd: float = 0.1) -> list[str]:
        count = self.rng.randint(1, most)
        return sorted({self.odd() if self.rng.random() < odd else self.suffix() for _ in range(count)})

    def regex(self) -> str:
        a, b, c = (self.suffix().split(".")[-1] for _ in range(3))
        block, n, m = BLOCKS[self.name], self.rng.randint(0, 3), self.rng.randint(0, 4)
        two = re.escape(self.suffix())
        path = re.escape(self.rng.choice(self.adaptable))
        return self.rng.choice(
            [
                rf".*\.{a}",
                rf".*\.({a}|{b})",
                rf".*{block}\.{n}\..*({a}|{c})",
                rf".*{block}\.[{min(n, m)}-{max(n, m)}]\..*{a}$",
                rf"^.*\.(?:{a}|{b}|{c})$",
                rf"(?P<all>.*)\.{a}",
                rf"(?i).*\.{a.upper()}",
                rf".*{block}\.(?!{n}).*{a}",
                rf".*(?<!{b})\.{a}",
                rf".*{block}\.\d+\..*{a}\Z",
                rf"\w+(\.\w+)*\.{a}",
                rf".*{two}",
                rf".+{block}\.({n}|{m})\..+{two}",
                path,
                a,
                two,
                rf".*{block}\.(?P<n>\d)\..*{a}",
                rf".*\.{a[:-1]}.?",
                rf".*\.{a[0]}\S{{2,}}",
                rf".*{block}\.{n}\..*(",
                rf"*{a}",
                rf".*{block}\.[{n}{m}]\.(.*\.)?({a}|{b})",
                rf"(?:.*\.)?{block}\.{n}\.(?:[^.]+\.)*{a}",
                rf".*{block}\.(?(1)x|{n})\..*{a}",
                rf"(.*)\.{a}(?#comment)",
                rf".*{block}\.{n}\..*\b{a}\b",
                rf".*{block}\.\d{{1,2}}\..*\.?{b}",
            ]
        )

    def layers(self) -> int | list[int]:
        if self.rng.random() < 0.4:
            return self.rng.choice([0, 1, 2, 3, 7])
        return sorted(self.rng.sample([0, 1, 2, 3, 9], self.rng.randint(0, 3)))

    def pattern(self) -> str | list[str]:
        block = BLOCKS[self.name]
        other = rf"{self.rng.choice(list(BLOCKS.values()))}"
        choices = [block, block, block, [block], [other, block], other, "blocks", rf"l\w+|h", [], rf".*{block}", f"[{block[0]}]{block[1:]}"]
        return self.rng.choice(choices)

    def rank_keys(self) -> list[str]:
        block, n = BLOCKS[self.name], self.rng.randint(0, 3)
        a, b = (self.suffix().split(".")[-1] for _ in range(2))
        name = self.suffix()
        made = [a, b, name, rf"{block}\.{n}\..*", rf".*{block}\.{n}.*{a}", rf"^.*{block}\.[01]\..*{b}", f"{a}|{b}", "foo", rf"{a[:-1]}.", a[1:]]
        return self.rng.sample(made, self.rng.randint(1, 3))

    def values(self, choices: list[int]) -> dict[str, int]:
        return {key: self.rng.choice(choices) for key in self.rank_keys()}


def linear_targets(tree: Tree) -> dict:
    """Targets that leave the rule at hand something to choose from."""
    chosen = tree.rng.choice(["list", "list", "regex", "all-linear"])
    if chosen == "all-linear":
        return {"target_modules": "all-linear"}
    if chosen == "regex":
        ends = sorted({re.escape(tree.suffix().split(".")[-1]) for _ in range(4)})
        return {"target_modules": rf".*\.({'|'.join(ends)})"}
    return {"target_modules": sorted({tree.suffix().split(".")[-1] for _ in range(5)})}


def listed(tree: Tree) -> dict:
    return {"target_modules": sorted({tree.suffix().split(".")[-1] for _ in range(4)})}


def heads(tree: Tree) -> list[str]:
    ends = [".".join(path.split(".")[-tree.rng.randint(1, 2) :]) for path in tree.paths]
    extra = ["classifier", "pooler", "lm_head", "score", "LayerNorm", "layers.1", "nothing", "den.e", BLOCKS[tree.name]]
    return sorted({tree.rng.choice(ends if tree.rng.random() < 0.7 else extra) for _ in range(tree.rng.randint(1, 2))})


def excluded(tree: Tree) -> dict:
    return {"exclude_modules": tree.regex() if tree.rng.random() < 0.4 else tree.names(most=3, odd=0.15)}


def everything(tree: Tree) -> dict:
    spelling = tree.rng.choice(["all-linear", "all-linear", "All-Linear", "ALL-LINEAR", "all_linear"])
    own = "CAUSAL_LM" if tree.name in DECODERS else "SEQ_CLS"
    task = tree.rng.choice([None, own, own, "FEATURE_EXTRACTION"])
    more = tree.rng.choice([{}, excluded(tree), {"modules_to_save": heads(tree)}])
    return {"target_modules": spelling} | ({"task_type": task} if task else {}) | more


def patterns(tree: Tree) -> dict:
    found = listed(tree)
    which = tree.rng.choice(["rank", "alpha", "both"])
    found |= {} if which == "alpha" else {"rank_pattern": tree.values([1, 2, 3, 6])}
    found |= {} if which == "rank" else {"alpha_pattern": tree.values([1, 3, 16])}
    return found | ({"use_rslora": True} if tree.rng.random() < 0.2 else {})


# How a rule's cases are made, which options are the rule's own, and what is asked besides the targets.
RULES: dict[str, tuple[Callable[[Tree], dict], tuple[str, ...], str]] = {
    "target_modules list": (lambda tree: {"target_modules": tree.names()}, (), ""),
    "target_modules regex": (lambda tree: {"target_modules": tree.regex()}, (), ""),
    "target_modules all-linear": (everything, (), ""),
    "exclude_modules": (lambda tree: linear_targets(tree) | excluded(tree), ("exclude_modules",), ""),
    "modules_to_save": (lambda tree: linear_targets(tree) | {"modules_to_save": heads(tree)}, ("modules_to_save",), "saved"),
    "layers_to_transform": (lambda tree: listed(tree) | {"layers_to_transform": tree.layers()}, ("layers_to_transform",), ""),
    "layers_pattern": (
        lambda tree: listed(tree) | {"layers_to_transform": tree.layers(), "layers_pattern": tree.pattern()},
        ("layers_to_transform", "layers_pattern"),
        "",
    ),
    "rank_pattern, alpha_pattern": (patterns, ("rank_pattern", "alpha_pattern"), "ranks"),
}


def is_proper(tree: Tree, config: dict, own: tuple[str, ...], result: dict) -> bool:
    if "error" in result:
        return False
    if "ranks" in result:
        plain = [4, 8 / (2 if config.get("use_rslora") else 4)]
        changed = [places for r, scaling, places in result["ranks"] if [r, scaling] != plain]
        return 0 < len(changed) < len(result["ranks"])
    if not own:
        return result["targets"] != runs_of([tree.place[path] for path in tree.adaptable])
    return result["targets"] != tree.ask({key: value for key, value in config.items() if key not in own}).get("targets")


def cases_of(tree: Tree, rule: str) -> tuple[list, int]:
    make, own, details = RULES[rule]
    found, seen, improper = [], set(), 0
    for _ in range(2000):
        if len(found) == PER_RULE:
            break
        config = make(tree)
        key = json.dumps(config)
        if key in seen:
            continue
        seen.add(key)
        result = tree.ask(config, details)
        proper = is_proper(tree, config, own, result)
        if proper or improper < IMPROPER:
            improper += not proper
            found.append([tree.name, config, result])
    return found, len(found) - improper


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("test/golden/peft-matching.json"))
    out = parser.parse_args().out
    silence_transformers(errors_only=True)
    torch.set_num_threads(1)
    trees = {name: Tree(name, random.Random(index)) for index, name in enumerate(TREES)}
    cases, proper = {}, {}
    for rule in RULES:
        found = [cases_of(tree, rule) for tree in trees.values()]
        cases[rule] = [case for part, _ in found for case in part]
        proper[rule] = sum(count for _, count in found)
        errors = [case[2]["error"] for case in cases[rule] if "error" in case[2]]
        print(rule, len(cases[rule]), proper[rule], {kind: errors.count(kind) for kind in sorted(set(errors))}, flush=True)
    parts = [f'"made_by": {json.dumps(made_by(__file__, "peft"))}', f'"proper": {json.dumps(proper)}']
    table = [f'"{name}": {json.dumps({"modules": tree.modules})}' for name, tree in trees.items()]
    parts.append('"trees": {\n' + ",\n".join(table) + "\n}")
    rows = [f'"{rule}": [\n' + ",\n".join(json.dumps(row) for row in rows) + "\n]" for rule, rows in cases.items()]
    parts.append('"cases": {\n' + ",\n".join(rows) + "\n}")
    out.write_text("{\n" + ",\n".join(parts) + "\n}\n")
    json.loads(out.read_text())
    print(out.stat().st_size)


if __name__ == "__main__":
    main()
