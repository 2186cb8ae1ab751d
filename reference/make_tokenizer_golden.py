"""Writes test/golden/data/tiny-wordpiece/, tiny-bpe/ (tokenizers trained here on text written for this purpose) and
test/golden/data/tokenizers.json: what Hugging Face's tokenizers give for difficult texts, pairs and truncation.

For the real tokenizers of ../shared/assets only checksums of the ids are stored; texts of GLUE are not repeated."""

import json
import os
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

os.environ["TOKENIZERS_PARALLELISM"] = "false"
OUT = Path(__file__).parent.parent / "test/golden/data"
ASSETS = Path(os.environ.get("GRAFT_ASSETS", Path(__file__).parent.parent.parent / "shared/assets"))

CORPUS = """
A small model learns a new task when a few of its weights may move. The rest stay where they were.
The cook tasted the soup, added salt, tasted again and smiled: it was good, really good!
It rained on Monday, Tuesday and Wednesday; on Thursday the river rose 12.5 centimetres (5 inches).
"Why don't you come along?" she asked. "Because I've seen it," he said, "and it wasn't worth it."
Matrices of low rank are cheap: r * (m + n) numbers instead of m * n of them, e.g. 8 * (768 + 768) = 12288.
Cafés, naïve façades and a rösti in Zürich. Smørrebrød, piñata, Dvořák, Łódź, Ağrı.
Der schnelle Fuchs, die Straße, der Größenwahn. Les élèves étudient à l'école. El niño comió.
機械学習は楽しい。東京は大きい。我们喜欢吃面条。한국어 문장도 있습니다. Привет, мир! Καλημέρα κόσμε. שלום עולם.
Numbers: 1 22 333 4444 55555; signs: # @ % & * + - = / < > [ ] { } | ~ ^ _ ` $ £ €.
"""

TEXTS = [
    "", " ", "   ", "\n", "Hello world", "hello  world ", "  leading and trailing  ", "The soup was good, wasn't it?",
    "UPPER lower MiXeD", "don't can't we'll they've I'm he'd you're 'quoted' ''double''",
    "Café naïve façade Zürich Smørrebrød Łódź Ağrı Dvořák", "e\u0301 vs \u00e9, n\u0303 vs \u00f1, a\u0301\u0302\u0303\u0304",
    "ΟΔΟΣ ΣΊΣΥΦΟΣ όδος Σ ς", "İstanbul ISPARTA ıslak", "Straße STRASSE ẞ", "ﬁne oﬃce ＡＢＣ １２３ ㍿",
    "機械学習は楽しい。", "我们喜欢吃面条 and noodles", "漢字kanji混在text", "𠀀𠀁 丽 𪛖", "한국어 문장", "한국어",
    "Привет, мир! Ёлка", "שלום עולם עִבְרִית", "مرحبا بالعالم مَرْحَبًا", "हिन्दी में नमस्ते", "ภาษาไทย ไม่มี ช่องว่าง",
    "emoji 😀 😃😄 👍🏽 👨‍👩‍👧‍👦 🇩🇪🇯🇵 ❤️ ☃", "zero\u200bwidth\u200cjoiner\u200d\ufeffbom", "soft\u00adhyphen", "nbsp\u00a0em\u2003ideo\u3000line\u2028para\u2029end",
    "tab\there\nnew\r\nline\x0bvt\x0cff", "nul\x00bell\x07esc\x1bdel\x7fc1\x85nel\x9f", "\ufffd replacement \uffff \ue000 private",
    "a" * 99, "b" * 100, "c" * 101, "supercalifragilisticexpialidocious" * 20, "日" * 120, "x" * 3000, "ab " * 700, "!" * 300, " " * 50 + "x",
    "http://example.org/a?b=c&d=%20#frag user@example.com C:\\path\\file.txt", "3.14 1,000,000 1e-5 0x1F ½ ² ³ ① Ⅳ ٣", "“curly” ‘quotes’ – — … «guillemets» ¿qué? ¡sí!",
    "<html><body class=\"x\">&amp;</body></html>", "{\"json\": [1, 2.0, null]}", "a_b-c.d,e;f:g!h?i/j\\k|l", "$5 £6 €7 ¥8 100% #1 @me ~ ^ ` + = < >",
    "[CLS] text [SEP] more [MASK] [PAD] [UNK]", "[cls] [Sep]", "<s> a </s> <pad> <mask> <unk>", "a <mask> b<mask>c  <mask>", "<|endoftext|> x <|endoftext|>y", "[SEP][SEP]", "x[MASK]y",
    "\u1e9b\u0323 \u212b \u2126", "\u0130\u0131", "ᾳ ᾼ ΐ", "\u0344\u0345", "Ǆ ǅ ǆ", "\U0001d54f\U0001d4d0", "\U0001f1e6\U0001f1e7\U0001f1e8", "\u0600\u06dd\u08e2", "۝ ", "\u180e\u2060\u061c",
    "word\u0085word", "a\u2029\u2028 b", "tail space ", "tail newline\n", "two  spaces   three    four", " \n \t mixed \n\n white",
]
PAIRS = [
    ("The soup was good.", "It was not bad at all, really."), ("", "only second"), ("only first", ""), ("", ""),
    ("one two three four five six seven eight", "nine ten"), ("nine ten", "one two three four five six seven eight"),
    ("Café 😀", "機械学習"), ("a b c d e f g h i j", "k l m n o p q r s t"),
]
LENGTHS = [4, 5, 6, 7, 8, 9, 11, 12, 16]


