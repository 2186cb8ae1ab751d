"""Writes test/golden/data/tokenizers-table.json.gz: more than 300 tokenizer.json files (every stage, option and many
combinations) with what the Rust library makes of 200 texts and 4 pairs, as checksums of ids, types and decoded text.

Vocabularies are trained here on text written for this purpose; files that share one name it."""

import base64
import copy
import gzip
import io
import itertools
import json
import os
import zlib
from pathlib import Path

import numpy as np
import sentencepiece
from sentencepiece import sentencepiece_model_pb2
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from tokenizer_texts import PAIRS, texts

os.environ["TOKENIZERS_PARALLELISM"] = "false"
OUT = Path(__file__).parent.parent / "test/golden/data"
CORPUS = (Path(__file__).parent / "make_tokenizer_golden.py").read_text(encoding="utf-8").split('"""')[3].strip().split("\n")
TEXTS = texts()
random = np.random.default_rng(5)
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "<s>", "</s>", "<unk>", "<|endoftext|>"]


def trained(model, trainer, pre, corpus=CORPUS):
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = pre
    tokenizer.train_from_iterator(corpus, trainer)
    return json.loads(tokenizer.to_str())["model"]


def bpe_model(pre=None, alphabet=(), size=420, **options):
    unk = options.pop("unk_token", "[UNK]")
    trainer_options = {k: v for k, v in options.items() if k in ("continuing_subword_prefix", "end_of_word_suffix")}
    trainer = trainers.BpeTrainer(vocab_size=size, special_tokens=SPECIAL, initial_alphabet=list(alphabet), show_progress=False, **trainer_options)
    model = trained(models.BPE(unk_token=unk, **options), trainer, pre or pre_tokenizers.Whitespace())
    return model


def with_bytes(model):
    """The same with tokens for all bytes."""
    out = copy.deepcopy(model)
    names = [f"<0x{b:02X}>" for b in range(256)]
    if isinstance(out["vocab"], list):
        out["vocab"] += [[name, -12.0] for name in names]
    else:
        out["vocab"].update({name: len(out["vocab"]) + i for i, name in enumerate(names)})
    return {**out, "byte_fallback": True}


metaspace = pre_tokenizers.Metaspace()
byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False)
wordpiece = trained(models.WordPiece(unk_token="[UNK]"), trainers.WordPieceTrainer(vocab_size=420, special_tokens=SPECIAL, show_progress=False), pre_tokenizers.BertPreTokenizer(), [t.lower() for t in CORPUS] + CORPUS)
unigram = trained(models.Unigram(), trainers.UnigramTrainer(vocab_size=400, special_tokens=SPECIAL, unk_token="[UNK]", show_progress=False), metaspace)
plain_bpe = bpe_model()
meta_bpe = bpe_model(metaspace, unk_token="<unk>")
MODELS = {
    "wordpiece": wordpiece,
    "wordpiece-short": {**wordpiece, "max_input_chars_per_word": 10},
    "wordpiece-no-prefix": {**wordpiece, "continuing_subword_prefix": ""},
    "bpe": plain_bpe,
    "bpe-fuse": {**plain_bpe, "fuse_unk": True},
    "bpe-no-unk": {**plain_bpe, "unk_token": None},
    "bpe-ignore-merges": {**plain_bpe, "ignore_merges": True},
    "bpe-prefix": bpe_model(continuing_subword_prefix="##"),
    "bpe-suffix": bpe_model(end_of_word_suffix="</w>"),
    "bpe-prefix-fuse": {**bpe_model(continuing_subword_prefix="@@"), "fuse_unk": True},
    "bpe-meta": meta_bpe,
    "bpe-meta-bytes": {**with_bytes(meta_bpe), "fuse_unk": True},
    "bpe-bytes": with_bytes(plain_bpe),
    "byte-bpe": {**bpe_model(byte_level, pre_tokenizers.ByteLevel.alphabet(), 480), "unk_token": None},
    "byte-bpe-ignore-merges": {**bpe_model(byte_level, pre_tokenizers.ByteLevel.alphabet(), 600), "unk_token": None, "ignore_merges": True},
    "unigram": unigram,
    "unigram-bytes": with_bytes(unigram),
    "unigram-no-unk": {**unigram, "unk_id": None},
    "wordlevel": trained(models.WordLevel(unk_token="[UNK]"), trainers.WordLevelTrainer(vocab_size=300, special_tokens=SPECIAL, show_progress=False), pre_tokenizers.Whitespace()),
}
# CLIP-like bytes with an end-of-word suffix
clip = {**bpe_model(byte_level, (), 480, end_of_word_suffix="</w>"), "unk_token": "<|endoftext|>"}
MODELS["clip"] = clip


