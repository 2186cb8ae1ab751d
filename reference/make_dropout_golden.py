"""Writes LoRA and DoRA in training with dropout by given masks to test/golden/dropout/<case>.

    python reference/make_dropout_golden.py

PEFT's layers compute; their nn.Dropout is replaced by a module that multiplies with a mask / (1 - p). io.safetensors holds the
batch, `mask.<n>` (uint8, in the order in which the layers run; of the convolution as patches), `loss`, `logits` and
`grad.<key in the adapter's file>` of training mode. The base drops nothing.
"""

import argparse
from pathlib import Path

import torch
from make_lora_golden import IMAGE, TEXT
from make_method_golden import save_adapter
from method_golden import base_model, fresh_folder, labelled_batch, made_by, noise_for, save_tensors, write_json
from peft import LoraConfig, get_peft_model
from peft_cases import BASES, TASKS, move, trained_parameters
from quiet import silence_transformers
from torch import nn

P = 0.4
DORA = {"use_dora": True, "lora_dropout": P}
CASES = {
    "bert_lora": TEXT | {"lora_dropout": P},
    "bert_dora": TEXT | DORA,
    "bert_dora_rslora": TEXT | DORA | {"use_rslora": True, "target_modules": ["query", "output.dense"]},
    "vit_dora": IMAGE | DORA,
    "vit_conv_dora": IMAGE | DORA | {"target_modules": ["projection", "q_proj"]},
}


class Masked(nn.Module):
    """Dropout by masks that it draws and keeps."""

    def __init__(self, generator: torch.Generator, masks: list[torch.Tensor], patch: int | None) -> None:
        super().__init__()
        self.generator, self.masks, self.patch = generator, masks, patch

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        mask = (torch.rand(x.shape, generator=self.generator) >= P).to(x.dtype)
        # [batch, channels * patch * patch, places] to [batch, places, ...].
        kept = mask if self.patch is None else nn.functional.unfold(mask, self.patch, stride=self.patch).transpose(1, 2)
        self.masks.append(kept.to(torch.uint8).contiguous())
        return x * mask / (1 - P)


def write(name: str, config: dict, out: Path, models: Path, seed: int) -> None:
    family = name.split("_")[0]
    folder = fresh_folder(out / name)
    base = base_model(BASES[family], models, seed)
    model = get_peft_model(base, LoraConfig(task_type=TASKS[family], **config)).eval()
    generator = noise_for(BASES[family], seed)
    move(model, generator)
    save_adapter(model, folder)
    model.train()
    masks: list[torch.Tensor] = []
    for path, module in list(model.named_modules()):
        if isinstance(module, nn.Dropout) and ".lora_dropout." not in path:
            module.p = 0.0
        if hasattr(module, "lora_dropout"):
            layer = module.get_base_layer()
            patch = layer.kernel_size[0] if isinstance(layer, nn.Conv2d) else None
            module.lora_dropout["default"] = Masked(generator, masks, patch)
    batch = labelled_batch(base, seed)
    found = model(**batch)
    found.loss.backward()
    gradients = {f"grad.{key}": p.grad for key, p in trained_parameters(model).items()}
    numbers = {"loss": found.loss.detach().reshape(1), "logits": found.logits.detach()}
    save_tensors(folder / "io.safetensors", batch | numbers | gradients | {f"mask.{n}": mask for n, mask in enumerate(masks)})
    write_json(folder / "meta.json", {"base": BASES[family], "keepProbability": 1 - P, "made_by": made_by(__file__, "peft")})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("test/golden/dropout"))
    parser.add_argument("--models", type=Path, default=Path("test/golden/models"))
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    silence_transformers()
    torch.set_num_threads(1)
    for name, config in CASES.items():
        write(name, config, arguments.out, arguments.models, arguments.seed)
        print(name, flush=True)


if __name__ == "__main__":
    main()
