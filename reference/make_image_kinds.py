"""Writes test/golden/data/kinds/ and test/golden/data/image-kinds.json: tiny pictures of every kind with the pixels that
Pillow gives for Image.open(...).convert("RGB"), or null where Pillow raises. All pictures are computed here.

Run from the repository's root: python reference/make_image_kinds.py
"""

import base64
import io
import json
import shutil
import struct
import warnings
from pathlib import Path

import numpy as np
import PIL
from image_kinds_files import bmp, bmp_rows, chunk, gif, png, tiff
from PIL import Image, ImageCms

warnings.filterwarnings("ignore")
OUT = Path(__file__).parent.parent / "test/golden/data"
FILES = OUT / "kinds"
shutil.rmtree(FILES, ignore_errors=True)
FILES.mkdir(parents=True)
WIDTH, HEIGHT = 21, 14
kinds = []


def photo(height=HEIGHT, width=WIDTH):
    """Smooth colours, a hard edge and a flat patch, in [0, 255]."""
    y, x = np.mgrid[0:height, 0:width]
    planes = [127 + 100 * np.sin(x / (3 + c)) * np.cos(y / (4 - c)) for c in range(3)]
    image = np.clip(np.stack(planes, -1), 0, 255).astype(np.uint8)
    image[height // 3 : height // 2, width // 4 : width // 2] = (255, 0, 128)
    return image


def kind(name, what, data):
    """One file with its row in the table; `data`: bytes."""
    (FILES / name).write_bytes(data)
    kinds.append((name, what))


def saved(image, form, **options):
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def timeless(data):
    """An AVIF sequence without the times of its making."""
    data = bytearray(data)
    for box in (b"mvhd", b"tkhd", b"mdhd"):
        at = data.index(box) + 4
        length = 16 if data[at] == 1 else 8
        data[at + 4 : at + 4 + length] = bytes(length)
    return bytes(data)


def oriented(value):
    exif = Image.Exif()
    exif[0x0112] = value
    return exif


base = photo()
rgb = Image.fromarray(base)
grey = rgb.convert("L")
grey_array = np.array(grey)
wave = (np.mgrid[0:HEIGHT, 0:WIDTH].sum(0) * 9 % 256).astype(np.uint8)
alpha = Image.fromarray(wave)
rgba = Image.merge("RGBA", [*rgb.split(), alpha])
grey_alpha = Image.merge("LA", [grey, alpha])
cmyk = rgb.convert("CMYK")
coloured = Image.merge("CMYK", [*cmyk.split()[:3], Image.fromarray((wave // 3).astype(np.uint8))])
grey16 = grey_array.astype(np.uint16) * 257
dark16 = (grey_array.astype(np.uint16) * 3) - 40
rgb16 = base.astype(np.uint16) * 256 + 77
profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
profile = profile[:24] + bytes(12) + profile[36:]  # without the time of its making

# JPEG
kind("baseline-444.jpg", "JPEG baseline, 4:4:4", saved(rgb, "JPEG", quality=90, subsampling=0))
kind("baseline-422.jpg", "JPEG baseline, 4:2:2", saved(rgb, "JPEG", quality=90, subsampling=1))
kind("baseline-420.jpg", "JPEG baseline, 4:2:0", saved(rgb, "JPEG", quality=90, subsampling=2))
kind("low-quality.jpg", "JPEG of quality 10", saved(rgb, "JPEG", quality=10))
kind("progressive.jpg", "JPEG progressive", saved(rgb, "JPEG", quality=90, progressive=True))
kind("restart-markers.jpg", "JPEG with restart markers", saved(rgb, "JPEG", quality=90, restart_marker_blocks=1))
kind("rgb-inside.jpg", "JPEG that stores RGB", saved(rgb, "JPEG", quality=90, keep_rgb=True))
kind("grey.jpg", "JPEG grey", saved(grey, "JPEG", quality=90))
kind("grey-progressive.jpg", "JPEG grey, progressive", saved(grey, "JPEG", quality=90, progressive=True))
cmyk_jpeg = saved(coloured, "JPEG", quality=95)
kind("cmyk-adobe.jpg", "JPEG CMYK, Adobe", cmyk_jpeg)
kind("cmyk-progressive.jpg", "JPEG CMYK, progressive", saved(coloured, "JPEG", quality=95, progressive=True))
adobe = cmyk_jpeg.index(b"Adobe")
kind("ycck-adobe.jpg", "JPEG YCCK, Adobe", cmyk_jpeg[: adobe + 11] + b"\2" + cmyk_jpeg[adobe + 12 :])
kind("cmyk-plain.jpg", "JPEG CMYK without Adobe's mark", cmyk_jpeg[: adobe - 4] + cmyk_jpeg[adobe + 12 :])
for value in range(1, 9):
    kind(f"exif-{value}.jpg", f"JPEG, EXIF orientation {value}", saved(rgb, "JPEG", quality=90, exif=oriented(value)))
kind("profile.jpg", "JPEG with a colour profile", saved(rgb, "JPEG", quality=90, icc_profile=profile))
kind("trailing.jpg", "JPEG with bytes after its end", saved(rgb, "JPEG", quality=90) + b"\0trailing" * 3)
kind("two-pictures.mpo", "MPO: JPEG with a second picture", saved(rgb, "MPO", quality=90, save_all=True, append_images=[rgb.rotate(180)]))
kind("one-pixel.jpg", "JPEG of one pixel", saved(rgb.crop((0, 0, 1, 1)), "JPEG", quality=90))

# PNG
for depth in (1, 2, 4, 8, 16):
    samples = grey16 if depth == 16 else grey_array >> (8 - depth)
    kind(f"grey{depth}.png", f"PNG grey, {depth} bit", png(samples, depth, 0))
    kind(f"grey{depth}-interlaced.png", f"PNG grey, {depth} bit, interlaced", png(samples, depth, 0, interlaced=True))
kind("grey16-dark.png", "PNG grey, 16 bit, small values", png(dark16, 16, 0))
kind("grey16-trns.png", "PNG grey, 16 bit, tRNS", png(dark16, 16, 0, before=[(b"tRNS", struct.pack(">H", int(dark16[0, 0])))]))
kind("grey8-trns.png", "PNG grey, tRNS", png(grey_array, 8, 0, before=[(b"tRNS", struct.pack(">H", int(grey_array[0, 0])))]))
kind("grey1-trns.png", "PNG grey, 1 bit, tRNS", png(grey_array >> 7, 1, 0, before=[(b"tRNS", b"\0\1")]))
pair8 = np.dstack([grey_array, wave])
kind("grey-alpha8.png", "PNG grey with alpha, 8 bit", png(pair8, 8, 4))
kind("grey-alpha8-interlaced.png", "PNG grey with alpha, interlaced", png(pair8, 8, 4, interlaced=True))
kind("grey-alpha16.png", "PNG grey with alpha, 16 bit", png(np.dstack([grey16, wave.astype(np.uint16) * 200]), 16, 4))
kind("rgb8.png", "PNG RGB, 8 bit", png(base, 8, 2))
kind("rgb8-interlaced.png", "PNG RGB, interlaced", png(base, 8, 2, interlaced=True))
kind("rgb8-trns.png", "PNG RGB, tRNS", png(base, 8, 2, before=[(b"tRNS", struct.pack(">HHH", *map(int, base[0, 0])))]))
kind("rgb16.png", "PNG RGB, 16 bit", png(rgb16, 16, 2))
kind("rgb16-interlaced.png", "PNG RGB, 16 bit, interlaced", png(rgb16, 16, 2, interlaced=True))
kind("rgb16-trns.png", "PNG RGB, 16 bit, tRNS", png(rgb16, 16, 2, before=[(b"tRNS", struct.pack(">HHH", *map(int, rgb16[0, 0])))]))
kind("rgba8.png", "PNG RGBA, 8 bit", png(np.dstack([base, wave]), 8, 6))
kind("rgba8-clear.png", "PNG RGBA, colours under full transparency", png(np.dstack([base, wave * 0]), 8, 6))
kind("rgba8-interlaced.png", "PNG RGBA, interlaced", png(np.dstack([base, wave]), 8, 6, interlaced=True))
kind("rgba16.png", "PNG RGBA, 16 bit", png(np.dstack([rgb16, wave.astype(np.uint16) * 257]), 16, 6))
for depth in (1, 2, 4, 8):
    some = rgb.quantize(1 << depth)
    table = np.array(some.getpalette(), np.uint8).reshape(-1, 3)[: 1 << depth]
    indices = np.array(some)
    kind(f"palette{depth}.png", f"PNG palette, {depth} bit", png(indices, depth, 3, palette=table))
    trns = [(b"tRNS", bytes([0, 128][: min(2, len(table))]))]
    kind(f"palette{depth}-trns.png", f"PNG palette, {depth} bit, tRNS", png(indices, depth, 3, palette=table, before=trns))
some = rgb.quantize(16)
table = np.array(some.getpalette(), np.uint8).reshape(-1, 3)[:16]
kind("palette4-interlaced.png", "PNG palette, interlaced", png(np.array(some), 4, 3, palette=table, interlaced=True))
kind("gamma.png", "PNG with gamma", png(base, 8, 2, before=[(b"gAMA", struct.pack(">I", 100000))]))
kind("profile.png", "PNG with a colour profile", saved(rgb, "PNG", icc_profile=profile))
kind("background.png", "PNG RGBA with a background colour", png(np.dstack([base, wave]), 8, 6, before=[(b"bKGD", b"\0\0\0\xff\0\0")]))
kind("exif-6.png", "PNG, EXIF orientation 6", saved(rgb, "PNG", exif=oriented(6)))
kind("animated.png", "APNG, animated", saved(rgb, "PNG", save_all=True, append_images=[rgb.rotate(180)]))

# GIF
p16 = rgb.quantize(16)
i16 = np.array(p16)
t16 = np.array(p16.getpalette(), np.uint8).reshape(-1, 3)[:16]
other = t16[::-1].copy()
full = (WIDTH, HEIGHT)
part = i16[3:11, 5:16]
kind("palette.gif", "GIF", gif(full, [{"indices": i16}], t16))
kind("old.gif", "GIF87a", gif(full, [{"indices": i16}], t16, version=b"87a"))
kind("interlaced.gif", "GIF, interlaced", gif(full, [{"indices": i16}], t16, interlaced=True))
kind("transparent.gif", "GIF, transparent", gif(full, [{"indices": i16, "transparent": int(i16[0, 0])}], t16))
kind("transparent-patch.gif", "GIF, transparent patch", gif(full, [{"indices": i16, "transparent": int(i16[5, 6])}], t16, background=7))
kind("offset.gif", "GIF, first frame offset", gif(full, [{"indices": part, "at": (5, 3)}], t16, background=9))
kind("offset-transparent.gif", "GIF, first frame offset and transparent", gif(full, [{"indices": part, "at": (5, 3), "transparent": 6}], t16, background=9))
kind("offset-own-palette.gif", "GIF, first frame offset, own palette", gif(full, [{"indices": part, "at": (5, 3), "palette": other}], t16, background=9))
kind("outgrown.gif", "GIF, first frame larger than the screen", gif((10, 9), [{"indices": i16, "at": (2, 1)}], t16))
kind("own-palette.gif", "GIF, palette of the frame alone", gif(full, [{"indices": i16, "palette": t16}]))
frames = [{"indices": i16}, {"indices": part, "at": (4, 2), "transparent": 2}]
kind("animated.gif", "GIF, animated", gif(full, frames, t16))
frames = [{"indices": part, "at": (4, 2), "transparent": 2, "disposal": 2}, {"indices": i16, "palette": other}]
kind("animated-offset.gif", "GIF, animated, first frame offset", gif(full, frames, t16))
ramp = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, 1)
kind("grey.gif", "GIF, grey ramp", gif(full, [{"indices": grey_array}], ramp))
short = gif(full, [{"indices": i16[:5], "claims": full}], t16)
kind("short-data.gif", "GIF whose codes end early", short)
kind("no-trailer.gif", "GIF without its last byte", gif(full, [{"indices": i16}], t16, tail=b""))
kind("comment.gif", "GIF with bytes after its end", gif(full, [{"indices": i16}], t16, tail=b";trailing"))
kind("written.gif", "GIF as Pillow writes it, animated", saved(rgb, "GIF", save_all=True, append_images=[rgb.rotate(180)]))

# WebP
kind("lossy.webp", "WebP, lossy", saved(rgb, "WEBP", quality=80))
kind("lossless.webp", "WebP, lossless", saved(rgb, "WEBP", lossless=True))
kind("lossy-alpha.webp", "WebP, lossy with alpha", saved(rgba, "WEBP", quality=80))
kind("lossless-alpha.webp", "WebP, lossless with alpha", saved(rgba, "WEBP", lossless=True))
kind("exact-alpha.webp", "WebP, colours under transparency", saved(rgba, "WEBP", lossless=True, exact=True))
kind("animated.webp", "WebP, animated", saved(rgb, "WEBP", save_all=True, append_images=[rgb.rotate(180)], lossless=True))
kind("animated-alpha.webp", "WebP, animated, with alpha", saved(rgba, "WEBP", save_all=True, append_images=[rgba.rotate(180)], lossless=True))
kind("exif-6.webp", "WebP, EXIF orientation 6", saved(rgb, "WEBP", lossless=True, exif=oriented(6)))
kind("profile.webp", "WebP with a colour profile", saved(rgb, "WEBP", lossless=True, icc_profile=profile))

# AVIF
kind("420.avif", "AVIF, 4:2:0", saved(rgb, "AVIF", quality=80, subsampling="4:2:0"))
kind("422.avif", "AVIF, 4:2:2", saved(rgb, "AVIF", quality=80, subsampling="4:2:2"))
kind("444.avif", "AVIF, 4:4:4", saved(rgb, "AVIF", quality=80, subsampling="4:4:4"))
kind("grey.avif", "AVIF, grey", saved(grey, "AVIF", quality=80, subsampling="4:0:0"))
kind("alpha.avif", "AVIF with alpha", saved(rgba, "AVIF", quality=90, subsampling="4:4:4"))
kind("full-quality.avif", "AVIF, quality 100", saved(rgb, "AVIF", quality=100, subsampling="4:4:4"))
kind("limited-range.avif", "AVIF, limited range", saved(rgb, "AVIF", quality=90, range="limited", subsampling="4:4:4"))
kind("animated.avif", "AVIF, animated", timeless(saved(rgb, "AVIF", quality=80, save_all=True, append_images=[rgb.rotate(180)])))
kind("exif-6.avif", "AVIF, orientation 6", saved(rgb, "AVIF", quality=80, exif=oriented(6)))

# TIFF
kind("raw.tif", "TIFF, not compressed", saved(rgb, "TIFF"))
for compression, what in (("tiff_lzw", "LZW"), ("tiff_adobe_deflate", "deflate"), ("packbits", "PackBits"), ("jpeg", "JPEG inside")):
    kind(f"{compression.removeprefix('tiff_').replace('_', '-')}.tif", f"TIFF, {what}", saved(rgb, "TIFF", compression=compression))
kind("lzw-predictor.tif", "TIFF, LZW with predictor", saved(rgb, "TIFF", compression="tiff_lzw", tiffinfo={317: 2}))
kind("grey.tif", "TIFF, grey", saved(grey, "TIFF"))
kind("grey-alpha.tif", "TIFF, grey with alpha", saved(grey_alpha, "TIFF"))
kind("rgba.tif", "TIFF, RGBA", saved(rgba, "TIFF"))
kind("palette.tif", "TIFF, palette", saved(p16, "TIFF"))
kind("one-bit.tif", "TIFF, 1 bit", saved(rgb.convert("1"), "TIFF"))
kind("fax.tif", "TIFF, 1 bit, Group 4", saved(rgb.convert("1"), "TIFF", compression="group4"))
kind("cmyk.tif", "TIFF, CMYK", saved(coloured, "TIFF"))
kind("cmyk-lzw.tif", "TIFF, CMYK, LZW", saved(coloured, "TIFF", compression="tiff_lzw"))
kind("grey16.tif", "TIFF, grey, 16 bit", saved(Image.fromarray(grey16), "TIFF"))
kind("grey16-dark.tif", "TIFF, grey, 16 bit, small values", saved(Image.fromarray(dark16), "TIFF"))
kind("grey16-lzw.tif", "TIFF, grey, 16 bit, LZW", saved(Image.fromarray(dark16), "TIFF", compression="tiff_lzw"))
kind("float.tif", "TIFF, floats", saved(Image.fromarray(dark16.astype(np.float32)), "TIFF"))
kind("int32.tif", "TIFF, 32-bit integers", saved(Image.fromarray(dark16.astype(np.int32)), "TIFF"))
lab = ImageCms.applyTransform(rgb, ImageCms.buildTransform(ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB"))
lab.info.pop("icc_profile", None)
kind("lab.tif", "TIFF, Lab", saved(lab, "TIFF"))
for value in range(1, 9):
    kind(f"oriented-{value}.tif", f"TIFF, orientation {value}", saved(rgb, "TIFF", compression="tiff_lzw", exif=oriented(value)))
kind("pages.tif", "TIFF, several pages", saved(rgb, "TIFF", compression="tiff_lzw", save_all=True, append_images=[rgb.rotate(180)]))
kind("profile.tif", "TIFF with a colour profile", saved(rgb, "TIFF", icc_profile=profile))
kind("big.tif", "BigTIFF", saved(rgb, "TIFF", big_tiff=True))
plain = {256: ("H", [WIDTH]), 257: ("H", [HEIGHT]), 258: ("H", [8, 8, 8]), 259: ("H", [1]), 262: ("H", [2]), 277: ("H", [3]), 278: ("H", [HEIGHT])}
kind("big-endian.tif", "TIFF, big-endian", tiff(plain, [base.tobytes()], order=">"))
strips = [base[i : i + 5].tobytes() for i in range(0, HEIGHT, 5)]
kind("strips.tif", "TIFF, several strips", tiff({**plain, 278: ("H", [5])}, strips))
planes = [np.ascontiguousarray(base[:, :, c]).tobytes() for c in range(3)]
kind("planes.tif", "TIFF, planes apart", tiff({**plain, 284: ("H", [2])}, planes))
wide = {**plain, 258: ("H", [16, 16, 16])}
kind("rgb16.tif", "TIFF, RGB, 16 bit", tiff(wide, [rgb16.astype("<u2").tobytes()]))
kind("rgb16-big-endian.tif", "TIFF, RGB, 16 bit, big-endian", tiff(wide, [rgb16.astype(">u2").tobytes()], order=">"))
one = {**plain, 258: ("H", [8]), 262: ("H", [0]), 277: ("H", [1])}
kind("white-is-zero.tif", "TIFF, grey, white is zero", tiff(one, [grey_array.tobytes()]))
kind("white-is-zero16.tif", "TIFF, grey, 16 bit, white is zero", tiff({**one, 258: ("H", [16])}, [dark16.astype("<u2").tobytes()]))
kind("grey16-big-endian.tif", "TIFF, grey, 16 bit, big-endian", tiff({**one, 258: ("H", [16]), 262: ("H", [1])}, [dark16.astype(">u2").tobytes()], order=">"))
kind("grey16-signed.tif", "TIFF, grey, 16 bit with sign", tiff({**one, 258: ("H", [16]), 262: ("H", [1]), 339: ("H", [2])}, [dark16.astype("<i2").tobytes()]))
four = b"".join(bytes(int(a) >> 4 << 4 | int(b) >> 4 for a, b in zip(row[::2], [*row[1::2], 0])) for row in grey_array)
kind("grey4.tif", "TIFF, grey, 4 bit", tiff({**one, 258: ("H", [4]), 262: ("H", [1])}, [four]))
kind("oriented-big-endian.tif", "TIFF, big-endian, orientation 6", tiff({**plain, 274: ("H", [6])}, [base.tobytes()], order=">"))
kind("rgba16.tif", "TIFF, RGBA, 16 bit", tiff({**wide, 258: ("H", [16] * 4), 277: ("H", [4]), 338: ("H", [2])}, [np.dstack([rgb16, wave.astype(np.uint16) * 257]).astype("<u2").tobytes()]))

# BMP
table4 = b"".join(bytes([*color[::-1], 0]) for color in t16)
table8 = table4 + bytes(4 * 240)
for bits, table in ((1, bytes([10, 200, 30, 0, 250, 40, 60, 0])), (4, table4), (8, table8)):
    indices = np.array(rgb.convert("1")).astype(np.uint8) if bits == 1 else i16
    kind(f"palette{bits}.bmp", f"BMP, {bits} bit", bmp(bmp_rows(indices[::-1], bits), full, bits, palette=table))
kind("short-palette.bmp", "BMP, 8 bit, palette of 16", bmp(bmp_rows(i16[::-1], 8), full, 8, palette=table4, colours=16))
kind("black-white.bmp", "BMP, 1 bit, black and white", saved(rgb.convert("1"), "BMP"))
kind("grey.bmp", "BMP, grey", saved(grey, "BMP"))
bgr = base[:, :, ::-1]
kind("rgb24.bmp", "BMP, 24 bit", bmp(bmp_rows(bgr[::-1].reshape(HEIGHT, -1), 24), full, 24))
kind("rgb24-top-down.bmp", "BMP, 24 bit, top-down", bmp(bmp_rows(bgr.reshape(HEIGHT, -1), 24), full, 24, top_down=True))
bgra = np.dstack([bgr, wave])
rows32 = bmp_rows(bgra[::-1].reshape(HEIGHT, -1), 32)
kind("rgb32.bmp", "BMP, 32 bit", bmp(rows32, full, 32))
kind("rgb32-fields.bmp", "BMP, 32 bit, bit fields", bmp(rows32, full, 32, compression=3, masks=struct.pack("<III", 0xFF0000, 0xFF00, 0xFF)))
abgr = np.dstack([wave, bgr])
kind("rgb32-shifted.bmp", "BMP, 32 bit, fields in the upper bytes", bmp(bmp_rows(abgr[::-1].reshape(HEIGHT, -1), 32), full, 32, compression=3, masks=struct.pack("<III", 0xFF000000, 0xFF0000, 0xFF00)))
kind("rgba32-v4.bmp", "BMP, 32 bit with alpha, V4", bmp(rows32, full, 32, compression=3, header=108, masks=struct.pack("<IIII", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)))
kind("rgba32-v5.bmp", "BMP, 32 bit with alpha, V5", bmp(rows32, full, 32, compression=3, header=124, masks=struct.pack("<IIII", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)))
rgba_fields = np.dstack([base, wave])
kind("rgba32-reversed.bmp", "BMP, 32 bit, red first", bmp(bmp_rows(rgba_fields[::-1].reshape(HEIGHT, -1), 32), full, 32, compression=3, header=108, masks=struct.pack("<IIII", 0xFF, 0xFF00, 0xFF0000, 0xFF000000)))
wide16 = base.astype(np.uint16)
rgb555 = (wide16[:, :, 0] >> 3 << 10 | wide16[:, :, 1] >> 3 << 5 | wide16[:, :, 2] >> 3).astype("<u2")
rgb565 = (wide16[:, :, 0] >> 3 << 11 | wide16[:, :, 1] >> 2 << 5 | wide16[:, :, 2] >> 3).astype("<u2")
as_bytes = lambda words: np.ascontiguousarray(words[::-1]).view(np.uint8)
kind("rgb16-555.bmp", "BMP, 16 bit", bmp(bmp_rows(as_bytes(rgb555), 16), full, 16))
kind("rgb16-fields555.bmp", "BMP, 16 bit, fields 5-5-5", bmp(bmp_rows(as_bytes(rgb555), 16), full, 16, compression=3, masks=struct.pack("<III", 0x7C00, 0x3E0, 0x1F)))
kind("rgb16-565.bmp", "BMP, 16 bit, fields 5-6-5", bmp(bmp_rows(as_bytes(rgb565), 16), full, 16, compression=3, masks=struct.pack("<III", 0xF800, 0x7E0, 0x1F)))
kind("rgb16-444.bmp", "BMP, 16 bit, fields 4-4-4", bmp(bmp_rows(as_bytes(rgb565), 16), full, 16, compression=3, masks=struct.pack("<III", 0xF00, 0xF0, 0xF)))
os2 = b"".join(bytes(color[::-1]) for color in t16)
kind("os2.bmp", "BMP of OS/2, 4 bit", bmp(bmp_rows(i16[::-1], 4), full, 4, palette=os2, header=12))
kind("os2-24.bmp", "BMP of OS/2, 24 bit", bmp(bmp_rows(bgr[::-1].reshape(HEIGHT, -1), 24), full, 24, header=12))


def rle(rows, bits):
    """Runs, absolute stretches and ends of lines."""
    out = b""
    for row in rows:
        start = 0
        while start < len(row):
            end = start
            while end < len(row) and row[end] == row[start] and end - start < 255:
                end += 1
            if end - start >= 3:
                out += bytes([end - start, row[start] * (17 if bits == 4 else 1)])
                start = end
                continue
            end = min(len(row), start + 5)
            stretch = row[start:end]
            if len(stretch) >= 3:
                data = packed_nibbles(stretch) if bits == 4 else bytes(stretch)
                out += bytes([0, len(stretch)]) + data + b"\0" * (len(data) % 2)
            else:
                out += b"".join(bytes([1, v * 16 if bits == 4 else v]) for v in stretch)
            start = end
        out += b"\0\0"
    return out + b"\0\1"


def packed_nibbles(values):
    values = [int(v) for v in values] + [0] * (len(values) % 2)
    return bytes(a << 4 | b for a, b in zip(values[::2], values[1::2]))


ints = [[int(v) for v in row] for row in i16[::-1]]
kind("rle8.bmp", "BMP, RLE8", bmp(rle(ints, 8), full, 8, palette=table8, compression=1))
kind("rle4.bmp", "BMP, RLE4", bmp(rle(ints, 4), full, 4, palette=table4, compression=2))
delta = bytes([5, 3, 0, 2, 4, 2]) + bytes([6, 9, 0, 0]) + b"".join(bytes([WIDTH, i % 16, 0, 0]) for i in range(HEIGHT - 3)) + b"\0\1"
kind("rle8-delta.bmp", "BMP, RLE8 with a jump", bmp(delta, full, 8, palette=table8, compression=1))
kind("rle8-short.bmp", "BMP, RLE8 that ends early", bmp(bytes([WIDTH, 3, 0, 0, 4, 2, 0, 1]), full, 8, palette=table8, compression=1))
kind("jpeg-inside.bmp", "BMP with a JPEG inside", bmp(saved(rgb, "JPEG"), full, 24, compression=4))

# PPM, PGM, PBM
kind("p1.pbm", "PBM, text", b"P1\n# made here\n21 14\n" + b"\n".join((48 + (row > 127)).astype(np.uint8).tobytes() for row in grey_array) + b"\n")
plain_text = lambda values: b"\n".join(b" ".join(b"%d" % int(v) for v in row) for row in values) + b"\n"
kind("p2.pgm", "PGM, text", b"P2 21 14 255\n" + plain_text(grey_array))
kind("p2-16.pgm", "PGM, text, 16 bit", b"P2\n21 14\n65535\n" + plain_text(dark16))
kind("p2-100.pgm", "PGM, text, up to 100", b"P2\n21 14\n100\n# half\n" + plain_text(grey_array // 3))
kind("p3.ppm", "PPM, text", b"P3\n21 14\n255\n" + plain_text(base.reshape(HEIGHT, -1)))
kind("p3-1000.ppm", "PPM, text, up to 1000", b"P3\n21 14\n1000\n" + plain_text(base.reshape(HEIGHT, -1).astype(int) * 3))
kind("p4.pbm", "PBM, binary", saved(rgb.convert("1"), "PPM"))
kind("p5.pgm", "PGM, binary", saved(grey, "PPM"))
kind("p5-16.pgm", "PGM, binary, 16 bit", b"P5\n21 14\n65535\n" + dark16.astype(">u2").tobytes())
kind("p5-4095.pgm", "PGM, binary, up to 4095", b"P5\n21 14\n4095\n" + dark16.astype(">u2").tobytes())
kind("p5-15.pgm", "PGM, binary, up to 15", b"P5\n21 14\n15\n" + (grey_array >> 4).tobytes())
kind("p6.ppm", "PPM, binary", saved(rgb, "PPM"))
kind("p6-comment.ppm", "PPM, binary, comments in the header", b"P6 # one\n#two\n21\t14 #three\n255\n" + base.tobytes())
kind("p6-16.ppm", "PPM, binary, 16 bit", b"P6\n21 14\n65535\n" + rgb16.astype(">u2").tobytes())
kind("p6-100.ppm", "PPM, binary, up to 100", b"P6\n21 14\n100\n" + (base // 3).tobytes())
kind("pf.pfm", "PFM, floats", b"Pf\n21 14\n-1.0\n" + dark16[::-1].astype("<f4").tobytes())
kind("p7.pam", "PAM", b"P7\nWIDTH 21\nHEIGHT 14\nDEPTH 3\nMAXVAL 255\nTUPLTYPE RGB\nENDHDR\n" + base.tobytes())

# Refused by name
heif = lambda brand, others: struct.pack(">I4s4sI", 16 + 4 * len(others), b"ftyp", brand, 0) + b"".join(others) + chunk(b"meta", bytes(40))
kind("photo.heic", "HEIC", heif(b"heic", [b"mif1", b"heic"]))
kind("photo-mif1.heic", "HEIC, brand mif1", heif(b"mif1", [b"heic", b"miaf"]))
kind("icon.ico", "ICO", saved(rgb, "ICO", sizes=[(8, 8)]))
kind("cursor.cur", "CUR", b"\0\0\2\0\1\0" + saved(rgb, "ICO", sizes=[(8, 8)])[6:])
kind("picture.tga", "TGA", saved(rgb, "TGA"))
kind("picture-rle.tga", "TGA, RLE", saved(rgb, "TGA", compression="tga_rle"))
kind("picture.jp2", "JPEG 2000", saved(rgb, "JPEG2000"))
kind("picture.j2k", "JPEG 2000, codestream", saved(rgb, "JPEG2000", no_jp2=True))
kind("picture.jxl", "JPEG XL", b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(20))
kind("picture.psd", "Photoshop", b"8BPS\0\1" + bytes(6) + struct.pack(">HIIHH", 3, HEIGHT, WIDTH, 8, 3) + bytes(40))
kind("drawing.svg", "SVG", b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg" width="21" height="14"><rect width="9" height="9" fill="red"/></svg>\n')
kind("page.pdf", "PDF", saved(rgb, "PDF")[:400])
kind("picture.pcx", "PCX", saved(rgb, "PCX"))
kind("picture.dds", "DDS", saved(rgb, "DDS")[:300])
kind("picture.qoi", "QOI", saved(rgb, "QOI"))
kind("icons.icns", "ICNS", b"icns" + struct.pack(">I", 16) + b"ic07" + struct.pack(">I", 8))
kind("picture.exr", "OpenEXR", b"v/1\1\2\0\0\0" + bytes(30))
kind("clip.mp4", "MP4", struct.pack(">I4s4sI", 24, b"ftyp", b"isom", 0) + b"isomiso2" + bytes(20))

# Damaged
def cut(data, share):
    return data[: int(len(data) * share)]


big = Image.fromarray(photo(40, 60))
for form, name, options in (
    ("JPEG", "jpg", {"quality": 90}),
    ("PNG", "png", {}),
    ("GIF", "gif", {}),
    ("WEBP", "webp", {"quality": 80}),
    ("AVIF", "avif", {"quality": 80}),
    ("TIFF", "tif", {"compression": "tiff_lzw"}),
    ("BMP", "bmp", {}),
    ("PPM", "ppm", {}),
):
    whole = saved(rgb if name in ("bmp", "ppm") else big, form, **options)
    kind(f"cut.{name}", f"{form}, cut off in the middle", cut(whole, 0.5))
    kind(f"head-only.{name}", f"{form}, its first 20 bytes", whole[:20])
progressive = saved(big, "JPEG", quality=90, progressive=True)
kind("cut-progressive.jpg", "JPEG progressive, cut off", cut(progressive, 0.6))
damaged = bytearray(png(base, 8, 2))
damaged[-30] ^= 0x55
kind("corrupt.png", "PNG, a bit of its data wrong", bytes(damaged))
kind("no-end.png", "PNG without its IEND", png(base, 8, 2)[:-12])
kind("empty.png", "an empty file", b"")
kind("text.jpg", "text under a picture's name", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 12\n")
kind("page.jpg", "a web page under a picture's name", b"<!DOCTYPE html><html><body>404 Not Found</body></html>\n")
kind("no-pixels.png", "PNG of width 0", png(base, 8, 2)[:16] + struct.pack(">I", 0) + png(base, 8, 2)[20:])
huge = 60000


def claims(data, at, form):
    size = struct.pack(form, huge, huge)
    return data[:at] + size + data[at + len(size) :]


header = struct.pack(">IIBBBBB", huge, huge, 8, 2, 0, 0, 0)
kind("bomb.png", "PNG, header claims 60000 x 60000", b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + png(base, 8, 2)[33:])
kind("bomb.gif", "GIF, header claims 60000 x 60000", claims(gif(full, [{"indices": i16}], t16), 6, "<HH"))
whole = saved(rgb, "JPEG", quality=90)
kind("bomb.jpg", "JPEG, header claims 60000 x 60000", claims(whole, whole.index(b"\xff\xc0") + 5, ">HH"))
kind("bomb.bmp", "BMP, header claims 60000 x 60000", claims(saved(rgb, "BMP"), 18, "<II"))
kind("bomb.ppm", "PPM, header claims 60000 x 60000", b"P6 60000 60000 255\n" + base.tobytes())
kind("bomb.tif", "TIFF, header claims 60000 x 60000", tiff({**plain, 256: ("H", [huge]), 257: ("H", [huge])}, [base.tobytes()]))


def pixels(path):
    """Pillow's pixels, or what it raises."""
    try:
        with Image.open(path) as image:
            return np.array(image.convert("RGB")), None
    except Exception as error:  # noqa: BLE001 - whatever Pillow raises is its verdict
        return None, type(error).__name__


golden = {"made_by": f"make_image_kinds.py, Pillow {PIL.__version__}", "kinds": []}
for name, what in kinds:
    array, raised = pixels(FILES / name)
    entry = {"file": name, "kind": what}
    if array is None:
        entry["raises"] = raised
    else:
        entry |= {"width": array.shape[1], "height": array.shape[0], "data": base64.b64encode(array.tobytes()).decode()}
    golden["kinds"].append(entry)
# Where Pillow refuses files that are cut off, so must Graft. Formats whose rows end early are cut near their ends, too.
WHOLE = (
    "baseline-420.jpg progressive.jpg grey.jpg rgb8.png palette4-interlaced.png palette.gif animated.gif offset.gif lossy.webp "
    "lossless.webp animated.webp raw.tif lzw.tif adobe-deflate.tif jpeg.tif strips.tif oriented-6.tif rgb24.bmp palette4.bmp "
    "rle8.bmp p1.pbm p3.ppm p4.pbm p6.ppm p5-16.pgm pf.pfm 444.avif alpha.avif animated.avif"
).split()
golden["cuts"] = []
for name in WHOLE:
    data = (FILES / name).read_bytes()
    size = len(data)
    for length in sorted({size - 1, size - 2, size - 3, size - 5, size - 12, size - 30, size * 3 // 4, size // 2, size // 4}):
        array, raised = pixels(io.BytesIO(data[:length]))
        golden["cuts"].append({"file": name, "length": length, "raises": raised})
(OUT / "image-kinds.json").write_text(json.dumps(golden, indent=0) + "\n")
size = sum(p.stat().st_size for p in FILES.iterdir()) + (OUT / "image-kinds.json").stat().st_size
print(len(golden["cuts"]), "cuts,", len(kinds), "kinds,", sum("raises" in e for e in golden["kinds"]), "refused by Pillow,", size, "bytes")
