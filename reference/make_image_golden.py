"""Writes test/golden/data/images.json and test/golden/data/files/: pictures with what Pillow, transformers and
torchvision make of them (deterministic parts only). All pictures are computed here."""

import base64
import hashlib
import json
import os
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torchvision.transforms import CenterCrop, Compose, InterpolationMode, Normalize, RandomResizedCrop, Resize, ToTensor
from torchvision.transforms import functional as F
from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

warnings.filterwarnings("ignore")
OUT = Path(__file__).parent.parent / "test/golden/data"
FILES = OUT / "files"
FILES.mkdir(parents=True, exist_ok=True)


def packed(array):
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()


def picture(height, width, seed, channels=3):
    """Smooth waves with noise and hard edges, so that every filter has something to do."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    planes = [127 + 90 * np.sin(x / (3 + c)) * np.cos(y / (4 - c)) + random.normal(0, 25, (height, width)) for c in range(channels)]
    image = np.clip(np.stack(planes, -1), 0, 255).astype(np.uint8)
    image[height // 3 : height // 2, width // 4 : width // 2] = [255, 0, 128][:channels]
    return image


def entry(array):
    channels = 1 if array.ndim == 2 else array.shape[2]
    return {"height": array.shape[0], "width": array.shape[1], "channels": channels, "data": packed(array)}


golden = {"resize": [], "processor": [], "transforms": []}

filters = {"nearest": 0, "lanczos": 1, "bilinear": 2, "bicubic": 3, "box": 4, "hamming": 5}
colour, grey = picture(23, 37, 1), picture(19, 14, 2, 1)[:, :, 0]
golden["pictures"] = {"colour": entry(colour), "grey": entry(grey)}
for name, number in filters.items():
    for source, array in (("colour", colour), ("grey", grey)):
        for width, height in ((11, 9), (50, 41), (37, 8), (5, 23), (64, 7), (1, 1)):
            out = np.array(Image.fromarray(array).resize((width, height), resample=number))
            golden["resize"].append({"source": source, "resample": name, "out": entry(out)})

configs = [
    {"size": {"height": 16, "width": 20}, "resample": 2},
    {"size": 12, "resample": 3, "image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]},
    {"size": {"shortest_edge": 15}, "resample": 3, "do_center_crop": True, "crop_size": {"height": 13, "width": 14}},
    {"size": {"height": 20, "width": 17}, "resample": 1, "do_normalize": False},
    {"do_resize": False, "do_center_crop": True, "crop_size": {"height": 30, "width": 20}, "do_rescale": False},
]
for config in configs:
    out = ViTImageProcessorPil(**config)(Image.fromarray(colour), return_tensors="np")["pixel_values"][0]
    golden["processor"].append({"config": config, "source": "colour", "shape": list(out.shape), "data": packed(out)})
one = {"size": {"height": 28, "width": 28}, "resample": 2, "image_mean": [0.1307], "image_std": [0.3081]}
out = ViTImageProcessorPil(**one)(Image.fromarray(grey), return_tensors="np")["pixel_values"][0]
golden["processor"].append({"config": one, "source": "grey", "shape": list(out.shape), "data": packed(out)})

mean, std = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
for size in (16, 24, 9):
    steps = Compose([Resize(size), CenterCrop(size), ToTensor(), Normalize(mean, std)])
    golden["transforms"].append({"kind": "validation", "size": size, "data": packed(steps(Image.fromarray(colour)).numpy())})
for size in (10, 31, 40):
    out = np.array(CenterCrop(size)(Image.fromarray(colour)))
    golden["transforms"].append({"kind": "centerCrop", "size": size, "data": packed(out)})
for top, left, height, width in ((2, 3, 15, 17), (0, 0, 23, 37), (10, 20, 5, 4)):
    out = F.resized_crop(Image.fromarray(colour), top, left, height, width, [16, 16], InterpolationMode.BILINEAR)
    out = np.array(F.hflip(out))
    golden["transforms"].append({"kind": "crop", "box": [top, left, height, width], "data": packed(out)})

torch.manual_seed(0)
blank, shares = Image.new("RGB", (400, 300)), []
for _ in range(20000):
    _, _, height, width = RandomResizedCrop.get_params(blank, (0.08, 1.0), (3 / 4, 4 / 3))
    shares.append(height * width / (400 * 300))
golden["randomCropMeanShare"] = float(np.mean(shares))

# Files of every mode, with the pixels of Image.open(...).convert("RGB").
height, width = 18, 26
base = picture(height, width, 3)
rgb = Image.fromarray(base)
alpha = Image.fromarray((np.mgrid[0:height, 0:width].sum(0) * 6 % 256).astype(np.uint8))
rotated = Image.Exif()
rotated[0x0112] = 6
rgb.save(FILES / "rgb.png")
rgb.save(FILES / "rgb.jpg", quality=90)
rgb.save(FILES / "rgb.webp", lossless=True)
rgb.save(FILES / "exif-rotated.jpg", quality=90, exif=rotated)
rgb.convert("L").save(FILES / "grey.png")
rgb.convert("L").save(FILES / "grey.jpg", quality=90)
rgb.convert("1").save(FILES / "one-bit.png")
rgb.quantize(16).save(FILES / "palette.png")
rgb.quantize(16).save(FILES / "palette-transparent.png", transparency=3)
rgb.quantize(64).save(FILES / "palette.gif")
Image.merge("RGBA", [*rgb.split(), alpha]).save(FILES / "rgba.png")
Image.merge("LA", [rgb.convert("L"), alpha]).save(FILES / "grey-alpha.png")
rgb.convert("CMYK").save(FILES / "cmyk.jpg", quality=95)
Image.fromarray((np.arange(height * width).reshape(height, width) * 3).astype(np.uint16)).save(FILES / "grey16.png")


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


rows = b"".join(b"\0" + (base[y].astype(">u2") * 256 + 37).astype(">u2").tobytes() for y in range(height))
header = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
(FILES / "rgb16.png").write_bytes(
    b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
)
golden["files"] = {p.name: entry(np.array(Image.open(p).convert("RGB"))) for p in sorted(FILES.iterdir())}

# Of real JPEGs only a digest of Pillow's pixels is kept (the pictures may not be passed on).
assets = Path(os.environ.get("GRAFT_ASSETS", Path(__file__).parent.parent.parent / "shared/assets"))
photos = sorted((assets / "datasets/food101-10class/test").glob("*/*.jpg"))[::10]
golden["photos"] = {
    str(p.relative_to(assets)): hashlib.sha256(np.array(Image.open(p).convert("RGB")).tobytes()).hexdigest() for p in photos
}

(OUT / "images.json").write_text(json.dumps(golden, indent=0) + "\n")
print({k: len(v) for k, v in golden.items() if isinstance(v, (list, dict))}, (OUT / "images.json").stat().st_size, "bytes")
