"""What Python's re makes of patterns over module paths: test/golden/python-regex.json.

Each row: pattern, whether it compiles, and which of the texts `re.fullmatch` accepts.
"""

import json
import re
import warnings
from pathlib import Path

warnings.simplefilter("ignore")
PATTERNS = [
    r".*\.query", r".*\.(query|value)", r".*layer\.{,2}1\..*", r".*layer\.\d{,1}\..*", r".*layer\.\d{1,}\..*",
    r".*layer\.\d{2}\..*", r"x{,3}", r"x{,}", r"x{2", r"x{a}", r"{x}", r"x{,2}?", r".*\.query\Z", r"\A.*query", r"\Aencoder.*\Z",
    r"(?P<a>.)(?P=a)", r"(?P<a>l).*(?P=a).*", r"(.)\1", r"(?i).*QUERY", r"(?s).*", r"(?m)^encoder.*$", r"(?x) a b",
    r"(?a)\w+", r"(?i:QUERY)", r"(?-i:q)", r"x++", r"x*+", r"x?+", r"x{1,2}+", r"(?>x+)y", r"(x)?(?(1)y|z)",
    r"(?<=encoder\.).*", r".*(?<!query)", r".*(?<!que|val)", r".*(?<=a|bc)", r"(?<=a*)b", r".*(?=query)query", r".*(?!query).{5}",
    r"[]x]", r"[^]x]+", r"[a-c-]+", r"[-a]+", r"[\w.]+", r"[\d]+", r"[\]]", r"[[]", r"[a&&b]", r"[\W]", r"[\S]+", r"\d+", r"\w+", r"\s",
    r"\b\w+\b", r"\Bx\B", r"^x$", r"$x", r".*\.query$", r"(?#note)x+", r"x|y|", r"(?:ab)+", r"(?:", r"(", r")", r"[", r"\\", "\\",
    r"\q", r"\x78", r"\u0078+", r"\U00000078", r"\170", r"\0", r"\1", r"(a)\2", r"*x", r"x**", r"x+*", r"x*?", r"x{2}{3}",
    r"x(?i)", r"(?P<a>x)(?P<a>x)", r"(?P<1>x)", r"(?<a>x)", r"\Z", r"\z", r"\e", r"\cA", r"\/", r"a\.b", r"a-b", r".", r"é", r"\.",
    r"]", r"}", r"{", r"x{0}", r"x{3,2}", r"#", r"a b", r"~", r"[~]", r"(?P=b)", r"layer\.(?:0|1)\.(?!attention).*",
    r".*(self|output)\.(query|dense)", r"(x|y)\1", r"(x)?\1", r"\p{L}", r"\d{1,2}", r"(?u)\w+", r"(?L)x", r"(?ms).*\n.*",
]
TEXTS = [
    "", "x", "xx", "xxx", "xxxx", "y", "z", "xy", "yy", "ab", "abab", "bc", "a.b", "a-b", "a b", "é", "ñandú", "٣", "12", "7", "_", "]", "}", "{",
    "{x}", "x{a}", "x{2", "x\n", "\n", "a\nb", "encoder\nx", "[", "&", "-", "a-c", "~", "#", "/", ".", "\\", " ", "\x01", "\x00", "query", "Query", "QUERY",
    "encoder.layer.0.attention.self.query", "encoder.layer.1.attention.self.value", "encoder.layer.11.attention.output.dense",
    "layer.0.output.dense", "layer.1.attention.self.key", "classifier", "ll", "a", "b", "c", "😀", "x\u2028", "\u2028", "x{,3}", "x{,}", "x{,2}", "\x1c", "\x85",
]


def row(pattern: str) -> dict:
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        return {"pattern": pattern, "error": str(error)}
    return {"pattern": pattern, "matches": [i for i, text in enumerate(TEXTS) if compiled.fullmatch(text)]}


out = Path(__file__).parent.parent / "test" / "golden" / "python-regex.json"
out.write_text(json.dumps({"texts": TEXTS, "rows": [row(p) for p in PATTERNS]}, ensure_ascii=True, indent=1) + "\n")
