"""Writes test/golden/data/tokenizers-classes.json.gz: what transformers' AutoTokenizer makes of some 150 folders.

Needs tokenizers-table.json.gz, whose vocabularies it shares. Each folder is a few small files; kept are the special
tokens, sides, inputs and limits, and checksums of ids, word ids and decoded texts."""

import gzip
import json
import os
import tempfile
import warnings
import zlib
from pathlib import Path

import numpy as np

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
warnings.filterwarnings("ignore")
from quiet import silence_transformers  # noqa: E402
from tokenizer_texts import PAIRS, TEXTS  # noqa: E402
from transformers import AutoTokenizer  # noqa: E402

OUT = Path(__file__).parent.parent / "test/golden/data"
silence_transformers(errors_only=True)
TABLE = json.loads(gzip.decompress((OUT / "tokenizers-table.json.gz").read_bytes()))
MODELS, CHARSMAPS = TABLE["models"], TABLE["charsmaps"]
SOME = TEXTS[::2] + ["<ent> x<ent>y <ENT>", "Foo foo <extra_id_1> <|im_start|>", "do n't , is n't . it 's we 've ' x ' ?"]
WORDS = [["Hello", "world", "!"], ["the", "", "Caf\u00e9", " soup", "don't"], ["\u6a5f\u68b0", "[MASK]", "supercalifragilistic"], []]


def token(content, **flags):
    return {"content": content, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True, **flags}


def file(model, normalizer=None, pre=None, post=None, decoder=None, added=(), **more):
    vocab = MODELS[model]["vocab"]
    ids = vocab if isinstance(vocab, dict) else {t: i for i, (t, _) in enumerate(vocab)}
    tokens, size = [], len(vocab)
    for item in added:
        known = ids.get(item["content"])
        tokens.append({"id": size if known is None else known, **item})
        size += known is None
    return {"version": "1.0", "truncation": None, "padding": None, "added_tokens": tokens, "normalizer": normalizer, "pre_tokenizer": pre, "post_processor": post, "decoder": decoder, "model": model, **more}


BERT_NORM = {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "strip_accents": None, "lowercase": True}
BERT_POST = {"type": "BertProcessing", "sep": ["[SEP]", MODELS["wordpiece"]["vocab"]["[SEP]"]], "cls": ["[CLS]", MODELS["wordpiece"]["vocab"]["[CLS]"]]}
BYTES = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
META = {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "always", "split": True}
BERT_SPECIALS = [token(t) for t in ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")]
BERT = file("wordpiece", BERT_NORM, {"type": "BertPreTokenizer"}, BERT_POST, {"type": "WordPiece", "prefix": "##", "cleanup": True}, BERT_SPECIALS)
ROBERTA_IDS = MODELS["byte-bpe"]["vocab"]
ROBERTA = file("byte-bpe", None, BYTES, {"type": "RobertaProcessing", "sep": ["</s>", ROBERTA_IDS["</s>"]], "cls": ["<s>", ROBERTA_IDS["<s>"]], "trim_offsets": True, "add_prefix_space": False}, BYTES, [token("<s>"), token("<pad>"), token("</s>"), token("<unk>"), token("<mask>", lstrip=True)])
GPT2 = file("byte-bpe", None, BYTES, BYTES, BYTES, [token("<|endoftext|>", normalized=True)])
LLAMA = file("bpe-meta-bytes", {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "\u2581"}, {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"}]}, None,
             {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}], "pair": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "<s>", "type_id": 1}}, {"Sequence": {"id": "B", "type_id": 1}}], "special_tokens": {"<s>": {"id": "<s>", "ids": [MODELS["bpe-meta-bytes"]["vocab"]["<s>"]], "tokens": ["<s>"]}}},
             {"type": "Sequence", "decoders": [{"type": "Replace", "pattern": {"String": "\u2581"}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0}]}, [token("<unk>"), token("<s>"), token("</s>")])
