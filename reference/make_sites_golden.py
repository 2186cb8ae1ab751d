"""Writes test/golden/nn/sites.safetensors and attention.safetensors: what tuning methods make of tiny models, and masks.

    python reference/make_sites_golden.py --out test/golden/nn

sites: `<method>.<model>.logits` of the model's io.safetensors batch (`ids_alone.logits`: of its input_ids alone), and
the method's weights `<method>.<model>.<weight>`; for prompt and prefix the position table's `gradient` too. Prompt and prefix are PEFT's own methods; the bottlenecks, the replaced
positions, the scaled outputs and ViT's prompts are written here as hooks. attention: queries, grouped keys and values,
padding and segments, and PyTorch's attention under each mask.
"""

import argparse
from pathlib import Path

import torch
from peft import PrefixTuningConfig, PromptTuningConfig, get_peft_model
from quiet import silence_transformers
from safetensors.torch import load_file, save_file
from tiny_models import Tensors, build
from torch.nn.functional import linear, relu, scaled_dot_product_attention
from transformers import PreTrainedModel

TOKENS, WIDTH = 3, 32
INPUTS = ("input_ids", "attention_mask", "token_type_ids", "pixel_values")
generator = torch.Generator().manual_seed(0)


def noise(*shape: int, scale: float = 0.5) -> torch.Tensor:
    return scale * torch.randn(shape, generator=generator)


def batch_of(name: str) -> Tensors:
    io = load_file(Path("test/golden/models") / name / "io.safetensors")
    return {key: io[key] for key in INPUTS if key in io}


def logits(model, batch: Tensors) -> Tensors:
    outputs = {"logits": model(**batch).logits}
    if "input_ids" in batch:
        outputs["ids_alone.logits"] = model(input_ids=batch["input_ids"]).logits
    return outputs


def position_gradient(model: PreTrainedModel, tuned, name: str) -> Tensors:
    """The loss's gradient for the position table, which all that a prompt or a prefix changes goes into."""
    table = model.base_model.embeddings.position_embeddings.weight.requires_grad_()
    labels = load_file(Path("test/golden/models") / name / "io.safetensors")["labels"]
    with torch.enable_grad():
        (gradient,) = torch.autograd.grad(tuned(**batch_of(name), labels=labels).loss, table)
    return {"gradient": gradient}


def prompt(model: PreTrainedModel, batch: Tensors, name: str) -> Tensors:
    peft = get_peft_model(model, PromptTuningConfig(task_type="SEQ_CLS", num_virtual_tokens=TOKENS)).eval()
    weight = noise(TOKENS, WIDTH)
    peft.prompt_encoder["default"].embedding.weight.copy_(weight)
    return {"weight": weight, **logits(peft, batch), **position_gradient(model, peft, name)}


