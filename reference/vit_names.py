"""Module names of ViT: transformers 5 in memory (v5) to checkpoint files and transformers 4 (v4). README.md explains them."""

V5_TO_V4 = {
    "attention.q_proj": "attention.attention.query",
    "attention.k_proj": "attention.attention.key",
    "attention.v_proj": "attention.attention.value",
    "attention.o_proj": "attention.output.dense",
    "mlp.fc1": "intermediate.dense",
    "mlp.fc2": "output.dense",
    "vit.layers.": "vit.encoder.layer.",
}


def to_v4(name: str) -> str:
    """The v4 spelling of a v5 module path or tensor name of ViTForImageClassification."""
    for new, old in V5_TO_V4.items():
        name = name.replace(new, old)
    return name
