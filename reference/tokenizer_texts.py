"""The 200 texts of the tokenizer table, and a few pairs: scripts, emoji, controls, marks, white space, long words."""

import numpy as np

TEXTS = [
    "", " ", "   ", "\n", "a", " a", "Hello world", "hello  world ", "  leading and trailing  ", "The soup was good, wasn't it?",
    "UPPER lower MiXeD", "don't can't we'll they've I'm he'd you're 'quoted' ''double''", "DON'T CAN'T WE'LL THEY'VE I'M HE'D YOU'RE",
    "Caf\u00e9 na\u00efve fa\u00e7ade Z\u00fcrich Sm\u00f8rrebr\u00f8d \u0141\u00f3d\u017a A\u011fr\u0131", "e\u0301 vs \u00e9, n\u0303 a\u0301\u0302\u0303\u0304", "\u039f\u0394\u039f\u03a3 \u03a3\u038a\u03a3\u03a5\u03a6\u039f\u03a3 \u03cc\u03b4\u03bf\u03c2 \u03a3 \u03c2",
    "\u0130stanbul ISPARTA \u0131slak", "Stra\u00dfe STRASSE \u1e9e", "\ufb01ne o\ufb03ce \uff21\uff22\uff23 \uff11\uff12\uff13 \u337f \u32ff", "\u6a5f\u68b0\u5b66\u7fd2\u306f\u697d\u3057\u3044\u3002\u6771\u4eac\u30bf\u30ef\u30fc",
    "\u6211\u4eec\u559c\u6b22\u5403\u9762\u6761 and noodles", "\u6f22\u5b57kanji\u6df7\u5728text", "\U00020000\U00020001 \u4e3d \U0002a6d6", "\ud55c\uad6d\uc5b4 \ubb38\uc7a5", "\u1112\u1161\u11ab\u1100\u116e\u11a8", "\u110b\u1161 \u1100 \u1161 \u11ab",
    "\u041f\u0440\u0438\u0432\u0435\u0442, \u043c\u0438\u0440! \u0401\u043b\u043a\u0430 \u0439", "\u05e9\u05dc\u05d5\u05dd \u05e2\u05b4\u05d1\u05b0\u05e8\u05b4\u05d9\u05ea", "\u0645\u0631\u062d\u0628\u0627 \u0628\u0627\u0644\u0639\u0627\u0644\u0645 \u0645\u064e\u0631\u0652\u062d\u064e\u0628\u064b\u0627", "\u0939\u093f\u0928\u094d\u0926\u0940 \u092e\u0947\u0902 \u0928\u092e\u0938\u094d\u0924\u0947",
    "\u0e20\u0e32\u0e29\u0e32\u0e44\u0e17\u0e22 \u0e44\u0e21\u0e48\u0e21\u0e35 \u0e19\u0e49\u0e33", "\u0ba4\u0bae\u0bbf\u0bb4\u0bcd \u0c24\u0c46\u0c32\u0c41\u0c17\u0c41 \u0995\u09cd\u09b7", "\u10e5\u10d0\u10e0\u10d7\u10e3\u10da\u10d8 \u0540\u0561\u0575\u0565\u0580\u0565\u0576", "\u1019\u103c\u1014\u103a\u1019\u102c \u1797\u17b6\u179f\u17b6\u1781\u17d2\u1798\u17c2\u179a",
    "\U0001f600\U0001f603\U0001f604 \U0001f44d\U0001f3fd", "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466 family", "\U0001f1e9\U0001f1ea\U0001f1ef\U0001f1f5\U0001f1eb flags", "\u2764\ufe0f \u2603 \u2602\ufe0e 1\ufe0f\u20e3", "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
    "zero\u200bwidth\u200cjoiner\u200d\ufeffbom", "\ufeffstart of file", "soft\u00adhyphen", "nbsp\u00a0em\u2003ideo\u3000line\u2028para\u2029end", "tab\there\nnew\r\nline\x0bvt\x0cff\x1cfs\x1dgs\x1ers\x1fus",
    "nul\x00bell\x07esc\x1bdel\x7fc1\x85nel\x9f", "\ufffd replacement \uffff \ue000 private \U000f0000", "a" * 9, "b" * 10, "c" * 11, "supercalifragilisticexpialidocious", "super" * 40, "\u65e5" * 30, "x" * 300, "ab " * 70, "!" * 60, " " * 30 + "x",
    "http://example.org/a?b=c&d=%20#frag user@example.com C:\\path\\file.txt", "3.14 1,000,000 1e-5 0x1F \u00bd \u00b2 \u00b3 \u2460 \u2163 \u0663", "12345678 1234567 123456", "\u201ccurly\u201d \u2018quotes\u2019 \u2013 \u2014 \u2026 \u00abguillemets\u00bb \u00bfqu\u00e9?",
    "<html><body class=\"x\">&amp;</body></html>", "{\"json\": [1, 2.0, null]}", "a_b-c.d,e;f:g!h?i/j\\k|l", "$5 \u00a36 \u20ac7 \u00a58 100% #1 @me ~ ^ ` + = < >", "``quoted'' text",
    "[CLS] text [SEP] more [MASK] [PAD] [UNK]", "[cls] [Sep]", "<s> a </s> <pad> <mask> <unk>", "a <mask> b<mask>c  <mask>", "<|endoftext|> x <|endoftext|>y", "[SEP][SEP]", "x[MASK]y", "Foo foo FOO foobar bar-foo _foo_ foo", "Stop STOP stop stopped non-stop",
    "\u1e9b\u0323 \u212b \u2126", "\u0130\u0131", "\u1fb3 \u1fbc \u0390", "\u0344\u0345", "\u01c4 \u01c5 \u01c6", "\U0001d54f\U0001d4d0", "\u0600\u06dd\u08e2 \u06dd", "\u180e\u2060\u061c", "word\u0085word", "a\u2029\u2028 b", "tail space ", "tail newline\n", "two  spaces   three    four", " \n \t mixed \n\n white", "\u2581under\u2581score \u2581", "\u0120gpt \u010abyte", "<0x41> <0x0A> <0xZZ>",
    "A\u030a\u0327 \u00c5\u0327 q\u0307\u0323 q\u0323\u0307", "\ufdfa \u33a5 \u2075 \uff76\uff9e", "\u212a \u017f K k S s", "a\u0300\u0315\u0300\u05aeb", "\U00011938 \U00011935\U00011930", "\ua7dc \ua7cb \U00010d50", "\u1c89 \u1c8a", "\u0915\u094d\u0937 \u0915\u094d\u200d\u0937", "\r\n\r\n", "a\r\nb\rc\nd", "\u00a0\u00a0a", "\t\ta", "I'M i'm I\u2019m", "x\u0301\u0301", "1a2b3c", "a1 b2 c3", "camelCaseWord HTTPServer snake_case", "...!!!???", "--- -- -", "(a) [b] {c}", "\u3010x\u3011\u300cy\u300d\uff0c\uff01", "\u00a1Hola! \u00bfQu\u00e9 tal?", "na\u0308ive", "\u0958 \u0929 \u09dc",
]


def texts():
    random = np.random.default_rng(17)
    pools = [(32, 127), (9, 14), (0xA0, 0x250), (0x300, 0x370), (0x370, 0x590), (0x5D0, 0x700), (0x900, 0xA00), (0x1100, 0x1200), (0x2000, 0x2070), (0x3040, 0x30FF), (0x4E00, 0x4F00), (0xAC00, 0xAD00), (0x1F300, 0x1F650)]
    weights = np.array([24, 1, 3, 1, 2, 1, 1, 1, 2, 1, 1, 1, 1]) / 40
    words = "the a model soup rank learns good river was Monday new text is of and".split()
    out = list(TEXTS)
    while len(out) < 200:
        kinds = random.choice(len(pools), random.integers(2, 40), p=weights)
        text = "".join(chr(random.integers(*pools[k])) for k in kinds)
        if len(out) % 3 == 0:
            text = " ".join(random.choice(words, 6)) + " " + text
        out.append(text)
    assert len(out) == 200, len(out)
    return out


PAIRS = [("The soup was good.", "It was not bad."), ("", "only second"), ("only first", ""), ("Caf\u00e9 \U0001f600", "\u6a5f\u68b0 foo [MASK]")]
