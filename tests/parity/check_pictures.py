#!/usr/bin/env python3
"""JPEG files as a network sees them, beside Pillow: decoded, resized bilinearly to a square, larger and smaller, normalised.

Pictures are drawn here and saved by Pillow in several ways; parity_subject (PARITY_SUBJECT names it) gives what mien makes of the
files. Pixels must be Pillow's to the last bit, so a normalised one may be off by its own rounding; another resampling filter and
another quality must be noticed. Exit code 77 where no python3 has torch and Pillow.
"""
import os
import pathlib
import subprocess
import sys
import tempfile

from needs import torch  # noqa: F401
import numpy
from PIL import Image
import PIL
from reference import MEAN, STD, read

TOLERANCE = 1e-6  # values up to 3, in f32
WAYS = {"4:2:0": {"quality": 85}, "4:4:4": {"quality": 95, "subsampling": 0}, "progressive": {"quality": 70, "progressive": True}}
SHAPES, SIZES = ((48, 48), (97, 61), (250, 333), (640, 480)), (64, 224)


def draw(width, height, seed):
    """A picture of edges, slopes and noise."""
    y, x = numpy.mgrid[0:height, 0:width]
    noise = numpy.random.default_rng(seed).integers(0, 60, (height, width, 3))
    slopes = numpy.stack([255 * x / width, 255 * y / height, 255 * ((x // 7 + y // 5) % 2)], axis=2)
    return Image.fromarray(numpy.clip(slopes * 0.8 + noise, 0, 255).astype(numpy.uint8))


def seen_by_mien(path, size, end):
    done = subprocess.run([os.environ["PARITY_SUBJECT"], "picture", path, str(size), end], capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(done.stderr.strip())
    return read(end)["picture"].double().numpy()


def seen_by_pillow(path, size, resample=Image.Resampling.BILINEAR):
    with Image.open(path) as image:
        pixels = numpy.asarray(image.convert("RGB").resize((size, size), resample))
    mean, std = (numpy.float32(v).astype(numpy.float64) for v in (MEAN, STD))
    return (pixels / 255 - mean) / std


def main():
    failed, worst, count = 0, 0.0, 0
    with tempfile.TemporaryDirectory() as folder:
        path, other, end = (str(pathlib.Path(folder, name)) for name in ("picture.jpg", "other.jpg", "end.safetensors"))
        for seed, (width, height) in enumerate(SHAPES):
            for way, options in WAYS.items():
                image = draw(width, height, seed)
                image.save(path, "JPEG", **options)
                image.save(other, "JPEG", **{**options, "quality": options["quality"] - 1})
                for size in SIZES:
                    got = seen_by_mien(path, size, end)
                    off = abs(got - seen_by_pillow(path, size)).max()
                    spoiled = [abs(got - seen_by_pillow(path, size, Image.Resampling.HAMMING)).max(),
                               abs(got - seen_by_pillow(other, size)).max()]
                    if not off <= TOLERANCE < min(spoiled):
                        failed += 1
                        print(f"{width}x{height} {way} at {size}: off by {off:.2g} (allowed {TOLERANCE:g}); by another filter "
                              f"{spoiled[0]:.2g}, of another quality {spoiled[1]:.2g}", file=sys.stderr)
                    worst, count = max(worst, off), count + 1
    print(f"{count} pictures, Pillow {PIL.__version__}: {failed} off, the worst by {worst:.2g}")
    return 1 if failed else 0


sys.exit(main())