QWEN = file("byte-bpe", {"type": "NFC"}, BYTES, BYTES, BYTES, [token("<|endoftext|>"), token("<|im_start|>"), token("<|im_end|>")])
SPM = file("unigram", {"type": "Precompiled", "precompiled_charsmap": "nmt_nfkc"}, META, None, META, [token("<s>"), token("</s>"), token("<unk>"), token("[CLS]"), token("[SEP]"), token("[UNK]"), token("[MASK]", lstrip=True)])
SPM_SEQ = {**SPM, "normalizer": {"type": "Sequence", "normalizers": [{"type": "Lowercase"}, SPM["normalizer"]]}}

FOLDERS = {}


def add(name, tokenizer=None, config=None, model_type=None, **files):
    assert name not in FOLDERS, name
    out = {}
    if tokenizer is not None:
        out["tokenizer.json"] = tokenizer
    if config is not None:
        out["tokenizer_config.json"] = config
    if model_type is not None:
        out["config.json"] = {"model_type": model_type} if isinstance(model_type, str) else model_type
    FOLDERS[name] = {**out, **files}


def named(cls, **more):
    return {"tokenizer_class": cls, **more}


for model_type in ("bert", "distilbert", "electra", "mobilebert", "convbert", "mpnet"):
    add(f"{model_type} by model type", BERT, None, model_type)
for name in ("BertTokenizer", "BertTokenizerFast", "DistilBertTokenizerFast", "ElectraTokenizerFast", "MPNetTokenizer", "ConvBertTokenizer", "PreTrainedTokenizerFast", "TokenizersBackend", "SomethingTokenizer"):
    add(f"{name} by name", BERT, named(name))
    add(f"{name} in a bert", BERT, named(name), "bert")
for flag in ("do_lower_case", "strip_accents", "tokenize_chinese_chars"):
    for value in (True, False):
        add(f"bert {flag} {value}", BERT, named("BertTokenizer", **{flag: value}))
        add(f"mpnet {flag} {value}", BERT, named("MPNetTokenizer", **{flag: value}))
        add(f"plain {flag} {value}", BERT, named("PreTrainedTokenizerFast", **{flag: value}))
add("bert cased with accents", BERT, named("BertTokenizer", do_lower_case=False, strip_accents=True))
add("bert strip_accents null", BERT, named("BertTokenizer", strip_accents=None))
add("bert as on the hub", BERT, {"do_lower_case": True, "model_max_length": 64}, "bert")
add("roberta as on the hub", ROBERTA, {"model_max_length": 64}, "roberta")
for model_type in ("roberta", "gpt2", "bart", "longformer", "xlm-roberta", "deberta", "gpt_neox", "opt"):
    add(f"{model_type} by model type, bytes", *(SPM if model_type == "xlm-roberta" else ROBERTA, None, model_type))
for name, base in (("RobertaTokenizer", ROBERTA), ("GPT2Tokenizer", GPT2), ("GPT2TokenizerFast", GPT2), ("DebertaTokenizer", ROBERTA), ("Qwen2Tokenizer", QWEN), ("GPTNeoXTokenizer", GPT2), ("BartTokenizer", ROBERTA), ("PreTrainedTokenizerFast", GPT2)):
    add(f"{name} by name, bytes", base, named(name))
    for value in (True, False):
        add(f"{name} add_prefix_space {value}", base, named(name, add_prefix_space=value))
add("roberta with the plain class", ROBERTA, named("PreTrainedTokenizerFast"), "roberta")
add("gpt2 with a pad token", GPT2, named("GPT2Tokenizer", pad_token="<|endoftext|>"))
add("gpt2 with a new pad token", GPT2, named("GPT2Tokenizer", pad_token="<pad>"))
add("gpt2 add_bos_token", GPT2, named("GPT2Tokenizer", add_bos_token=True))
for name in ("LlamaTokenizer", "LlamaTokenizerFast"):
    add(f"{name} by name", LLAMA, named(name))
