"""Writes src/data/tokenizing/unicode-tables.ts: the character classes that Hugging Face's Rust tokenizers use for BERT.

The Rust crates carry Unicode tables older than any JavaScript engine's, so a regular expression such as \\p{Mn} gives
other token ids for some 600 characters. Each class is probed from the installed `tokenizers` package, character by
character, and stored as base-36 pairs (gap since the last range, length - 1).
"""

from pathlib import Path

from tokenizers import normalizers, pre_tokenizers

TARGET = Path(__file__).parent.parent / "src/data/tokenizing/unicode-tables.ts"
ALL = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]

clean = normalizers.BertNormalizer(clean_text=True, handle_chinese_chars=False, strip_accents=False, lowercase=False)
chinese = normalizers.BertNormalizer(clean_text=False, handle_chinese_chars=True, strip_accents=False, lowercase=False)
accents = normalizers.BertNormalizer(clean_text=False, handle_chinese_chars=False, strip_accents=True, lowercase=False)
splitter = pre_tokenizers.BertPreTokenizer()


def pieces(c):
    return [text for text, _ in splitter.pre_tokenize_str("a" + chr(c) + "b")]


classes = {
    "removedByCleanText": [c for c in ALL if clean.normalize_str(chr(c)) == ""],
    "spaceInCleanText": [c for c in ALL if c != 32 and clean.normalize_str(chr(c)) == " "],
    "chineseCharacters": [c for c in ALL if chinese.normalize_str(chr(c)) == f" {chr(c)} "],
    "nonSpacingMarks": [c for c in ALL if accents.normalize_str(chr(c)) == ""],
    "punctuation": [c for c in ALL if len(pieces(c)) == 3],
    "whiteSpace": [c for c in ALL if len(pieces(c)) == 2],
}


def base36(n):
    digits = "0123456789abcdefghijklmnopqrstuvwxyz"
    out = digits[n % 36]
    while n >= 36:
        n //= 36
        out = digits[n % 36] + out
    return out


def encode(points):
    ranges = []
    for c in points:
        if ranges and ranges[-1][1] == c - 1:
            ranges[-1][1] = c
        else:
            ranges.append([c, c])
    out, last = [], 0
    for first, end in ranges:
        out += [base36(first - last), base36(end - first)]
        last = end
    return " ".join(out), len(ranges)


lines = [
    "/**",
    " * Character classes of Hugging Face's Rust tokenizers (BERT), made by reference/make_unicode_tables.py.",
    " * Each string lists ranges as base-36 pairs: gap since the end of the last range, then length - 1.",
    " */",
    "export const unicodeTables = {",
]
for name, points in classes.items():
    text, count = encode(points)
    print(name, len(points), "characters,", count, "ranges")
    one = f'  {name}: "{text}",'
    lines += [one] if len(one) <= 120 else [f"  {name}:", f'    "{text}",']
lines += ["} as const;", ""]
TARGET.parent.mkdir(parents=True, exist_ok=True)
TARGET.write_text("\n".join(lines))
