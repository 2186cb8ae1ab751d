"""Tiny transformers models with seeded random weights, and batches for them.

Shared by the scripts that write goldens of models and of adapters. The weights are larger than an ordinary initialisation, so that
every layer matters in the output: with a standard deviation of 0.02 a wrong LayerNorm or activation would hardly show.
"""

import torch
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    BertForTokenClassification,
    BertModel,
    DebertaV2Config,
    DebertaV2ForSequenceClassification,
    DebertaV2ForTokenClassification,
    DebertaV2Model,
    DistilBertConfig,
    DistilBertForSequenceClassification,
    DistilBertForTokenClassification,
    DistilBertModel,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    RobertaConfig,
    RobertaForSequenceClassification,
    RobertaForTokenClassification,
    RobertaModel,
    ViTConfig,
    ViTForImageClassification,
    ViTModel,
)

Tensors = dict[str, torch.Tensor]

SIZES = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48}
LABELS = {"id2label": {0: "negative", 1: "neutral", 2: "positive"}, "label2id": {"negative": 0, "neutral": 1, "positive": 2}}
ONE_LABEL = {"id2label": {0: "score"}, "label2id": {"score": 0}, "problem_type": "regression"}
TAGS = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]
TAG_LABELS = {"id2label": dict(enumerate(TAGS)), "label2id": {tag: index for index, tag in enumerate(TAGS)}}
SPECIAL = {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
TEXT = {"vocab_size": 64, "max_position_embeddings": 40}


def bert_config(**overrides) -> BertConfig:
    return BertConfig(**{**SIZES, **TEXT, **LABELS, **overrides})


def roberta_config(**overrides) -> RobertaConfig:
    return RobertaConfig(**{**SIZES, **TEXT, **LABELS, "type_vocab_size": 1, "layer_norm_eps": 1e-5, **overrides})


def vit_config(**overrides) -> ViTConfig:
    return ViTConfig(**{**SIZES, **LABELS, "image_size": 32, "patch_size": 8, **overrides})


def gpt2_config(**overrides) -> GPT2Config:
    sizes = {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_inner": 48, "vocab_size": 64, "n_positions": 40}
    return GPT2Config(**{**sizes, **SPECIAL, **overrides})


def llama_config(**overrides) -> LlamaConfig:
    return LlamaConfig(**{**SIZES, **TEXT, **SPECIAL, "num_key_value_heads": 2, "rms_norm_eps": 1e-5, **overrides})


def distilbert_config(**overrides) -> DistilBertConfig:
    sizes = {"dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 48}
    dropout = {"dropout": 0.0, "attention_dropout": 0.0, "seq_classif_dropout": 0.0}
    return DistilBertConfig(**{**sizes, **TEXT, **LABELS, **dropout, **overrides})


# As DeBERTa-v3: both kinds of relative attention, shared projections, log buckets (from a distance of 3), no absolute positions.
DEBERTA_V3 = {
    "relative_attention": True,
    "pos_att_type": ["p2c", "c2p"],
    "share_att_key": True,
    "position_buckets": 6,
    "max_relative_positions": -1,
    "norm_rel_ebd": "layer_norm",
    "position_biased_input": False,
    "type_vocab_size": 0,
}
CONV = {"conv_kernel_size": 3, "conv_act": "gelu"}
OWN_PROJECTIONS = {"relative_attention": True, "share_att_key": False}


def deberta_config(**overrides) -> DebertaV2Config:
    return DebertaV2Config(**{**SIZES, **TEXT, **LABELS, "max_position_embeddings": 24, **overrides})


# The place in this table is part of a model's seed: new ones come last.
MODELS = {
    "bert_seqcls": lambda: BertForSequenceClassification(bert_config()),
    "bert_base": lambda: BertModel(bert_config(layer_norm_eps=1e-6)),
    "bert_regression": lambda: BertForSequenceClassification(bert_config(hidden_act="gelu_new", **ONE_LABEL)),
    "bert_multilabel": lambda: BertForSequenceClassification(
        bert_config(hidden_act="relu", problem_type="multi_label_classification")
    ),
    "roberta_seqcls": lambda: RobertaForSequenceClassification(roberta_config()),
    "roberta_base": lambda: RobertaModel(roberta_config()),
    "vit_imgcls": lambda: ViTForImageClassification(vit_config()),
    "vit_base": lambda: ViTModel(vit_config(qkv_bias=False, hidden_act="gelu_new")),
    "bert_tokencls": lambda: BertForTokenClassification(bert_config(**TAG_LABELS)),
    "roberta_tokencls": lambda: RobertaForTokenClassification(roberta_config(**TAG_LABELS)),
    "gpt2_lm": lambda: GPT2LMHeadModel(gpt2_config()),
    "llama_lm": lambda: LlamaForCausalLM(llama_config()),
}
# A table of their own, so that models of other kinds can be added to the other one; new ones come last here, too.
ENCODERS = {
    "distilbert_seqcls": lambda: DistilBertForSequenceClassification(distilbert_config()),
    "distilbert_base": lambda: DistilBertModel(distilbert_config(activation="relu")),
    "distilbert_tokencls": lambda: DistilBertForTokenClassification(distilbert_config(**TAG_LABELS)),
    "deberta_seqcls": lambda: DebertaV2ForSequenceClassification(deberta_config(**DEBERTA_V3)),
    "deberta_base": lambda: DebertaV2Model(deberta_config(**DEBERTA_V3, **CONV, embedding_size=20)),
    "deberta_tokencls": lambda: DebertaV2ForTokenClassification(
        deberta_config(**OWN_PROJECTIONS, **TAG_LABELS, pos_att_type="c2p", max_relative_positions=5, type_vocab_size=2)
    ),
    "deberta_conv": lambda: DebertaV2ForSequenceClassification(
        deberta_config(**DEBERTA_V3, **CONV, pooler_hidden_act="tanh", cls_dropout=0.0)
    ),
    "deberta_p2c": lambda: DebertaV2ForSequenceClassification(
        deberta_config(**OWN_PROJECTIONS, pos_att_type=["p2c"], position_buckets=8, max_relative_positions=12)
    ),
    "deberta_both": lambda: DebertaV2ForTokenClassification(
        deberta_config(**OWN_PROJECTIONS, **TAG_LABELS, **CONV, pos_att_type=["c2p", "p2c"], embedding_size=20)
    ),
}
DECODERS = ("gpt2", "llama")


def place(name: str) -> int:
    """A model's part of the seeds."""
    return list(MODELS).index(name) if name in MODELS else 100 + list(ENCODERS).index(name)


def randomise(model: PreTrainedModel, generator: torch.Generator) -> None:
    """Overwrites every parameter: matrices N(0, 0.25), norms' weights 1 + N(0, 0.1), biases N(0, 0.1)."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            is_norm_weight = parameter.ndim == 1 and name.endswith(".weight")
            if is_norm_weight:
                parameter.copy_(1 + 0.1 * noise)
            else:
                parameter.copy_(noise * (0.25 if parameter.ndim > 1 else 0.1))


def build(name: str, seed: int = 0) -> PreTrainedModel:
    """The tiny model of that name, in eval mode, with weights that depend on its name and the seed alone."""
    torch.manual_seed(seed)
    model = (MODELS | ENCODERS)[name]()
    randomise(model, torch.Generator().manual_seed(seed + place(name)))
    return model.eval()


def text_batch(model: PreTrainedModel, generator: torch.Generator, rows: int = 3, length: int = 7) -> Tensors:
    """Random token ids padded on the right: row k has length - 2k real tokens; segment ids where the model has two."""
    config = model.config
    input_ids = torch.randint(4, config.vocab_size, (rows, length), generator=generator)
    attention_mask = torch.ones(rows, length, dtype=torch.int64)
    for row in range(rows):
        attention_mask[row, length - 2 * row :] = 0
    input_ids[attention_mask == 0] = config.pad_token_id
    types = getattr(config, "type_vocab_size", 0)
    if types == 0:
        return {"input_ids": input_ids, "attention_mask": attention_mask}
    token_type_ids = torch.zeros_like(input_ids)
    if types > 1:
        token_type_ids[:, length // 2 :] = 1
        token_type_ids *= attention_mask
    return {"input_ids": input_ids, "attention_mask": attention_mask, "token_type_ids": token_type_ids}


def both_sides_batch(model: PreTrainedModel, generator: torch.Generator, length: int = 16) -> Tensors:
    """Random token ids: the first row is full, the second is padded on the right, the third on the left, the fourth on both sides."""
    config = model.config
    input_ids = torch.randint(4, config.vocab_size, (4, length), generator=generator)
    attention_mask = torch.zeros(4, length, dtype=torch.int64)
    for row, (first, last) in enumerate([(0, length), (0, length - 3), (4, length), (2, length - 5)]):
        attention_mask[row, first:last] = 1
    input_ids[attention_mask == 0] = config.pad_token_id
    if config.type_vocab_size == 0:
        return {"input_ids": input_ids, "attention_mask": attention_mask}
    token_type_ids = torch.zeros_like(input_ids)
    token_type_ids[:, length // 2 :] = 1
    return {"input_ids": input_ids, "attention_mask": attention_mask, "token_type_ids": token_type_ids * attention_mask}


def decoder_batch(model: PreTrainedModel, generator: torch.Generator, rows: int = 4, length: int = 7) -> Tensors:
    """Random token ids: the first row is full, the second and fourth are padded on the right, the third on the left."""
    input_ids = torch.randint(4, model.config.vocab_size, (rows, length), generator=generator)
    attention_mask = torch.ones(rows, length, dtype=torch.int64)
    for row in range(1, rows):
        attention_mask[row, slice(0, 2) if row == 2 else slice(length - row, length)] = 0
    input_ids[attention_mask == 0] = model.config.pad_token_id
    return {"input_ids": input_ids, "attention_mask": attention_mask}


def image_batch(model: PreTrainedModel, generator: torch.Generator, rows: int = 3) -> Tensors:
    size, channels = model.config.image_size, model.config.num_channels
    return {"pixel_values": torch.randn(rows, channels, size, size, generator=generator)}


def batch_for(model: PreTrainedModel, seed: int) -> Tensors:
    """One batch of inputs for the model, without labels."""
    kind = model.config.model_type
    makers = {"vit": image_batch, "deberta-v2": both_sides_batch} | dict.fromkeys(DECODERS, decoder_batch)
    make = makers.get(kind, text_batch)
    return make(model, torch.Generator().manual_seed(seed))


def labels_for(model: PreTrainedModel, rows: int, seed: int) -> torch.Tensor:
    """Labels of the kind that the model's problem type wants."""
    generator = torch.Generator().manual_seed(seed)
    config = model.config
    if config.problem_type == "regression":
        return torch.randn(rows, generator=generator)
    if config.problem_type == "multi_label_classification":
        return torch.randint(0, 2, (rows, config.num_labels), generator=generator).float()
    return torch.randint(0, config.num_labels, (rows,), generator=generator)


def token_labels(model: PreTrainedModel, batch: Tensors, seed: int) -> torch.Tensor:
    """A label for every token [rows, length]; -100 on the first token, on padding and on about a fifth of the others."""
    generator = torch.Generator().manual_seed(seed)
    mask = batch["attention_mask"]
    labels = torch.randint(0, model.config.num_labels, mask.shape, generator=generator)
    labels[torch.rand(mask.shape, generator=generator) < 0.2] = -100
    labels[mask == 0] = -100
    labels[:, 0] = -100
    return labels


def next_tokens(batch: Tensors) -> torch.Tensor:
    """The ids themselves, which the model shifts; -100 on padding and on the first two tokens of the first row."""
    labels = batch["input_ids"].masked_fill(batch["attention_mask"] == 0, -100)
    labels[0, :2] = -100
    return labels


def labels_for_batch(model: PreTrainedModel, batch: Tensors, seed: int) -> torch.Tensor:
    """Labels of the kind that the model's head wants, for this batch."""
    if type(model).__name__.endswith("ForTokenClassification"):
        return token_labels(model, batch, seed)
    if model.config.model_type in DECODERS:
        return next_tokens(batch)
    return labels_for(model, next(iter(batch.values())).shape[0], seed)