for legacy in (True, False, None):
    for prefix in (True, False):
        add(f"llama legacy {legacy} prefix {prefix}", LLAMA, named("LlamaTokenizer", legacy=legacy, add_prefix_space=prefix))
add("llama with the plain class", LLAMA, named("PreTrainedTokenizerFast", bos_token="<s>", eos_token="</s>"), "llama")
add("llama by model type", LLAMA, None, "llama")
add("gemma", LLAMA, named("GemmaTokenizer"))
add("qwen2 with the plain class", QWEN, named("PreTrainedTokenizerFast"), "qwen2")
add("qwen2 by model type", QWEN, None, "qwen2")
add("qwen2 as published", QWEN, named("Qwen2Tokenizer", eos_token="<|im_end|>", pad_token="<|endoftext|>", additional_special_tokens=["<|im_start|>", "<|im_end|>"], bos_token=None, added_tokens_decoder={str(t["id"]): {k: v for k, v in t.items() if k != "id"} for t in QWEN["added_tokens"]}), "qwen2")
for name in ("XLMRobertaTokenizer", "AlbertTokenizer", "CamembertTokenizer", "T5Tokenizer", "DebertaV2Tokenizer", "DebertaV2TokenizerFast"):
    add(f"{name} by name", SPM, named(name))
    add(f"{name} with a sequence", SPM_SEQ, named(name))
    for value in (True, False):
        add(f"{name} add_prefix_space {value}", SPM, named(name, add_prefix_space=value))
for flags in ({"do_lower_case": True}, {"split_by_punct": True}, {"unk_id": 5}, {"unk_token": "<unk>"}):
    add(f"deberta-v2 {flags}", SPM, named("DebertaV2Tokenizer", **flags))
for flags in ({"do_lower_case": False}, {"keep_accents": True}):
    add(f"albert {flags}", SPM, named("AlbertTokenizer", **flags))
add("albert by model type", {**SPM, "post_processor": BYTES}, None, "albert")
for model_type in ("deberta-v2", "t5", "camembert"):
    add(f"{model_type} by model type", SPM, None, model_type)

