"""Writes test/golden/data/spm/*.model and tokenizers-spm.json.gz: SentencePiece models, and what AutoTokenizer makes of them.

    python reference/make_spm_golden.py

Each folder is a SentencePiece model, by its name in spm/, beside a few small files and without tokenizer.json. The layout is that
of make_tokenizer_class_golden.py, which asks the same questions of the same texts. The models are trained on these texts.
"""

import contextlib
import gzip
import json
import shutil
import tempfile
from pathlib import Path

import sentencepiece
from make_tokenizer_class_golden import OUT, PAIRS, SOME, WORDS, answers, named, token
from tokenizer_texts import TEXTS
from transformers import AutoTokenizer

SPM = OUT / "spm"
FEW_RULES = "FF21\t41\nFF22\t42\nFF23\t43\nFB01\t66 69\n3000\t20\n41\t61\n"

MODELS = {
    "deberta": dict(
        model_type="unigram", vocab_size=800, normalization_rule_name="identity", add_dummy_prefix=True,
        pad_id=0, bos_id=1, eos_id=2, unk_id=3, pad_piece="[PAD]", bos_piece="[CLS]", eos_piece="[SEP]", unk_piece="[UNK]",
    ),
    "deberta-symbols": dict(
        model_type="unigram", vocab_size=700, normalization_rule_name="identity", control_symbols=["<ctrl>"],
        user_defined_symbols=["<ent>", "foo", "[MASK]"],
        pad_id=0, bos_id=1, eos_id=2, unk_id=3, pad_piece="[PAD]", bos_piece="[CLS]", eos_piece="[SEP]", unk_piece="<unk>",
    ),
    "llama": dict(
        model_type="bpe", vocab_size=1000, normalization_rule_name="identity", byte_fallback=True, split_digits=True,
        allow_whitespace_only_pieces=True, pad_id=-1, bos_id=1, eos_id=2, unk_id=0,
    ),
    "llama-symbols": dict(
        model_type="bpe", vocab_size=900, normalization_rule_name="identity", byte_fallback=True, pad_id=-1, bos_id=1, eos_id=2, unk_id=0,
        user_defined_symbols=["<ent>", "▁▁"], control_symbols=["<|im_start|>"],
    ),
    "roberta": dict(model_type="unigram", vocab_size=700, normalization_rule_tsv="rules.tsv", pad_id=-1, unk_id=0, bos_id=1, eos_id=2),
    "t5": dict(model_type="unigram", vocab_size=600, normalization_rule_tsv="rules.tsv", pad_id=0, eos_id=1, unk_id=2, bos_id=-1),
}  # fmt: skip


def train(name: str, options: dict) -> None:
    """In a folder of its own, since the file keeps the paths that it was made with."""
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        Path("rules.tsv").write_text(FEW_RULES)
        sentences = (text for text in TEXTS * 3 if "\x00" not in text)
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=sentences, model_prefix="m", hard_vocab_limit=False, character_coverage=0.98,
            num_threads=1, minloglevel=3, **options,
        )  # fmt: skip
        shutil.copy("m.model", SPM / f"{name}.model")


def size(name: str) -> int:
    return len(sentencepiece.SentencePieceProcessor(model_file=str(SPM / f"{name}.model")))


FOLDERS: dict[str, dict] = {}


def add(name: str, model: str, file: str, config: dict | None = None, model_type: str | None = None, **files) -> None:
    out = {file: {"model": model}}
    if config is not None:
        out["tokenizer_config.json"] = config
    if model_type is not None:
        out["config.json"] = {"model_type": model_type}
    FOLDERS[name] = out | files


V2 = "DebertaV2Tokenizer"


