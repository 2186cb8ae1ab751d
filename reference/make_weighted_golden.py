"""Writes test/golden/peft/weighted.safetensors: PEFT's add_weighted_adapter on one linear layer.

    python reference/make_weighted_golden.py --out test/golden/peft/weighted.safetensors

Two adapters of rank 3 on a layer of 7 to 5 features (lora_alpha 6 and 12), combined with the weights 0.7 and -0.4.
`one.A`, `one.B`, `two.A`, `two.B` are what is combined, `<type>.A` and `<type>.B` what comes of it.
"""

import argparse
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import save_file

WAYS = {
    "svd": {},
    "svd_rank2": {"combination_type": "svd", "svd_rank": 2},
    "linear": {},
    "cat": {},
    "ties": {"density": 0.6},
    "ties_frequency": {"combination_type": "ties", "density": 0.6, "majority_sign_method": "frequency"},
    "ties_svd": {"density": 0.6},
    "magnitude_prune": {"density": 0.5},
    "magnitude_prune_svd": {"density": 0.5},
    # Nothing is dropped at random where all is kept.
    "dare_linear": {"density": 1.0},
    "dare_ties": {"density": 1.0},
    "dare_linear_svd": {"density": 1.0},
    "dare_ties_svd": {"density": 1.0},
}


class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(7, 5)

    def forward(self, x):
        return self.layer(x)


def main(out: Path) -> None:
    torch.manual_seed(0)
    alphas = {"one": 6, "two": 12}
    configs = {
        name: LoraConfig(r=3, lora_alpha=alpha, target_modules=["layer"], init_lora_weights=False)
        for name, alpha in alphas.items()
    }
    model = get_peft_model(Model(), configs["one"], adapter_name="one")
    model.add_adapter("two", configs["two"])
    layer = model.base_model.model.layer

    def factors(name: str, label: str) -> dict[str, torch.Tensor]:
        parts = {"A": layer.lora_A[name].weight, "B": layer.lora_B[name].weight}
        return {f"{label}.{part}": tensor.detach().clone().contiguous() for part, tensor in parts.items()}

    tensors = factors("one", "one") | factors("two", "two")
    for name, options in WAYS.items():
        options = {"combination_type": name} | options
        model.base_model.add_weighted_adapter(["one", "two"], [0.7, -0.4], name, **options)
        assert layer.scaling[name] == 1
        tensors |= factors(name, name)
    save_file(tensors, out)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    main(parser.parse_args().out)