SIZE = len(MODELS["wordpiece"]["vocab"])
DECODER = {str(t["id"]): {k: v for k, v in t.items() if k != "id"} for t in BERT["added_tokens"]}
ENT = token("<ent>")
add("added_tokens_decoder", BERT, named("BertTokenizer", added_tokens_decoder={**DECODER, str(SIZE): ENT}))
add("added_tokens_decoder alone", BERT, named("BertTokenizer", added_tokens_decoder={str(SIZE): ENT}))
add("added_tokens_decoder, plain class", BERT, named("PreTrainedTokenizerFast", added_tokens_decoder={str(SIZE): token("<ent>", special=False, normalized=True)}))
add("added_tokens_decoder with flags", BERT, named("BertTokenizer", added_tokens_decoder={**DECODER, str(SIZE): token("<ent>", lstrip=True, rstrip=True, special=False), str(SIZE + 1): token("foo", single_word=True, normalized=True, special=False)}))
add("added_tokens_decoder of a roberta", ROBERTA, named("RobertaTokenizer", added_tokens_decoder={str(len(ROBERTA_IDS)): ENT}))
add("added_tokens.json", BERT, named("BertTokenizer"), **{"added_tokens.json": {"<ent>": SIZE, "foo": SIZE + 1}})
add("added_tokens.json with a special one", BERT, named("BertTokenizer", additional_special_tokens=["<ent>"]), **{"added_tokens.json": {"<ent>": SIZE}})
add("added_tokens.json, plain class", BERT, named("PreTrainedTokenizerFast"), **{"added_tokens.json": {"<ent>": SIZE}})
add("additional_special_tokens", BERT, named("BertTokenizer", additional_special_tokens=["<ent>", "foo"]))
add("extra_special_tokens list", BERT, named("BertTokenizer", extra_special_tokens=["<ent>"]))
add("extra_special_tokens names", BERT, named("BertTokenizer", extra_special_tokens={"ent_token": "<ent>"}))
add("a token of its own", BERT, named("BertTokenizer", image_token="<ent>"))
add("special_tokens_map", BERT, named("BertTokenizer"), **{"special_tokens_map.json": {"pad_token": "[MASK]", "mask_token": token("<ent>", lstrip=True)}})
add("special_tokens_map over the config", BERT, named("BertTokenizer", pad_token="[PAD]"), **{"special_tokens_map.json": {"pad_token": "[MASK]"}})
add("special_tokens_map beside added_tokens_decoder", BERT, named("BertTokenizer", pad_token="[PAD]", added_tokens_decoder=DECODER), **{"special_tokens_map.json": {"pad_token": "[MASK]"}})
add("special_tokens_map, plain class", BERT, named("PreTrainedTokenizerFast"), **{"special_tokens_map.json": {"pad_token": "[PAD]", "additional_special_tokens": ["<ent>"]}})
add("other special tokens", BERT, named("BertTokenizer", cls_token="<s>", sep_token="</s>", unk_token="<unk>", pad_token="[MASK]"))
add("pad token null", BERT, named("BertTokenizer", pad_token=None))
add("token objects", BERT, named("BertTokenizer", mask_token={"__type": "AddedToken", **token("<ent>", lstrip=True)}))
add("split_special_tokens", BERT, named("BertTokenizer", split_special_tokens=True))
add("sides", BERT, named("BertTokenizer", padding_side="left", truncation_side="left"))
add("input names", BERT, named("BertTokenizer", model_input_names=["input_ids", "attention_mask"]))
add("padding section", {**BERT, "padding": {"strategy": "BatchLongest", "direction": "Left", "pad_to_multiple_of": None, "pad_id": 3, "pad_type_id": 1, "pad_token": "[SEP]"}}, named("PreTrainedTokenizerFast"))
add("padding section of a bert", {**BERT, "padding": {"strategy": {"Fixed": 12}, "direction": "Left", "pad_to_multiple_of": 8, "pad_id": 3, "pad_type_id": 0, "pad_token": "[SEP]"}}, named("BertTokenizer"))
add("truncation section", {**BERT, "truncation": {"direction": "Left", "max_length": 6, "strategy": "LongestFirst", "stride": 0}}, named("BertTokenizer"))
add("clean up", BERT, named("BertTokenizer", clean_up_tokenization_spaces=True))
add("clean up bytes", GPT2, named("GPT2Tokenizer", clean_up_tokenization_spaces=True))
add("max_len", BERT, named("BertTokenizer", max_len=33))
add("class of config.json", BERT, {}, {"model_type": "bert", "tokenizer_class": "DistilBertTokenizer"})
add("bert without post-processor", {**BERT, "post_processor": None}, named("PreTrainedTokenizerFast"))
add("short words", {**BERT, "model": "wordpiece-short"}, named("BertTokenizer"))
add("short words, plain class", {**BERT, "model": "wordpiece-short"}, named("PreTrainedTokenizerFast"))


def lines(vocab):
    return "\n".join(sorted(vocab, key=vocab.get)) + "\n"


