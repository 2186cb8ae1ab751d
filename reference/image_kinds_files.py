"""Writers of the picture files that Pillow itself does not write: every PNG depth, GIF frames, BMP headers, TIFF tags."""

import struct
import zlib

import numpy as np


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def packed_row(row, depth):
    """Samples of one row at 1, 2, 4, 8 or 16 bits, the first one in the upper bits."""
    if depth == 16:
        return np.asarray(row, ">u2").tobytes()
    bits = "".join(f"{value:0{depth}b}" for value in np.asarray(row).ravel())
    bits += "0" * (-len(bits) % 8)
    return bytes(int(bits[i : i + 8], 2) for i in range(0, len(bits), 8))


ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))


def png(samples, depth, colour, *, interlaced=False, palette=None, before=(), after=()):
    """`samples`: [height, width] or [height, width, channels]; `before`: chunks between PLTE and IDAT."""
    height, width = samples.shape[:2]
    passes = ADAM7 if interlaced else ((0, 0, 1, 1),)
    rows = b""
    for x, y, step_x, step_y in passes:
        part = samples[y::step_y, x::step_x]
        if part.size:
            rows += b"".join(b"\0" + packed_row(row.ravel(), depth) for row in part)
    out = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced))
    if palette is not None:
        out += chunk(b"PLTE", np.asarray(palette, np.uint8).tobytes())
    for kind, data in before:
        out += chunk(kind, data)
    out += chunk(b"IDAT", zlib.compress(rows, 9))
    for kind, data in after:
        out += chunk(kind, data)
    return out + chunk(b"IEND", b"")


def lzw(indices, bits):
    """GIF's LZW without a dictionary: clear codes keep the code size; small files need no more."""
    clear, size = 1 << bits, bits + 1
    codes, room = [clear], 0
    for index in indices:
        if room == (1 << bits) - 3:
            codes.append(clear)
            room = 0
        codes.append(int(index))
        room += 1
    codes.append(clear + 1)
    number = sum(code << (size * i) for i, code in enumerate(codes))
    data = number.to_bytes((size * len(codes) + 7) // 8, "little")
    blocks = b"".join(bytes([len(data[i : i + 255])]) + data[i : i + 255] for i in range(0, len(data), 255))
    return bytes([bits]) + blocks + b"\0"


def gif(size, frames, palette=None, *, background=0, version=b"89a", interlaced=False, tail=b";"):
    """`frames`: dicts of `indices` [height, width] and optionally `at` (x, y), `transparent`, `palette`, `disposal`, `claims`."""
    colours = lambda table: np.asarray(table, np.uint8).tobytes()
    bits = lambda table: len(table).bit_length() - 1
    flags = 0x80 | (bits(palette) - 1) if palette is not None else 0
    out = b"GIF" + version + struct.pack("<HHBBB", *size, flags, background, 0)
    if palette is not None:
        out += colours(palette)
    for frame in frames:
        if version == b"89a":
            transparent = frame.get("transparent")
            control = (frame.get("disposal", 0) << 2) | (transparent is not None)
            out += b"!\xf9\4" + struct.pack("<BHBB", control, 10, transparent or 0, 0)
        indices = frame["indices"]
        width, height = frame.get("claims", indices.shape[::-1])
        own = frame.get("palette")
        out += b"," + struct.pack("<HHHH", *frame.get("at", (0, 0)), width, height)
        out += bytes([(0x80 | (bits(own) - 1) if own is not None else 0) | (0x40 if interlaced else 0)])
        if own is not None:
            out += colours(own)
        if interlaced:
            indices = np.concatenate([indices[0::8], indices[4::8], indices[2::4], indices[1::2]])
        out += lzw(indices.ravel(), max(2, bits(own if own is not None else palette)))
    return out + tail


def bmp(rows, size, bits, *, palette=b"", compression=0, header=40, masks=b"", top_down=False, colours=0):
    """`rows`: the pixel data as it stands in the file."""
    width, height = size
    if header == 12:
        dib = struct.pack("<IHHHH", 12, width, height, 1, bits)
    else:
        dib = struct.pack("<IiiHHIIiiII", header, width, -height if top_down else height, 1, bits, compression, len(rows), 2835, 2835, colours, 0)
        dib += (masks if header > 40 else b"").ljust(header - 40, b"\0")
    between = (masks if header == 40 else b"") + palette
    offset = 14 + len(dib) + len(between)
    return struct.pack("<2sIHHI", b"BM", offset + len(rows), 0, 0, offset) + dib + between + rows


def bmp_rows(rows, bits):
    """Rows of packed samples from the bottom up, each padded to four bytes."""
    out = b""
    for row in rows:
        data = packed_row(row, bits) if bits <= 8 else bytes(row)
        out += data + b"\0" * (-len(data) % 4)
    return out


TYPES = {"B": (1, "B"), "A": (2, "B"), "H": (3, "H"), "I": (4, "I"), "R": (5, "II"), "h": (8, "h")}


def tiff(tags, strips, *, order="<", big=False):
    """`tags`: {tag: (type letter, values)}; `strips`: the data that StripOffsets (273) points to."""
    count_format, offset_format, entry = ("Q", "Q", 20) if big else ("H", "I", 12)
    first = 16 if big else 8
    tags = dict(tags)
    tags[273] = ("I", [0] * len(strips))
    tags[279] = ("I", [len(strip) for strip in strips])
    directory = struct.calcsize(order + count_format) + entry * len(tags) + struct.calcsize(order + offset_format)
    at = first + directory
    extra, entries = b"", {}
    room = 8 if big else 4

    def payload(kind, values):
        return struct.pack(order + TYPES[kind][1] * len(values), *(v for x in values for v in (x if isinstance(x, tuple) else (x,))))

    for tag in sorted(tags):
        kind, values = tags[tag]
        data = payload(kind, values)
        if len(data) > room:
            entries[tag] = at + len(extra)
            extra += data + b"\0" * (len(data) % 2)
    offsets, body = [], b""
    for strip in strips:
        offsets.append(at + len(extra) + len(body))
        body += strip + b"\0" * (len(strip) % 2)
    tags[273] = ("I", offsets)
    out = struct.pack(order + count_format, len(tags))
    for tag in sorted(tags):
        kind, values = tags[tag]
        data = payload(kind, values)
        out += struct.pack(order + "HH" + offset_format, tag, TYPES[kind][0], len(values))
        if tag in entries:
            if tag == 273:
                extra = extra[: entries[tag] - at] + data + extra[entries[tag] - at + len(data) :]
            out += struct.pack(order + offset_format, entries[tag])
        else:
            out += data.ljust(room, b"\0")
    out += struct.pack(order + offset_format, 0)
    mark = b"II" if order == "<" else b"MM"
    head = struct.pack(order + "HHHQ", 43, 8, 0, 16) if big else struct.pack(order + "HI", 42, 8)
    return mark + head + out + extra + body
