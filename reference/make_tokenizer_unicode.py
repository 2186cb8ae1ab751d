"""Writes src/data/tokenizing/unicode/tables.ts: what Hugging Face's Rust tokenizers know of Unicode.

The Rust crates carry Unicode tables of five different ages, none of them a JavaScript engine's. Each table is probed from
the installed `tokenizers` package, character by character. Sets are base-36 pairs (gap since the last range, length - 1),
partitions base-36 triples (gap, length - 1, index of the name).
"""

import unicodedata
from pathlib import Path

import regex
from tokenizers import Regex, normalizers, pre_tokenizers

TARGET = Path(__file__).parent.parent / "src/data/tokenizing/unicode/tables.ts"
ALL = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]
CHUNKS = ["".join(map(chr, ALL[i : i + 4096])) for i in range(0, len(ALL), 4096)]

clean = normalizers.BertNormalizer(clean_text=True, handle_chinese_chars=False, strip_accents=False, lowercase=False)
chinese = normalizers.BertNormalizer(clean_text=False, handle_chinese_chars=True, strip_accents=False, lowercase=False)
accents = normalizers.BertNormalizer(clean_text=False, handle_chinese_chars=False, strip_accents=True, lowercase=False)


def onig(pattern):
    """Characters that the Oniguruma of Split and Replace matches."""
    splitter = pre_tokenizers.Split(Regex(pattern), "removed", invert=True)
    return {ord(c) for chunk in CHUNKS for text, _ in splitter.pre_tokenize_str(chunk) for c in text}


def pieces(splitter, c):
    return len(splitter.pre_tokenize_str("a" + chr(c) + "b"))


def pieces_are(splitter, count):
    return {c for c in ALL if pieces(splitter, c) == count}


def removed_by(normalizer):
    return {c for c in ALL if normalizer.normalize_str(chr(c)) == ""}


bert = {c: pieces(pre_tokenizers.BertPreTokenizer(), c) for c in ALL}
CATEGORIES = ["Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Me", "Nd", "Nl", "No", "Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po"]
CATEGORIES += ["Sm", "Sc", "Sk", "So", "Zs", "Zl", "Zp", "Cc", "Cf", "Co"]
SCRIPTS = ["Arabic", "Armenian", "Bengali", "Cyrillic", "Devanagari", "Georgian", "Greek", "Gujarati", "Han", "Hangul"]
SCRIPTS += ["Hebrew", "Hiragana", "Katakana", "Khmer", "Lao", "Latin", "Myanmar", "Tamil", "Telugu", "Thai", "Tibetan"]
by_category = {name: onig(rf"\p{{{name}}}") for name in CATEGORIES}
word = pieces_are(pre_tokenizers.Whitespace(), 1)
numeric = {c for c in ALL if pieces(pre_tokenizers.Digits(True), c) == 3}


def unicode_scripts():
    """Classes that UnicodeScripts keeps apart; a script's first character stands for it, "Any" joins everything."""
    splitter = pre_tokenizers.UnicodeScripts()
    same = lambda a, b: len(splitter.pre_tokenize_str(a + b)) == 1  # noqa: E731
    classes, last = {}, "a"
    for c in ALL:
        if same("a", chr(c)) and same("\u0431", chr(c)):
            continue
        if not same(last, chr(c)):
            last = next((r for r in classes if same(r, chr(c))), chr(c))
        classes.setdefault(last, set()).add(c)
    return {f"s{i}": points for i, points in enumerate(classes.values())}


def inert_in_normalization():
    """Characters that the Rust crate, which is of Unicode 13, neither decomposes nor composes nor reorders."""
    forms = [(normalizers.NFD(), "NFD"), (normalizers.NFKD(), "NFKD"), (normalizers.NFC(), "NFC")]
    inert = set()
    for c in ALL:
        s = chr(c)
        differs = any(rust.normalize_str(s) != unicodedata.normalize(form, s) for rust, form in forms)
        ccc = unicodedata.combining(s)
        reorders = ccc in (0, 240) or unicodedata.decomposition(s) or normalizers.NFD().normalize_str("a\u0345" + s) == "a" + s + "\u0345"
        if differs or not reorders or unicodedata.category(s) == "Cn":
            inert.add(c)
            parts = unicodedata.normalize("NFD", s)
            if differs and len(parts) > 1 and unicodedata.normalize("NFC", parts) == s:
                inert.update(ord(p) for p in parts if ord(p) > 0x2FFF)
    return inert


def lowercase_map():
    """Runs of characters whose lower case is a constant away: first, count, step, distance; longer ones apart."""
    lower = normalizers.Lowercase()
    runs, longer = [], {}
    for c in ALL:
        to = lower.normalize_str(chr(c))
        if to == chr(c):
            continue
        if len(to) > 1:
            longer[c] = to
            continue
        distance = ord(to) - c
        if runs and runs[-1][3] == distance:
            first, count, step, _ = runs[-1]
            gap = c - (first + (count - 1) * step)
            if gap in (1, 2) and (count == 1 or gap == step):
                runs[-1][1:3] = [count + 1, gap]
                continue
        runs.append([c, 1, 1, distance])
    return runs, longer


