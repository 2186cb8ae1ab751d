"""Writes test/golden/methods-next/<name>/: prompts, prefixes and P-tuning as PEFT has them, and refused.json.

    python reference/make_prompt_golden.py --out test/golden/methods-next --models test/golden/models [NAME ...]

Run it from the repository's root; it writes the tokenizer data/tiny-words too. Where an encoder makes
the prompt, adapter_model.safetensors holds its product alone, as PEFT saves it, and trained.safetensors what is trained.
reference/README.md has the layout.
"""

import argparse
import shutil
from pathlib import Path

import torch
from make_together_golden import refusal
from method_golden import Adapted, made_by, write_json
from peft import PrefixTuningConfig, PromptEncoderConfig, PromptTuningConfig, TaskType, get_peft_model
from peft_cases import TASKS, Case, adapt, keep, write_cases
from tiny_models import batch_for, build, labels_for_batch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

WORDS = Path("test/golden/data/tiny-words")
TEXT_INIT = "w9 w12 w40 w7"


def write_tokenizer() -> None:
    """Ids 0 to 63 for the words w4 to w63 and four special tokens; a text is framed by [CLS] and [SEP], as BERT's are."""
    special = ["[PAD]", "[CLS]", "[SEP]", "[UNK]"]
    vocabulary = {word: index for index, word in enumerate([*special, *(f"w{index}" for index in range(4, 64))])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing("[CLS] $A [SEP]", None, [("[CLS]", 1), ("[SEP]", 2)])
    names = {"pad_token": "[PAD]", "cls_token": "[CLS]", "sep_token": "[SEP]", "unk_token": "[UNK]"}
    shutil.rmtree(WORDS, ignore_errors=True)
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **names).save_pretrained(WORDS)


def initial_ids(adapted: Adapted) -> dict:
    """The tokens whose embeddings the prompt starts from, found again in the table."""
    table = adapted.base.get_input_embeddings().weight
    rows = [(table == row).all(dim=1).nonzero().flatten().tolist() for row in adapted.trained["prompt_embeddings"]]
    return {"initTokenIds": [indices[0] for indices in rows]}


FAMILIES = ("bert", "roberta", "gpt2", "llama")
# The same in every decoder, and told by another.
LEFT_OUT = ("gpt2_prompt_sampled", "llama_prompt_sampled", "llama_prompt_text", "roberta_prompt_sampled")

PROMPT = {"num_virtual_tokens": 4}
SAMPLED = PROMPT | {"prompt_tuning_init": "SAMPLE_VOCAB"}
BY_TEXT = {
    "prompt_tuning_init": "TEXT",
    "prompt_tuning_init_text": TEXT_INIT,
    "tokenizer_name_or_path": WORDS.as_posix(),
}
PREFIX = {"num_virtual_tokens": 3}
PROJECTED = PREFIX | {"prefix_projection": True, "encoder_hidden_size": 12}
ENCODED = {"num_virtual_tokens": 4, "encoder_hidden_size": 12, "encoder_reparameterization_type": "MLP"}

PREFIX_NOTES = {
    "formula": "prompt_embeddings [virtual, layers * 2 * kv_heads * head_dim]: for each layer its keys, then its values; they stand "
    "before the layer's own keys and values, seen by every query; positions begin at the number of virtual tokens"
}
PROMPT_NOTES = {
    "formula": "prompt_embeddings [virtual, dim] stand before the token embeddings, ahead of positions and norm; mask 1, segment 0; "
    "a decoder's logits hold the virtual tokens, with labels -100"
}
PROJECTED_NOTES = PREFIX_NOTES | {
    "encoder": "prompt_embeddings = transform.2 (tanh(transform.0 embedding)), transform.* linear layers with bias"
}
ENCODED_NOTES = PROMPT_NOTES | {
    "encoder": "prompt_embeddings = mlp_head.4 (relu(mlp_head.2 (relu(mlp_head.0 embedding)))), mlp_head.* linear with bias"
}


def prompted(name: str, make: type, config: dict, notes: dict, **more) -> Case:
    return Case(name, make, config, mergeable=False, notes=notes, **more)


def cases_of(family: str) -> list[Case]:
    product = ("prompt_embeddings",)
    found = [
        prompted(f"{family}_prompt_sampled", PromptTuningConfig, SAMPLED, PROMPT_NOTES, moves=keep, describe=initial_ids),
        prompted(
            f"{family}_prompt_text",
            PromptTuningConfig,
            BY_TEXT | {"num_virtual_tokens": 8 if family == "roberta" else 3},
            PROMPT_NOTES,
            moves=keep,
            describe=initial_ids,
        ),
        prompted(f"{family}_p_tuning", PromptEncoderConfig, ENCODED, ENCODED_NOTES, untrained=product),
        prompted(f"{family}_prefix", PrefixTuningConfig, PREFIX, PREFIX_NOTES),
        prompted(f"{family}_prefix_projected", PrefixTuningConfig, PROJECTED, PROJECTED_NOTES, untrained=product),
    ]
    if TASKS[family] == "CAUSAL_LM":
        found.insert(0, prompted(f"{family}_prompt", PromptTuningConfig, PROMPT, PROMPT_NOTES))
    return found


def runs(case: Case) -> bool:
    model, _ = adapt(case, Path("test/golden/models"), 0)
    try:
        model(**batch_for(model.get_base_model(), 1))
    except Exception:  # noqa: BLE001: what it raises is recorded by refused
        return False
    return True


def attempt(case: Case) -> None:
    model, adapted = adapt(case, Path("test/golden/models"), 0)
    model(**batch_for(adapted.base, 1))


def token_prompt() -> None:
    base = build("bert_tokencls")
    model = get_peft_model(base, PromptTuningConfig(task_type=TaskType.TOKEN_CLS, **PROMPT)).eval()
    batch = batch_for(base, 1)
    model(**batch, labels=labels_for_batch(base, batch, 1))


def image_prompt(config: type, options: dict) -> None:
    get_peft_model(build("vit_imgcls"), config(task_type=None, **options))(**batch_for(build("vit_imgcls"), 1))


def main() -> None:
    write_tokenizer()
    everything = [case for family in FAMILIES for case in cases_of(family) if case.name not in LEFT_OUT]
    possible = [case for case in everything if runs(case)]
    refused = {case.name: refusal(lambda case=case: attempt(case)) for case in everything if case not in possible}
    refused["bert_tokencls prompt with labels"] = refusal(token_prompt)
    refused["vit prompt"] = refusal(lambda: image_prompt(PromptTuningConfig, PROMPT))
    refused["vit prefix"] = refusal(lambda: image_prompt(PrefixTuningConfig, PREFIX))
    refused["vit p_tuning"] = refusal(lambda: image_prompt(PromptEncoderConfig, ENCODED))
    write_cases(possible, __file__, __doc__)
    known = argparse.ArgumentParser(add_help=False)
    known.add_argument("--out", type=Path, default=Path("test/golden/methods-next"))
    out = known.parse_known_args()[0].out
    write_json(out / "refused.json", {"refused": refused, "made_by": made_by(__file__, "peft")})
    print(refused)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