VOCAB = {"vocab.txt": lines(MODELS["wordpiece"]["vocab"])}
PAIRS_FILES = {"vocab.json": json.dumps(ROBERTA_IDS), "merges.txt": "#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in MODELS["byte-bpe"]["merges"])}
for cls in ("BertTokenizer", "DistilBertTokenizer", "MPNetTokenizer"):
    add(f"{cls} of vocab.txt", None, named(cls), **VOCAB)
add("bert of vocab.txt by model type", None, {"do_lower_case": False}, "bert", **VOCAB)
add("vocab.txt and added tokens", None, named("BertTokenizer", added_tokens_decoder={str(SIZE): ENT}), **VOCAB)
for cls in ("RobertaTokenizer", "GPT2Tokenizer", "DebertaTokenizer", "Qwen2Tokenizer"):
    add(f"{cls} of vocab.json", None, named(cls), **PAIRS_FILES)
add("gpt2 of vocab.json with bos", None, named("GPT2Tokenizer", add_bos_token=True), **PAIRS_FILES)
add("gpt2 of vocab.json with bos and eos", None, named("GPT2Tokenizer", add_bos_token=True, add_eos_token=True), **PAIRS_FILES)
add("roberta of vocab.json by model type", None, {"add_prefix_space": True}, "roberta", **PAIRS_FILES)


def write(folder, files):
    for name, content in files.items():
        if name == "tokenizer.json":
            content = {**content, "model": MODELS[content["model"]]}
        text = content if isinstance(content, str) else json.dumps(content)
        for key, value in CHARSMAPS.items():
            text = text.replace(f'"precompiled_charsmap": "{key}"', f'"precompiled_charsmap": "{value}"')
        Path(folder, name).write_text(text, encoding="utf-8")


def checksum(values):
    return zlib.crc32(np.asarray(values, dtype="<i4").tobytes())


def encoding(result):
    return [*result["input_ids"], -1, *result.get("token_type_ids", []), -2, *result.get("attention_mask", [])]


def answers(tokenizer):
    singles = [tokenizer(t) for t in SOME]
    pairs = tokenizer([a for a, _ in PAIRS], [b for _, b in PAIRS])
    cut = tokenizer([a for a, _ in PAIRS], [b for _, b in PAIRS], truncation=True, max_length=7)
    bare = tokenizer([a for a, _ in PAIRS], [b for _, b in PAIRS], add_special_tokens=False)
    row = lambda batch, i: encoding({k: v[i] for k, v in batch.items()})  # noqa: E731
    words = [tokenizer(w, is_split_into_words=True) for w in WORDS]
    pair = tokenizer(WORDS[1], WORDS[2], is_split_into_words=True, truncation=True, max_length=14)
    numbers = lambda ids: [-1 if i is None else i for i in ids]  # noqa: E731
    decoded = [tokenizer.decode(s["input_ids"], **options) for s in singles for options in ({}, {"skip_special_tokens": True}, {"clean_up_tokenization_spaces": True})]
    ids = {n: v for n, v in ((n, getattr(tokenizer, n, None)) for n in tokenizer.SPECIAL_TOKENS_ATTRIBUTES[:7]) if v is not None}
    return {
        "specialTokens": ids,
        "padTokenId": tokenizer.pad_token_id,
        "inputs": tokenizer.model_input_names,
        "paddingSide": tokenizer.padding_side,
        "maxLength": tokenizer.model_max_length if tokenizer.model_max_length < 1e9 else None,
        "singles": [checksum(encoding(s)) for s in singles],
        "pairs": [checksum(row(b, i)) for b in (pairs, cut, bare) for i in range(len(PAIRS))],
        "words": [checksum([*w["input_ids"], -1, *numbers(w.word_ids())]) for w in [*words, pair]],
        "decoded": [zlib.crc32(t.encode()) for t in decoded],
    }


def main():
    golden = {"texts": SOME, "pairs": PAIRS, "words": WORDS, "folders": {}}
    for name, files in FOLDERS.items():
        with tempfile.TemporaryDirectory() as folder:
            write(folder, files)
            try:
                tokenizer = AutoTokenizer.from_pretrained(folder)
                golden["folders"][name] = {"files": files, "answers": answers(tokenizer)}
            except Exception as error:
                print("left out:", name, type(error).__name__, str(error)[:90])
    path = OUT / "tokenizers-classes.json.gz"
    path.write_bytes(gzip.compress(json.dumps(golden, ensure_ascii=False, separators=(",", ":")).encode(), 9, mtime=0))
    print(path.stat().st_size, "bytes;", len(golden["folders"]), "folders")


if __name__ == "__main__":
    main()
