"""Writes test/golden/data/random.json: a second implementation of src/random.ts, in whole-number Python.

The draws must never change: seeds of finished runs would mean other runs."""

import json
import math
from pathlib import Path

OUT = Path(__file__).parent.parent / "test/golden/data/random.json"
M = 0xFFFFFFFF
WEYL, A, B = 0x9E3779B9, 0x7FEB352D, 0x846CA68B


def avalanche(x, inner=0):
    x &= M
    x = ((x ^ (x >> 16)) * A) & M
    x = ((x ^ (x >> 15) ^ inner) * B) & M
    return x ^ (x >> 16)


def fold(key):
    offset, inner = avalanche(len(key) ^ 0x243F6A88), avalanche(len(key) ^ 0x13198A2E)
    for part in key:
        low, high = part & M, (part >> 32) & M
        offset = avalanche(offset * 0x85EBCA6B + (low ^ avalanche(high ^ 0x5BD1E995)))
        inner = avalanche(((inner * 0xC2B2AE35) & M ^ avalanche(low ^ 0x27D4EB2F)) + high)
    return offset, inner


def word(key, position):
    offset, inner = fold(key)
    return avalanche(offset + position * WEYL, inner)


def mask(key, keep, length):
    """Element j of a block of 32: bit (j % 4) * 8 + j // 4 of the words, digit by digit of a uniform draw."""
    threshold, out = math.floor(keep * 2**32 + 0.5), []
    for i in range(length):
        block, lane = divmod(i, 32)
        bit = (lane % 4) * 8 + lane // 4
        draw = 0
        for digit in range(32):
            draw = draw * 2 + ((word(key, block * 32 + digit) >> bit) & 1)
        out.append(int(draw < threshold))
    return out


keys = [[42, 7], [0], [1, 2, 3, 4], [-5, 2**40 + 9], []]
golden = {
    "words": [{"key": k, "words": [word(k, i) for i in range(6)]} for k in keys],
    "masks": [{"key": k, "keep": p, "mask": "".join(map(str, mask(k, p, 75)))} for k, p in zip(keys, [0.5, 0.9, 0.95, 1 / 3, 0.75])],
}
OUT.write_text(json.dumps(golden, indent=0) + "\n")
