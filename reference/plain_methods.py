"""Methods of the LoRA paper that PEFT does not have, in plain PyTorch, put into a tiny model in place.

Each function takes the model and gives what it trains, by "<path>.<name>". All stay submodules of the model. Virtual
positions: the prefix stands before everything (in ViT between class token and patches, after positions), the infix after each
row's last real token, padding after it; positions count on over both, segments of both are 0, the mask is 1. As in PEFT, a pooler
reads the first position, which is virtual where there is a prefix, and a decoder's logits and labels (-100) hold all positions.
A token classifier's logits are those of the text's own tokens alone, and so is its loss.
"""

from collections.abc import Callable

import torch
from tiny_models import Tensors
from torch import nn
from transformers import PreTrainedModel

Trained = dict[str, nn.Parameter]
LAYERS = {
    "bert": "bert.encoder.layer",
    "roberta": "roberta.encoder.layer",
    "vit": "vit.layers",
    "gpt2": "transformer.h",
    "llama": "model.layers",
    "distilbert": "distilbert.transformer.layer",
    "deberta-v2": "deberta.encoder.layer",
}
EMBEDDINGS = {"bert": "bert.embeddings", "roberta": "roberta.embeddings", "vit": "vit.embeddings", "gpt2": "transformer"}
EMBEDDINGS |= {"distilbert": "distilbert.embeddings", "deberta-v2": "deberta.embeddings"}
# What a layer's attention and feed-forward give, before residual (and norm).
SUBLAYERS = {
    "bert": ("attention.output.dropout", "output.dropout"),
    "roberta": ("attention.output.dropout", "output.dropout"),
    "vit": ("attention", "mlp"),
    "gpt2": ("attn.resid_dropout", "mlp.dropout"),
    "llama": ("self_attn.o_proj", "mlp"),
    "distilbert": ("attention", "ffn"),
    "deberta-v2": ("attention.output.dropout", "output.dropout"),
}
ACTIVATIONS = {"relu": torch.relu, "swish": nn.functional.silu}


def kind(model: PreTrainedModel) -> str:
    return model.config.model_type


def layers_of(model: PreTrainedModel) -> dict[str, nn.Module]:
    prefix = LAYERS[kind(model)]
    return {f"{prefix}.{index}": layer for index, layer in enumerate(model.get_submodule(prefix))}


def head_parameters(model: PreTrainedModel) -> Trained:
    """Of a classifier what PEFT saves whole under the name "classifier": DistilBERT's pre_classifier ends so, too."""
    return {name: p for name, p in model.named_parameters() if name.split(".")[0].endswith("classifier")}


def named(path: str, name: str, module: nn.Module) -> Trained:
    return {f"{path}.{name}.{key}": parameter for key, parameter in module.named_parameters()}


def bottleneck(layer: nn.Module, path: str, name: str, hidden: int, size: int) -> tuple[nn.Linear, nn.Linear, Trained]:
    down, up = nn.Linear(hidden, size), nn.Linear(size, hidden)
    layer.add_module(f"{name}_down", down)
    layer.add_module(f"{name}_up", up)
    return down, up, named(path, f"{name}_down", down) | named(path, f"{name}_up", up)


def change_output(module: nn.Module, change: Callable[[torch.Tensor], torch.Tensor]) -> None:
    def hook(_module: nn.Module, _inputs: tuple, out: torch.Tensor | tuple) -> torch.Tensor | tuple:
        return (change(out[0]), *out[1:]) if isinstance(out, tuple) else change(out)

    module.register_forward_hook(hook)