def prefix(model: PreTrainedModel, batch: Tensors, name: str) -> Tensors:
    peft = get_peft_model(model, PrefixTuningConfig(task_type="SEQ_CLS", num_virtual_tokens=TOKENS)).eval()
    encoder = peft.prompt_encoder["default"].embedding.weight
    encoder.copy_(noise(*encoder.shape))
    pairs = encoder.view(TOKENS, 2, 2, 4, WIDTH // 4).permute(1, 2, 3, 0, 4)
    weights = {f"{kind}.{layer}": pairs[layer, at] for layer in (0, 1) for at, kind in enumerate(("keys", "values"))}
    return {**weights, **logits(peft, batch), **position_gradient(model, peft, name)}


def bottleneck_weights() -> Tensors:
    return {"down": noise(5, WIDTH), "up": noise(WIDTH, 5)}


def houlsby(model: PreTrainedModel, batch: Tensors, _name: str) -> Tensors:
    """output + up(relu(down(output))) after each feed-forward projection (Houlsby et al. 2019)."""
    weights = bottleneck_weights()

    def hook(_module, _inputs, output):
        return output + linear(relu(linear(output, weights["down"])), weights["up"])

    is_vit = model.config.model_type == "vit"
    for layer in model.base_model.layers if is_vit else model.base_model.encoder.layer:
        (layer.mlp if is_vit else layer.output.dense).register_forward_hook(hook)
    return {**weights, **logits(model, batch)}


def pfeiffer(model: PreTrainedModel, batch: Tensors, _name: str) -> Tensors:
    """The bottleneck reads LayerNorm(output + residual), and its sum with the output is normalised (Pfeiffer 2021)."""
    weights = bottleneck_weights()
    for layer in model.base_model.encoder.layer:
        output = layer.output

        def forward(hidden, residual, output=output):
            dense = output.dense(hidden)
            normed = output.LayerNorm(dense + residual)
            adapted = dense + linear(relu(linear(normed, weights["down"])), weights["up"])
            return output.LayerNorm(adapted + residual)

        output.forward = forward
    return {**weights, **logits(model, batch)}


def replaced(model: PreTrainedModel, batch: Tensors, _name: str) -> Tensors:
    """The first two positions that enter the second layer are other vectors."""
    vectors = noise(2, WIDTH)

    def hook(_module, inputs):
        hidden = torch.cat([vectors.expand(inputs[0].shape[0], -1, -1), inputs[0][:, 2:]], dim=1)
        return (hidden, *inputs[1:])

    model.base_model.encoder.layer[1].register_forward_pre_hook(hook)
    return {"vectors": vectors, **logits(model, batch)}


def scaled(model: PreTrainedModel, batch: Tensors, _name: str) -> Tensors:
    """Attention's outputs before the residual, and the layers' own, times a vector each."""
    weights = {"attention": noise(WIDTH), "layer": noise(WIDTH)}
    for layer in model.base_model.encoder.layer:
        layer.attention.output.dense.register_forward_hook(lambda _m, _i, output: output * weights["attention"])
        layer.register_forward_hook(
            lambda _m, _i, output: output * weights["layer"]
            if isinstance(output, torch.Tensor)
            else (output[0] * weights["layer"], *output[1:])
        )
    return {**weights, **logits(model, batch)}


def visual_prompt(model: PreTrainedModel, batch: Tensors, _name: str) -> Tensors:
    """Vectors between class token and patches, after positions (Jia et al. 2022, shallow)."""
    vectors = noise(TOKENS, WIDTH)

    def hook(_module, _inputs, hidden):
        return torch.cat([hidden[:, :1], vectors.expand(hidden.shape[0], -1, -1), hidden[:, 1:]], dim=1)

    model.base_model.embeddings.register_forward_hook(hook)
    return {"vectors": vectors, **logits(model, batch)}


CASES = [
    (prompt, "bert_seqcls"),
    (prompt, "roberta_seqcls"),
    (prefix, "bert_seqcls"),
    (prefix, "roberta_seqcls"),
    (houlsby, "bert_seqcls"),
    (houlsby, "vit_imgcls"),
    (pfeiffer, "bert_seqcls"),
    (replaced, "bert_seqcls"),
    (scaled, "roberta_seqcls"),
    (visual_prompt, "vit_imgcls"),
]


def make_sites() -> Tensors:
    tensors: Tensors = {}
    for method, name in CASES:
        for key, tensor in method(build(name), batch_of(name), name).items():
            tensors[f"{method.__name__}.{name}.{key}"] = tensor.clone().contiguous()
    return tensors


def make_attention() -> Tensors:
    """Batch 2, four heads over two groups, six tokens of size 3."""
    length = 6
    query, key, value = noise(2, 4, length, 3, scale=2), noise(2, 2, length, 3, scale=2), noise(2, 2, length, 3, scale=2)
    padding = torch.tensor([[1] * length, [1] * (length - 2) + [0, 0]], dtype=torch.int32)
    segments = torch.tensor([[0, 0, 0, 1, 1, 2], [0, 1, 1, 1, 1, 1]], dtype=torch.int32)
    distance = torch.arange(length)[:, None] - torch.arange(length)[None, :]
    causal, near = distance >= 0, distance < 3
    same = segments[:, None, :, None] == segments[:, None, None, :]
    masks = {
        "none": torch.ones(length, length, dtype=torch.bool),
        "padding": padding[:, None, None, :].bool(),
        "causal": causal,
        "causal_window": causal & near,
        "window": near & (distance > -3),
        "causal_padding": causal & padding[:, None, None, :].bool(),
        "packed": same,
        "causal_packed": causal & same,
    }
    outputs = {
        f"output.{name}": scaled_dot_product_attention(query, key, value, attn_mask=mask, enable_gqa=True)
        for name, mask in masks.items()
    }
    tensors = {"query": query, "key": key, "value": value, "padding": padding, "segments": segments, **outputs}
    return {name: tensor.contiguous() for name, tensor in tensors.items()}


@torch.no_grad()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("test/golden/nn"))
    arguments = parser.parse_args()
    silence_transformers()
    torch.set_num_threads(1)
    save_file(make_sites(), arguments.out / "sites.safetensors")
    save_file(make_attention(), arguments.out / "attention.safetensors")


if __name__ == "__main__":
    main()