def charsmap(**options):
    """The precompiled rules of a SentencePiece normaliser."""
    buffer = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(CORPUS * 3), model_writer=buffer, vocab_size=200, hard_vocab_limit=False, minloglevel=2, **options)
    proto = sentencepiece_model_pb2.ModelProto()
    proto.ParseFromString(buffer.getvalue())
    return base64.b64encode(proto.normalizer_spec.precompiled_charsmap).decode()


CHARSMAPS = {name: charsmap(normalization_rule_name=name) for name in ("nmt_nfkc", "nfkc_cf")}


def bert(clean=True, chinese=True, accents=None, lower=True):
    return {"type": "BertNormalizer", "clean_text": clean, "handle_chinese_chars": chinese, "strip_accents": accents, "lowercase": lower}


def replace(content, **pattern):
    return {"type": "Replace", "pattern": pattern, "content": content}


def sequence(*stages, key="normalizers"):
    return {"type": "Sequence", key: list(stages)}


def split(behavior, invert=False, **pattern):
    return {"type": "Split", "pattern": pattern, "behavior": behavior, "invert": invert}


def meta(scheme="always", splits=True, replacement="\u2581"):
    return {"type": "Metaspace", "replacement": replacement, "prepend_scheme": scheme, "split": splits}


def bytes_stage(prefix=False, regex=True):
    return {"type": "ByteLevel", "add_prefix_space": prefix, "trim_offsets": True, "use_regex": regex}


BEHAVIORS = ["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"]
NORMALIZERS = {f"bert-{c:d}{z:d}{a}{lo:d}": bert(c, z, a, lo) for c, z, a, lo in itertools.product([True, False], [True, False], [None, True, False], [True, False]) if (c and z) or a is None}
NORMALIZERS |= {k: {"type": k} for k in ("NFC", "NFD", "NFKC", "NFKD", "Lowercase", "StripAccents", "Nmt", "ByteLevel")}
NORMALIZERS |= {f"strip-{left:d}{right:d}": {"type": "Strip", "strip_left": left, "strip_right": right} for left in (True, False) for right in (True, False)}
NORMALIZERS |= {
    "replace-string": replace("\u2581", String=" "),
    "replace-special": replace("<>", String="a.b*c"),
    "replace-regex": replace(" ", Regex=r"\s{2,}|[\n\r\t]"),
    "replace-class": replace("#", Regex=r"[^\w\s\p{P}]+"),
    "replace-nothing": replace("", Regex=r"\p{M}"),
    "prepend": {"type": "Prepend", "prepend": "\u2581"},
    "nmt_nfkc": {"type": "Precompiled", "precompiled_charsmap": "nmt_nfkc"},
    "nfkc_cf": {"type": "Precompiled", "precompiled_charsmap": "nfkc_cf"},
    "llama-1": sequence({"type": "Prepend", "prepend": "\u2581"}, replace("\u2581", String=" ")),
    "deberta-v2": sequence(replace(" ", Regex=r"\s{2,}|[\n\r\t]"), {"type": "NFC"}, {"type": "Strip", "strip_left": False, "strip_right": True}),
    "albert": sequence(replace('"', String="``"), replace('"', String="''"), {"type": "NFKD"}, {"type": "StripAccents"}, {"type": "Lowercase"}, {"type": "Precompiled", "precompiled_charsmap": "nmt_nfkc"}),
    "t5": sequence({"type": "Precompiled", "precompiled_charsmap": "nmt_nfkc"}, {"type": "Strip", "strip_left": False, "strip_right": True}, replace("\u2581", Regex=" {2,}")),
    "clip": sequence({"type": "NFC"}, replace(" ", Regex=r"\s+"), {"type": "Lowercase"}),
    "nfd-lower-accents": sequence({"type": "NFD"}, {"type": "Lowercase"}, {"type": "StripAccents"}),
    "nested": sequence(sequence({"type": "NFKC"}), {"type": "Strip", "strip_left": True, "strip_right": True}, {"type": "Prepend", "prepend": "x "}),
    "empty-sequence": sequence(),
}

LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
QWEN = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
CL100K = r"(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+"
O200K = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
DEEPSEEK = "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
CLIP = r"""<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"""
REGEXES = {"qwen": QWEN, "llama3": LLAMA3, "cl100k": CL100K, "o200k": O200K, "deepseek": DEEPSEEK, "clip": CLIP}
REGEXES |= {
    "dot": ".", "not-space": r"\S+", "word": r"\w+", "not-word": r"\W+", "digit": r"\d+", "boundary": r"\b\w", "han": r"\p{Han}+", "lookbehind": r"(?<=a)b|(?<!a)c",
    "lazy": r"a.*?b", "atomic": r"(?>a+)b|x", "possessive": r"a++|[b-d]?+e", "class-and": r"[a-z&&[^aeiou]]+", "nested": r"[a-c[x-z]]+", "posix": r"[[:digit:]]+|[[:space:]]",
    "case": r"(?i)THE|soup", "interval": r"o{2}|l{1,}|s{,2}t", "anchors": r"^\w+|\w+$", "text-ends": r"\A.|.\z", "empty": r"x*", "alternatives": r"(a|b)(c|d)|[一-龥぀-ゟ゠-ヿ]+", "negated": r"\P{L}+", "inverted": r"\p{^N}+|[^\p{L}\d]",
}
PRE = {k: {"type": k} for k in ("BertPreTokenizer", "Whitespace", "WhitespaceSplit", "UnicodeScripts")}
PRE |= {f"byte-level-{p:d}{r:d}": bytes_stage(p, r) for p in (True, False) for r in (True, False)}
PRE |= {f"metaspace-{s}-{b:d}": meta(s, b) for s in ("always", "first", "never") for b in (True, False)}
PRE |= {"metaspace-_": meta("always", True, "_"), "metaspace-legacy": {"type": "Metaspace", "replacement": "\u2581", "add_prefix_space": True}}
PRE |= {f"punctuation-{b}": {"type": "Punctuation", "behavior": b} for b in BEHAVIORS} | {"punctuation-default": {"type": "Punctuation"}}
PRE |= {f"digits-{b:d}": {"type": "Digits", "individual_digits": b} for b in (True, False)}
PRE |= {f"delimiter-{d}": {"type": "CharDelimiterSplit", "delimiter": d} for d in (" ", "-", "\u65e5", "o")}
PRE |= {f"fixed-{n}": {"type": "FixedLength", "length": n} for n in (1, 5)}
PRE |= {f"split-{b}-{i:d}-{n}": split(b, i, **p) for b in BEHAVIORS for i in (True, False) for n, p in (("string", {"String": " "}), ("regex", {"Regex": r"\p{P}|\s+"}))}
PRE |= {f"regex-{n}": split("Isolated", False, Regex=r) for n, r in REGEXES.items()}
PRE |= {f"regex-removed-{n}": split("Removed", True, Regex=REGEXES[n]) for n in ("qwen", "clip", "word", "digit")}
PRE |= {
    "scripts-meta": sequence({"type": "UnicodeScripts"}, meta(), key="pretokenizers"),
    "space-meta": sequence({"type": "WhitespaceSplit"}, meta(), key="pretokenizers"),
    "space-meta-first": sequence({"type": "WhitespaceSplit"}, meta("first"), key="pretokenizers"),
    "punctuation-meta-first": sequence({"type": "Punctuation", "behavior": "Isolated"}, meta("first"), key="pretokenizers"),
    "whitespace-digits": sequence({"type": "Whitespace"}, {"type": "Digits", "individual_digits": True}, key="pretokenizers"),
    "empty-sequence": sequence(key="pretokenizers"),
}
BYTE_PRE = {f"{n}-bytes": sequence(split("Isolated", False, Regex=REGEXES[n]), bytes_stage(False, False), key="pretokenizers") for n in ("qwen", "llama3", "cl100k", "o200k", "deepseek")}
BYTE_PRE |= {
    "clip-bytes": sequence(split("Removed", True, Regex=CLIP), bytes_stage(False), key="pretokenizers"),
    "digits-bytes": sequence({"type": "Digits", "individual_digits": True}, bytes_stage(), key="pretokenizers"),
    "split-digits-bytes": sequence(split("Isolated", False, Regex=r"\p{N}{1,3}"), split("Isolated", False, Regex=r"[一-龥]+"), bytes_stage(True), key="pretokenizers"),
    "space-bytes": sequence({"type": "WhitespaceSplit"}, bytes_stage(True), key="pretokenizers"),
}
DECODERS = {
    "byte-level": bytes_stage(), "wordpiece": {"type": "WordPiece", "prefix": "##", "cleanup": True}, "wordpiece-raw": {"type": "WordPiece", "prefix": "##", "cleanup": False}, "metaspace": meta(), "metaspace-never": meta("never"),
    "bpe": {"type": "BPEDecoder", "suffix": "</w>"}, "bytes": {"type": "ByteFallback"}, "fuse": {"type": "Fuse"}, "ctc": {"type": "CTC", "pad_token": "[PAD]", "word_delimiter_token": "|", "cleanup": True},
    "llama": sequence(replace(" ", String="\u2581"), {"type": "ByteFallback"}, {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0}, key="decoders"),
    "replace": replace(" ", Regex=r"[\u2581\u0120]"), "none": None,
}