def random_texts(count):
    random = np.random.default_rng(11)
    pools = [(32, 127), (9, 14), (0xA0, 0x250), (0x300, 0x370), (0x370, 0x590), (0x5D0, 0x700), (0x2000, 0x2070), (0x3040, 0x30FF), (0x4E00, 0x4F00), (0xAC00, 0xAD00), (0x1F300, 0x1F650)]
    weights = np.array([20, 1, 3, 1, 2, 1, 1, 1, 1, 1, 1]) / 33
    out = []
    for _ in range(count):
        kinds = random.choice(len(pools), random.integers(1, 60), p=weights)
        out.append("".join(chr(random.integers(*pools[k])) for k in kinds))
    return out


def checksum(ids):
    """The ids as base 31 digits, modulo 2^32."""
    value = 0
    for i in ids:
        value = (value * 31 + i + 1) & 0xFFFFFFFF
    return value


def train(name, tokenizer, trainer, post, config):
    folder = OUT / name
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.train_from_iterator(CORPUS.strip().split("\n"), trainer)
    tokenizer.post_processor = post(tokenizer)
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n")


def wordpiece():
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    trainer = trainers.WordPieceTrainer(vocab_size=500, special_tokens=special, show_progress=False)
    post = lambda t: processors.TemplateProcessing(  # noqa: E731
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", t.token_to_id("[CLS]")), ("[SEP]", t.token_to_id("[SEP]"))],
    )
    names = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]", "mask_token": "[MASK]"}
    train("tiny-wordpiece", tokenizer, trainer, post, {**names, "tokenizer_class": "BertTokenizer", "model_max_length": 64})


def byte_bpe():
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    trainer = trainers.BpeTrainer(
        vocab_size=500, special_tokens=special, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    post = lambda t: processors.RobertaProcessing(("</s>", 2), ("<s>", 0), add_prefix_space=False)  # noqa: E731
    names = {"pad_token": "<pad>", "unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>", "cls_token": "<s>", "sep_token": "</s>"}
    train("tiny-bpe", tokenizer, trainer, post, {**names, "tokenizer_class": "RobertaTokenizer", "model_max_length": 64})


def load(folder):
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def truncated(tokenizer, pair, length, strategy, side="right"):
    tokenizer.enable_truncation(length, strategy=strategy, direction=side)
    try:
        return tokenizer.encode(*pair).ids
    except BaseException:  # the Rust side panics or raises where the strategy cannot do it
        return None
    finally:
        tokenizer.no_truncation()


def answers(tokenizer):
    single = [tokenizer.encode(t) for t in TEXTS]
    pairs = [tokenizer.encode(*p) for p in PAIRS]
    return {
        "vocabSize": tokenizer.get_vocab_size(True),
        "texts": [e.ids for e in single],
        "pairs": [{"ids": e.ids, "types": e.type_ids} for e in pairs],
        "truncatedPairs": [[truncated(tokenizer, p, n, "longest_first") for n in LENGTHS] for p in PAIRS],
        "truncatedTexts": [[truncated(tokenizer, (p[0],), n, "longest_first") for n in LENGTHS] for p in PAIRS],
        "random": [checksum(tokenizer.encode(t).ids) for t in RANDOM],
    }


def glue(task, columns, count):
    rows = (ASSETS / "datasets/glue" / task / "train.tsv").read_text(encoding="utf-8").lstrip("\ufeff").split("\n")[1 : count + 1]
    return [[row.split("\t")[c] for c in columns] for row in rows]


wordpiece()
byte_bpe()
RANDOM = random_texts(400)
golden = {"texts": TEXTS, "pairs": PAIRS, "lengths": LENGTHS, "random": RANDOM, "tiny": {}, "assets": {}}
for name in ("tiny-wordpiece", "tiny-bpe"):
    golden["tiny"][name] = answers(load(OUT / name))
if ASSETS.exists():
    sst2, mrpc = glue("SST-2", [0], 500), glue("MRPC", [3, 4], 500)
    for name in ("bert-uncased-minilm", "roberta-base", "gpt2"):
        tokenizer = load(ASSETS / "tokenizers" / name)
        short = {k: v for k, v in answers(tokenizer).items() if k != "truncatedTexts"}
        short["texts"] = [checksum(ids) for ids in short["texts"]]
        short["sst2"] = [checksum(tokenizer.encode(*r).ids) for r in sst2]
        short["mrpc"] = [checksum(tokenizer.encode(*r).ids) for r in mrpc]
        golden["assets"][name] = short
path = OUT / "tokenizers.json"
path.write_text(json.dumps(golden, separators=(",", ":")) + "\n")
print(path.stat().st_size, "bytes;", len(TEXTS), "texts")