GRAPHEME = ["Control", "Extend", "L", "LV", "LVT", "Prepend", "Regional_Indicator", "SpacingMark", "T", "V", "ZWJ"]


def graphemes():
    classes = {n: {c for c in ALL if regex.match(rf"\p{{GCB={n}}}", chr(c))} for n in GRAPHEME}
    for name in ("LV", "LVT"):
        del classes[name]  # Hangul syllables follow a rule
    classes["Pictographic"] = {c for c in ALL if regex.match(r"\p{Extended_Pictographic}", chr(c))}
    classes["Consonant"] = {c for c in ALL if regex.match(r"\p{InCB=Consonant}", chr(c))}
    return classes


def base36(n):
    digits = "0123456789abcdefghijklmnopqrstuvwxyz"
    if n < 0:
        return "-" + base36(-n)
    out = digits[n % 36]
    while n >= 36:
        n //= 36
        out = digits[n % 36] + out
    return out


def ranges(points):
    out = []
    for c in sorted(points):
        if out and out[-1][1] == c - 1:
            out[-1][1] = c
        else:
            out.append([c, c])
    return out


def encode(points):
    out, last = [], 0
    for first, end in ranges(points):
        out += [base36(first - last), base36(end - first)]
        last = end
    return " ".join(out)


def encode_partition(classes):
    out, last = [], 0
    for first, end, k in sorted((f, e, k) for k, points in enumerate(classes.values()) for f, e in ranges(points)):
        out += [base36(first - last), base36(end - first), base36(k)]
        last = end
    return " ".join(out)


sets = {
    "removedByCleanText": removed_by(clean),
    "spaceInCleanText": {c for c in ALL if c != 32 and clean.normalize_str(chr(c)) == " "},
    "chineseCharacters": {c for c in ALL if chinese.normalize_str(chr(c)) == f" {chr(c)} "},
    "nonSpacingMarks": removed_by(accents),
    "combiningMarks": removed_by(normalizers.StripAccents()),
    "punctuation": {c for c, count in bert.items() if count == 3},
    "whiteSpace": {c for c, count in bert.items() if count == 2},
    "word": word,
    "wordUnlikeOniguruma": word ^ onig(r"\w"),
    "numericUnlikeOniguruma": numeric ^ set.union(*(by_category[n] for n in ("Nd", "Nl", "No"))),
    "inertInNormalization": inert_in_normalization(),
    "incbExtend": {c for c in ALL if regex.match(r"\p{InCB=Extend}", chr(c))},
    "incbLinker": {c for c in ALL if regex.match(r"\p{InCB=Linker}", chr(c))},
}
assert onig(r"\s") == sets["whiteSpace"] and onig(r"\d") == by_category["Nd"]
partitions = {"generalCategories": by_category, "unicodeScripts": unicode_scripts(), "graphemeBreaks": graphemes()}
runs, longer = lowercase_map()

lines = [
    "/**",
    " * What Hugging Face's Rust tokenizers know of Unicode, made by reference/make_tokenizer_unicode.py.",
    " * Sets: base-36 pairs, gap since the end of the last range, then length - 1. Partitions: triples, the third number",
    " * being the place of the name in `names`. Lower case: first character, count, step, distance.",
    " */",
]


def add(name, value, indent="  "):
    one = f'{indent}{name}: "{value}",'
    return [one] if len(one) <= 120 else [f"{indent}{name}:", f'{indent}  "{value}",']


lines += ["export const unicodeSets = {"]
for name, points in sets.items():
    lines += add(name, encode(points))
lines += ["} as const;", "", "/** Scripts that regular expressions may name. */", "export const scriptSets = {"]
for name in SCRIPTS:
    lines += add(name, encode(onig(rf"\p{{{name}}}")))
lines += ["} as const;", "", "export const unicodePartitions = {"]
for name, classes in partitions.items():
    names = " ".join(classes)
    lines += [f"  {name}: {{", *add("names", names, "    "), *add("ranges", encode_partition(classes), "    "), "  },"]
lines += ["} as const;", "", "export const lowercase = {"]
lines += add("runs", " ".join(base36(n) for run in runs for n in run))
pairs = ", ".join(f'"{chr(c)}": "{ascii(to)[1:-1]}"' for c, to in longer.items())
lines += [f"  longer: {{ {pairs} }} as {{ readonly [character: string]: string }},", "} as const;", ""]
TARGET.parent.mkdir(parents=True, exist_ok=True)
TARGET.write_text("\n".join(lines), encoding="utf-8")
print(TARGET.stat().st_size, "bytes;", {n: len(p) for n, p in sets.items()})