def houlsby(model: PreTrainedModel, factor: int, activation: str) -> Trained:
    """h + up(act(down(h))) on what attention and feed-forward give, before residual and norm."""
    trained: Trained = {}
    hidden, act = model.config.hidden_size, ACTIVATIONS[activation]
    for path, layer in layers_of(model).items():
        for place, name in zip(SUBLAYERS[kind(model)], ("adapter_attention", "adapter_output"), strict=True):
            down, up, parameters = bottleneck(layer, path, name, hidden, hidden // factor)
            change_output(layer.get_submodule(place), lambda h, down=down, up=up: h + up(act(down(h))))
            trained |= parameters
    return trained


def lin(model: PreTrainedModel, factor: int) -> Trained:
    """x + up(relu(down(LN(x)))) on what a whole layer gives, with a LayerNorm of its own (epsilon 1e-5)."""
    trained: Trained = {}
    hidden = model.config.hidden_size
    for path, layer in layers_of(model).items():
        down, up, parameters = bottleneck(layer, path, "adapter", hidden, hidden // factor)
        norm = nn.LayerNorm(hidden)
        layer.add_module("adapter_norm", norm)
        change_output(layer, lambda x, down=down, up=up, norm=norm: x + up(torch.relu(down(norm(x)))))
        trained |= named(path, "adapter_norm", norm) | parameters
    return trained


class Virtual:
    """Where virtual tokens stand in a batch of text: `places` [rows, length + prefix + infix] indexes prefix, infix, tokens."""

    def __init__(self, mask: torch.Tensor, prefix: int, infix: int) -> None:
        length, total = mask.shape[1], mask.shape[1] + prefix + infix
        last = length - mask.flip(1).argmax(1, keepdim=True)
        at = torch.arange(total).expand(len(mask), total)
        token = at - prefix
        token = torch.where(token < last, token, token - infix) + prefix + infix
        in_infix = (at >= prefix + last) & (at < prefix + last + infix)
        self.count = prefix + infix
        self.places = torch.where(at < prefix, at, torch.where(in_infix, at - last, token))

    def spread(self, values: torch.Tensor, virtual: int) -> torch.Tensor:
        """Values [rows, length] of the tokens, and the same number at all virtual places."""
        return torch.cat([values.new_full((len(values), self.count), virtual), values], 1).gather(1, self.places)

    def put(self, virtual: torch.Tensor, hidden: torch.Tensor) -> torch.Tensor:
        """Virtual vectors [prefix + infix, d] and those of the tokens [rows, length, d], in their places."""
        every = torch.cat([virtual.expand(len(hidden), -1, -1), hidden], 1)
        return every.gather(1, self.places[..., None].expand(-1, -1, hidden.shape[-1]))

    def own(self, values: torch.Tensor) -> torch.Tensor:
        """Of values [rows, length + prefix + infix, n] those of the tokens."""
        at = self.places.argsort(1)[:, self.count :]
        return values.gather(1, at[..., None].expand(-1, -1, values.shape[-1]))

    def replace(self, virtual: torch.Tensor, hidden: torch.Tensor) -> torch.Tensor:
        """Hidden states of all places, with these vectors at the virtual ones."""
        vectors = virtual[self.places.clamp(max=self.count - 1)]
        return torch.where((self.places < self.count)[..., None], vectors, hidden)


def vectors(model: PreTrainedModel, path: str, prefix: int, infix: int) -> Trained:
    """Virtual vectors as parameters of the module at that path."""
    module, found = model.get_submodule(path), {}
    for name, count in (("prefix", prefix), ("infix", infix)):
        if count:
            parameter = nn.Parameter(torch.zeros(count, model.config.hidden_size))
            module.register_parameter(name, parameter)
            found[f"{path}.{name}"] = parameter
    return found


def stacked(module: nn.Module) -> torch.Tensor:
    return torch.cat([getattr(module, name) for name in ("prefix", "infix") if hasattr(module, name)])


def with_virtual(
    model: PreTrainedModel, prefix: int, infix: int, first: Callable[[], torch.Tensor], each: Callable[[Virtual], None]
) -> None:
    """Makes a text model's forward insert `first()` at the virtual places; `each` learns of every batch's places."""
    plain = model.forward
    table = model.get_input_embeddings()
    is_decoder = kind(model) in ("gpt2", "llama")
    is_tagger = type(model).__name__.endswith("ForTokenClassification")

    def forward(input_ids: torch.Tensor, attention_mask: torch.Tensor, labels: torch.Tensor | None = None, **rest: torch.Tensor):
        virtual = Virtual(attention_mask, prefix, infix)
        each(virtual)
        more: Tensors = {name: virtual.spread(value, 0) for name, value in rest.items()}
        embedded = virtual.put(first(), table(input_ids))
        if is_tagger:
            found = plain(inputs_embeds=embedded, attention_mask=virtual.spread(attention_mask, 1), **more)
            found.logits = virtual.own(found.logits)
            if labels is not None:
                found.loss = nn.functional.cross_entropy(found.logits.flatten(0, 1), labels.flatten())
            return found
        if labels is not None:
            more["labels"] = virtual.spread(labels, -100) if is_decoder else labels
        return plain(inputs_embeds=embedded, attention_mask=virtual.spread(attention_mask, 1), **more)

    model.forward = forward


def insert_images(model: PreTrainedModel, first: Callable[[], torch.Tensor]) -> None:
    """Virtual vectors between ViT's class token and its patches, after positions."""

    def change(out: torch.Tensor) -> torch.Tensor:
        return torch.cat([out[:, :1], first().expand(len(out), -1, -1), out[:, 1:]], 1)

    change_output(model.vit.embeddings, change)


def preembed(model: PreTrainedModel, prefix: int, infix: int) -> Trained:
    """Trained embeddings of virtual tokens; in ViT a prefix alone (shallow visual prompts)."""
    path = EMBEDDINGS[kind(model)]
    trained = vectors(model, path, prefix, infix)
    owner = model.get_submodule(path)
    if kind(model) == "vit":
        insert_images(model, lambda: stacked(owner))
    else:
        with_virtual(model, prefix, infix, lambda: stacked(owner), lambda virtual: None)
    return trained


def prelayer(model: PreTrainedModel, prefix: int, infix: int) -> Trained:
    """Trained activations that replace the input of every layer at the virtual positions."""
    trained: Trained = {}
    count, hidden = prefix + infix, model.config.hidden_size
    current: list[Virtual] = []
    for path, layer in layers_of(model).items():
        trained |= vectors(model, path, prefix, infix)

        def replace(module: nn.Module, arguments: tuple) -> tuple:
            states, *others = arguments
            if kind(model) == "vit":
                new = stacked(module).expand(len(states), -1, -1)
                states = torch.cat([states[:, :1], new, states[:, 1 + count :]], 1)
            else:
                states = current[-1].replace(stacked(module), states)
            return (states, *others)

        layer.register_forward_pre_hook(replace)
    empty = lambda: next(iter(trained.values())).new_zeros(count, hidden)  # noqa: E731
    if kind(model) == "vit":
        insert_images(model, empty)
    else:
        with_virtual(model, prefix, infix, empty, current.append)
    return trained


def top_layers(model: PreTrainedModel, count: int) -> Trained:
    """The last layers whole."""
    paths = list(layers_of(model))[-count:]
    return {name: p for name, p in model.named_parameters() if any(name.startswith(f"{path}.") for path in paths)}