def token(content, **flags):
    return {"content": content, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": False, **flags}


ADDED = {
    "plain": [token("foo"), token("foobar"), token("stop")],
    "normalized": [token("Foo", normalized=True), token("STOP", normalized=True), token("Caf\u00e9", normalized=True)],
    "single": [token("foo", single_word=True), token("stop", single_word=True, normalized=True), token("\u65e5", single_word=True)],
    "strips": [token("<mask>", lstrip=True, special=True), token("foo", rstrip=True), token("stop", lstrip=True, rstrip=True)],
    "strips-normalized": [token("Foo", lstrip=True, rstrip=True, normalized=True), token("b", normalized=True, rstrip=True), token(" a", normalized=True)],
    "specials": [token(s, special=True) for s in ("[MASK]", "<s>", "</s>", "<mask>", "[SEP]")],
    "white": [token("  "), token("\n"), token("\u2581\u2581", normalized=True), token("   ", normalized=True)],
    "mixed": [token("[MASK]", special=True, lstrip=True), token("o", normalized=True, single_word=True), token("the", single_word=True), token("\U0001f600"), token("x.y*z")],
}


def special(name, type_id=0):
    return {"SpecialToken": {"id": name, "type_id": type_id}}


def text(name, type_id=0):
    return {"Sequence": {"id": name, "type_id": type_id}}


def template(single, pair, *names):
    return lambda vocab: {"type": "TemplateProcessing", "single": single, "pair": pair, "special_tokens": {n: {"id": n, "ids": [vocab[n]], "tokens": [n]} for n in names}}


CLS, SEP = special("[CLS]"), special("[SEP]")
POST = {
    "none": lambda vocab: None,
    "bert": lambda vocab: {"type": "BertProcessing", "sep": ["[SEP]", vocab["[SEP]"]], "cls": ["[CLS]", vocab["[CLS]"]]},
    "roberta": lambda vocab: {"type": "RobertaProcessing", "sep": ["</s>", vocab["</s>"]], "cls": ["<s>", vocab["<s>"]], "trim_offsets": True, "add_prefix_space": False},
    "bytes": lambda vocab: bytes_stage(True),
    "template": template([CLS, text("A"), SEP], [CLS, text("A"), SEP, text("B", 1), special("[SEP]", 1)], "[CLS]", "[SEP]"),
    "bos": template([special("<s>"), text("A")], [special("<s>"), text("A"), special("<s>", 1), text("B", 1)], "<s>"),
    "swapped": template([text("A", 2), SEP], [text("B", 3), SEP, SEP, text("A", 1)], "[SEP]"),
    "sequence": lambda vocab: sequence(bytes_stage(True), POST["bos"](vocab), key="processors"),
}


def checksum(values):
    return zlib.crc32(np.asarray(values, dtype="<i4").tobytes())


class Table:
    def __init__(self):
        self.cases, self.seen = [], set()

    def add(self, model, normalizer=None, pre=None, decoder="none", added=None, post="none"):
        name = "/".join(str(x) for x in (model, normalizer, pre, added, post, decoder))
        if name in self.seen:
            return
        self.seen.add(name)
        vocab = MODELS[model]["vocab"]
        ids = vocab if isinstance(vocab, dict) else {t: i for i, (t, _) in reversed(list(enumerate(vocab)))}
        file = {
            "version": "1.0", "truncation": None, "padding": None, "added_tokens": [],
            "normalizer": NORMALIZERS.get(normalizer), "pre_tokenizer": {**PRE, **BYTE_PRE}.get(pre),
            "post_processor": POST[post](ids), "decoder": DECODERS[decoder], "model": model,
        }
        if added:
            size = len(vocab)
            for item in ADDED[added]:
                known = ids.get(item["content"])
                file["added_tokens"].append({"id": size if known is None else known, **item})
                size += known is None
        self.answer(name, file)

    def answer(self, name, file):
        whole = json.dumps({**file, "model": MODELS[file["model"]]})
        for key, value in CHARSMAPS.items():
            whole = whole.replace(f'"precompiled_charsmap": "{key}"', f'"precompiled_charsmap": "{value}"')
        tokenizer = Tokenizer.from_str(whole)
        sums, decoded = [], []
        for item in [*TEXTS, *PAIRS]:
            try:
                encoding = tokenizer.encode(*item) if isinstance(item, tuple) else tokenizer.encode(item)
            except BaseException:  # no unknown token, or a panic over added tokens that overlap
                sums.append(0)
                decoded.append(0)
                continue
            sums.append(checksum([*encoding.ids, *encoding.type_ids]))
            decoded.append(zlib.crc32(tokenizer.decode(encoding.ids, skip_special_tokens=False).encode()) if encoding.ids else 0)
        pack = lambda values: base64.b64encode(np.asarray(values, dtype="<u4").tobytes()).decode()  # noqa: E731
        self.cases.append({"name": name, "file": file, "ids": pack(sums), "texts": pack(decoded)})


table = Table()
for name in NORMALIZERS:  # every normaliser, on two kinds of vocabulary
    table.add("wordpiece", name, "BertPreTokenizer", "wordpiece")
    table.add("bpe-bytes" if name != "ByteLevel" else "byte-bpe", name, None, "bytes")
for name in PRE:  # every pre-tokeniser
    table.add("byte-bpe" if name.startswith("byte-level") else "bpe-meta-bytes", None, name, "byte-level" if name.startswith("byte") else "llama")
    table.add("wordpiece-short", "NFD", name, "metaspace")
for name in BYTE_PRE:
    table.add("byte-bpe", "NFC", name, "byte-level")
    table.add("byte-bpe-ignore-merges", None, name, "byte-level", "specials", "bos")
for name in MODELS:  # every model
    table.add(name, None, "Whitespace", "fuse")
    table.add(name, "bert-11None1", None, "wordpiece-raw", "plain")
    table.add(name, "llama-1", None, "llama")
    table.add(name, "NFKC", "metaspace-always-1", "metaspace-never", "mixed", "template")
for added in ADDED:  # every kind of added token
    table.add("wordpiece", "bert-11None1", "BertPreTokenizer", "wordpiece", added, "bert")
    table.add("byte-bpe", None, "byte-level-10", "byte-level", added, "roberta")
    table.add("byte-bpe", None, "byte-level-01", "byte-level", added)
    table.add("unigram", "nmt_nfkc", "metaspace-first-1", "metaspace", added, "bos")
    table.add("bpe-meta-bytes", "llama-1", None, "llama", added)
for post in POST:
    table.add("wordpiece", "bert-11None1", "BertPreTokenizer", "wordpiece", None, post)
for decoder in DECODERS:
    table.add("bpe-suffix", None, "BertPreTokenizer", decoder)
    table.add("unigram-bytes", None, "metaspace-always-1", decoder)
for name in ("deberta-v2", "albert", "t5", "nmt_nfkc", "nfkc_cf"):  # SentencePiece families
    for pre in ("space-meta", "metaspace-always-1", "metaspace-first-0"):
        table.add("unigram", name, pre, "metaspace", "specials", "template")
table.add("clip", "clip", "clip-bytes", "bpe", "specials")
table.add("bpe-meta-bytes", None, "metaspace-first-0", "llama", "specials", "bos")
table.add("bpe-meta-bytes", "replace-string", "split-MergedWithPrevious-0-string", "llama", "specials", "bos")
keys = [list(MODELS), [None, *NORMALIZERS], [None, *PRE, *BYTE_PRE], list(DECODERS), [None, *ADDED], list(POST)]
pick = lambda options: options[random.integers(len(options))]  # noqa: E731
while len(table.cases) < 420:  # combinations
    table.add(*(pick(options) for options in keys))

golden = {"texts": TEXTS, "pairs": PAIRS, "models": MODELS, "charsmaps": CHARSMAPS, "cases": table.cases}
path = OUT / "tokenizers-table.json.gz"
path.write_bytes(gzip.compress(json.dumps(golden, ensure_ascii=False, separators=(",", ":")).encode(), 9, mtime=0))
print(path.stat().st_size, "bytes;", len(table.cases), "tokenizers;", len(TEXTS), "texts")