def add_all() -> None:
    add("deberta-v2 by name", "deberta", "spm.model", named(V2))
    add("deberta-v2 by model type", "deberta", "spm.model", {"do_lower_case": False, "vocab_type": "spm"}, "deberta-v2")
    add("deberta-v2 without tokenizer_config.json", "deberta", "spm.model", None, "deberta-v2")
    add("deberta-v2 as published", "deberta", "spm.model", {"do_lower_case": False, "vocab_type": "spm"}, "deberta-v2", **{"added_tokens.json": {"[MASK]": size("deberta")}})
    add("deberta-v2 and added_tokens_decoder", "deberta", "spm.model", named(V2, added_tokens_decoder={str(size("deberta")): token("[MASK]"), str(size("deberta") + 1): token("<ent>", lstrip=True, special=False)}))
    add("deberta-v2 and special tokens", "deberta", "spm.model", named(V2, additional_special_tokens=["<ent>"]), **{"special_tokens_map.json": {"mask_token": token("<ent>", lstrip=True)}})
    for flags in ({"do_lower_case": True}, {"split_by_punct": True}, {"unk_id": 5}, {"add_prefix_space": False}):
        add(f"deberta-v2 {flags}", "deberta", "spm.model", named(V2, **flags))
    add("deberta-v2 with symbols", "deberta-symbols", "spm.model", named(V2))
    add("deberta-v2 with symbols and its unknown token", "deberta-symbols", "spm.model", named(V2, unk_token="<unk>"))
    add("deberta-v2 with symbols and special tokens", "deberta-symbols", "spm.model", named(V2, additional_special_tokens=["foo", "bar"]))
    for legacy in (True, False):
        add(f"llama legacy {legacy}", "llama", "tokenizer.model", named("LlamaTokenizer", legacy=legacy, add_bos_token=True, add_eos_token=False))
    add("llama by model type", "llama", "tokenizer.model", None, "llama")
    for model in ("llama-symbols", "roberta", "deberta-symbols"):
        add(f"plain class of {model}", model, "tokenizer.model", named("PreTrainedTokenizerFast"))
        add(f"plain class of {model} with tokens", model, "tokenizer.model", named("TokenizersBackend", bos_token="[CLS]", pad_token="<pad>"))
    add("plain class with other names", "llama", "tokenizer.model", named("TokenizersBackend", added_tokens_decoder={"0": token("<unk>"), "5": token("<|start|>"), "1000": token("<|end|>")}))
    add("no class", "llama", "tokenizer.model", {})
    add("llama with eos", "llama", "tokenizer.model", named("LlamaTokenizer", add_bos_token=True, add_eos_token=True, pad_token="</s>"))
    add("llama with symbols", "llama-symbols", "tokenizer.model", named("LlamaTokenizer"))
    add("llama and added tokens", "llama-symbols", "tokenizer.model", named("LlamaTokenizer", added_tokens_decoder={"0": token("<unk>"), "1": token("<s>"), "2": token("</s>"), str(size("llama-symbols")): token("<pad>")}, pad_token="<pad>"))
    add("gemma", "llama", "tokenizer.model", named("GemmaTokenizer"))
    for name, model, file in (("XLMRobertaTokenizer", "roberta", "sentencepiece.bpe.model"), ("CamembertTokenizer", "roberta", "sentencepiece.bpe.model"), ("T5Tokenizer", "t5", "spiece.model"), ("AlbertTokenizer", "roberta", "spiece.model")):
        add(name, model, file, named(name))
        add(f"{name} without prefix", model, file, named(name, add_prefix_space=False))
    add("t5 with fewer extra tokens", "t5", "spiece.model", named("T5Tokenizer", extra_ids=3))
    add("xlm-roberta by model type", "roberta", "sentencepiece.bpe.model", None, "xlm-roberta")


def write(folder: str, files: dict) -> None:
    for name, content in files.items():
        if name.endswith(".model"):
            shutil.copy(SPM / f"{content['model']}.model", Path(folder, name))
        else:
            Path(folder, name).write_text(json.dumps(content), encoding="utf-8")


def main() -> None:
    SPM.mkdir(exist_ok=True)
    for name, options in MODELS.items():
        train(name, options)
        print(name, (SPM / f"{name}.model").stat().st_size, "bytes", size(name), "pieces")
    add_all()
    golden = {"texts": SOME, "pairs": PAIRS, "words": WORDS, "folders": {}}
    for name, files in FOLDERS.items():
        with tempfile.TemporaryDirectory() as folder:
            write(folder, files)
            try:
                tokenizer = AutoTokenizer.from_pretrained(folder)
                golden["folders"][name] = {"files": files, "answers": answers(tokenizer)}
            except Exception as error:  # noqa: BLE001: what transformers cannot read is no golden
                print("left out:", name, type(error).__name__, str(error)[:90])
    path = OUT / "tokenizers-spm.json.gz"
    path.write_bytes(gzip.compress(json.dumps(golden, ensure_ascii=False, separators=(",", ":")).encode(), 9, mtime=0))
    print(path.stat().st_size, "bytes;", len(golden["folders"]), "folders")


if __name__ == "__main__":
    main()
