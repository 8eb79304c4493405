"""Writes tests/data/image/randaugment: what torchvision's RandAugment operations make of a few pictures.

Run from anywhere with Debian 12's python3-pil and python3-torchvision (recorded in VERSIONS there). The operations are
torchvision's own, on uint8 tensors, with nearest sampling and no fill. NAME.webp (lossless) is one column of pictures
of equal size: the source, then a result for each line of NAME.txt, "OPERATION BIN VALUE", the value with its sign."""
import math
import zlib
from pathlib import Path

import numpy
import PIL
import torch
import torchvision
from PIL import Image
from torchvision.transforms import InterpolationMode, RandAugment
from torchvision.transforms.autoaugment import _apply_op

OUT = Path(__file__).resolve().parent.parent / "data" / "image" / "randaugment"
BINS = (0, 9, 30)


def face(width, height):
    """A portrait in which no pixel equals its neighbour, so that one that is moved is seen to be: red counts columns,
    green counts rows. Whole steps, because the file must stay small."""
    row, column = numpy.mgrid[0:height, 0:width]
    u, v = (column + 0.5) / width, (row + 0.5) / height
    step = max(1, 112 // max(width, height))
    blue = numpy.full((height, width), 105)
    red, green = 20 + step * column, 140 - step * row

    def put(mask, more_red, more_green, new_blue):
        red[mask] += more_red
        green[mask] += more_green
        blue[mask] = new_blue

    put(((u - 0.5) / 0.36) ** 2 + ((v - 0.52) / 0.45) ** 2 < 1, 110, 90, 120)
    for eye in (0.35, 0.65):
        put(((u - eye) / 0.09) ** 2 + ((v - 0.42) / 0.04) ** 2 < 1, 15, 20, 250)
        put((u - eye) ** 2 + (v - 0.42) ** 2 < 0.035 ** 2, -140, -110, 3)
    put(((u - 0.5) / 0.16) ** 2 + ((v - 0.75) / 0.05) ** 2 < 1, 30, -100, 60)
    return numpy.stack([red, green, blue], axis=2).clip(0, 255).astype(numpy.uint8)


def noise(width, height, low=0, high=255):
    """Levels low..high without any structure, the same on every machine."""
    rounds = math.ceil(width * height * 3 / 4)
    levels = b"".join(zlib.crc32(b"%d" % i).to_bytes(4, "little") for i in range(rounds))[:width * height * 3]
    levels = numpy.frombuffer(levels, numpy.uint8).reshape(height, width, 3)
    return (low + levels.astype(int) * (high - low) // 255).astype(numpy.uint8)


def flat(width, height):
    """One channel of one level, one of two, one of three."""
    pixels = numpy.full((height, width, 3), 200, numpy.uint8)
    pixels[::2, :, 1] = 17
    pixels[:, ::3, 2] = 64
    pixels[0, 0, 2] = 0
    return pixels


PICTURES = {
    "face_112x112": face(112, 112),
    "face_48x48": face(48, 48),
    "face_53x31": face(53, 31),
    "face_30x67": face(30, 67),
    "noise_17x13": noise(17, 13),
    "noise_23x20_dull": noise(23, 20, 70, 180),
    "flat_8x9": flat(8, 9),
    "noise_3x3": noise(3, 3),
    "noise_2x5": noise(2, 5),
    "noise_1x1": noise(1, 1),
}


def values(magnitudes, is_signed):
    """(bin, value) of an operation; the values of bin 0 that have a sign are all 0."""
    if magnitudes.ndim == 0:
        yield 0, 0.0
        return
    for bin in BINS:
        value = float(magnitudes[bin].item())
        yield bin, value
        if is_signed and value != 0:
            yield bin, -value


def make(name, pixels):
    height, width = pixels.shape[:2]
    source = torch.from_numpy(pixels).permute(2, 0, 1)
    results, lines = [pixels], []
    for operation, (magnitudes, is_signed) in RandAugment()._augmentation_space(31, (height, width)).items():
        for bin, value in values(magnitudes, is_signed):
            result = _apply_op(source, operation, value, InterpolationMode.NEAREST, None)
            results.append(result.permute(1, 2, 0).numpy())
            lines.append(f"{operation} {bin} {value:.9g}\n")
    column = numpy.concatenate(results)
    Image.fromarray(column).save(OUT / f"{name}.webp", lossless=True, quality=100, method=6)
    assert (numpy.asarray(Image.open(OUT / f"{name}.webp").convert("RGB")) == column).all()
    (OUT / f"{name}.txt").write_text("".join(lines))


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    for name, pixels in PICTURES.items():
        make(name, pixels)
    (OUT / "VERSIONS").write_text(f"Pillow {PIL.__version__}, torch {torch.__version__}, "
                                  f"torchvision {torchvision.__version__}, numpy {numpy.__version__}\n")


if __name__ == "__main__":
    main()
