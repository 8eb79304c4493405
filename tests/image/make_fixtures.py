"""Writes tests/data/image: pictures as other programs make them, and the pixels that the reference reads in them.

Run from anywhere with Debian 12's python3-pil and python3-torchvision (recorded in tests/data/image/VERSIONS).
Each NAME.rgb is two little-endian uint16, width and height, and then the pixels, three bytes each.
Pillow from version 13 on shrinks tall pictures vertically first; mien does as all versions before it."""
import io
import struct
import zlib
from pathlib import Path

import numpy
import PIL
import torch
import torchvision
import torchvision.transforms.functional as functional
from PIL import Image, ImageOps

OUT = Path(__file__).resolve().parent.parent / "data" / "image"
WIDTH, HEIGHT = 24, 17


def picture(width=WIDTH, height=HEIGHT):
    """[height, width, 3] uint8: gradients that no flip, turn or swap of channels leaves as they were."""
    y, x = numpy.mgrid[0:height, 0:width]
    red = 40 + 200 * x / max(width - 1, 1)
    green = 230 - 180 * y / max(height - 1, 1)
    blue = 128 + 100 * numpy.sin(x * 0.7) * numpy.cos(y * 0.5)
    return numpy.stack([red, green, blue], axis=2).astype(numpy.uint8)


def hashed(width, height):
    """[height, width, 3] uint8 without any structure; tests/image/picture.h has the same formula."""
    i = numpy.arange(width * height * 3, dtype=numpy.uint64)
    h = (i * 2654435761 + 12345) & 0xFFFFFFFF
    h ^= h >> 15
    h = (h * 2246822519) & 0xFFFFFFFF
    return (h >> 24).astype(numpy.uint8).reshape(height, width, 3)


def write_rgb(name, pixels):
    pixels = numpy.ascontiguousarray(pixels, dtype=numpy.uint8)
    (OUT / f"{name}.rgb").write_bytes(struct.pack("<HH", pixels.shape[1], pixels.shape[0]) + pixels.tobytes())


def reference(data):
    return numpy.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB"))


def case(name, data, pixels=None):
    """The file NAME and what must be read in it: `pixels`, which Pillow must confirm where it is given alone."""
    (OUT / name).write_bytes(data)
    write_rgb(name, reference(data) if pixels is None else pixels)


def saved(image, format, **options):
    out = io.BytesIO()
    image.save(out, format, **options)
    return out.getvalue()


# --- JPEG ------------------------------------------------------------------------------------------------------------
def segments(jpeg):
    """(marker, whole segment) of a JPEG up to its scan, then (None, the rest)."""
    at = 2
    while True:
        marker, length = jpeg[at + 1], struct.unpack(">H", jpeg[at + 2:at + 4])[0]
        if marker == 0xDA:
            yield None, jpeg[at:]
            return
        yield marker, jpeg[at:at + 2 + length]
        at += 2 + length


def without(jpeg, *markers):
    return jpeg[:2] + b"".join(s for marker, s in segments(jpeg) if marker not in markers)


def rgb_components(jpeg):
    """The same data called R, G, B: libjpeg then takes the planes as they are."""
    out = jpeg[:2]
    for marker, s in segments(without(jpeg, 0xE0)):
        s = bytearray(s)
        if marker == 0xC0:
            s[10], s[13], s[16] = b"RGB"
        if marker is None:
            s[5], s[7], s[9] = b"RGB"
        out += s
    return out


def exif_block(orientation, order):
    """A TIFF directory of two entries, the second the orientation."""
    mark = b"II*\0" if order == "<" else b"MM\0*"
    entries = struct.pack(order + "HHIHH", 0x0100, 3, 1, 24, 0) + struct.pack(order + "HHIHH", 0x0112, 3, 1, orientation, 0)
    return mark + struct.pack(order + "IH", 8, 2) + entries + struct.pack(order + "I", 0)


def with_exif(jpeg, block):
    body = b"Exif\0\0" + block
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + jpeg[2:]


def make_jpeg():
    image = Image.fromarray(picture())
    case("rgb420.jpg", saved(image, "JPEG", quality=90))
    case("rgb422.jpg", saved(image, "JPEG", quality=90, subsampling=1))
    full = saved(image, "JPEG", quality=90, subsampling=0)
    case("rgb444.jpg", full)
    case("progressive.jpg", saved(image, "JPEG", quality=90, progressive=True))
    case("grey.jpg", saved(image.convert("L"), "JPEG", quality=90))
    case("direct_rgb.jpg", rgb_components(full))
    cmyk = saved(Image.merge("CMYK", [*image.split(), image.convert("L")]), "JPEG", quality=90)
    case("cmyk.jpg", cmyk)
    case("cmyk_unmarked.jpg", without(cmyk, 0xEE))
    adobe = next(s for marker, s in segments(cmyk) if marker == 0xEE)
    case("ycck.jpg", cmyk.replace(adobe, adobe[:-1] + b"\x02"))
    case("one_pixel.jpg", saved(Image.fromarray(picture(1, 1)), "JPEG"))
    for orientation in range(1, 9):
        case(f"exif{orientation}.jpg", with_exif(full, exif_block(orientation, "<>"[orientation % 2])))


# --- PNG: our own writer, since Pillow's lacks most kinds --------------------------------------------------------------
def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def packed_rows(samples, depth):
    """samples [h, w, channels] of `depth` bits as unfiltered scanlines."""
    rows = b""
    for row in samples:
        flat = row.reshape(-1)
        if depth == 16:
            body = flat.astype(">u2").tobytes()
        elif depth == 8:
            body = flat.astype(numpy.uint8).tobytes()
        else:
            bits = ((flat[:, None] >> numpy.arange(depth - 1, -1, -1)) & 1).astype(numpy.uint8).reshape(-1)
            body = numpy.packbits(bits).tobytes()
        rows += b"\0" + body
    return rows


def png(samples, depth, colour, before=b"", interlaced=False):
    height, width = samples.shape[:2]
    if interlaced:
        passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
        data = b"".join(packed_rows(samples[y::dy, x::dx], depth) for x, y, dx, dy in passes
                        if samples[y::dy, x::dx].size)
    else:
        data = packed_rows(samples, depth)
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, int(interlaced))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + before + chunk(b"IDAT", zlib.compress(data, 9)) +
            chunk(b"IEND", b""))


GREY, RGB, PALETTE, GREY_ALPHA, RGB_ALPHA = 0, 2, 3, 4, 6


def make_png():
    colours = picture().astype(numpy.uint32)
    grey = colours[:, :, :1]
    alpha = (numpy.arange(HEIGHT * WIDTH, dtype=numpy.uint32) % 256).reshape(HEIGHT, WIDTH, 1)
    fine = (numpy.arange(HEIGHT * WIDTH * 3, dtype=numpy.uint32) * 77 % 256).reshape(HEIGHT, WIDTH, 3)
    three = lambda plane: numpy.repeat(plane, 3, axis=2)

    case("rgb8.png", png(colours, 8, RGB), colours)
    case("rgb8_interlaced.png", png(colours, 8, RGB, interlaced=True), colours)
    case("rgb8_transparent.png", png(colours, 8, RGB, chunk(b"tRNS", struct.pack(">HHH", *colours[3, 3]))), colours)
    case("rgba8.png", png(numpy.concatenate([colours, alpha], 2), 8, RGB_ALPHA), colours)
    case("rgb16.png", png(colours * 256 + fine, 16, RGB), colours)
    case("rgba16.png", png(numpy.concatenate([colours * 256 + fine, alpha * 256], 2), 16, RGB_ALPHA), colours)
    case("grey8.png", png(grey, 8, GREY), three(grey))
    case("grey16.png", png(grey * 256 + fine[:, :, :1], 16, GREY), three(grey))
    case("grey_alpha8.png", png(numpy.concatenate([grey, alpha], 2), 8, GREY_ALPHA), three(grey))
    case("grey_alpha16.png", png(numpy.concatenate([grey * 256, alpha * 256], 2), 16, GREY_ALPHA), three(grey))
    for depth in (1, 2, 4):
        few = grey >> (8 - depth)
        case(f"grey{depth}.png", png(few, depth, GREY), three(few * (255 // (2 ** depth - 1))))
    for depth in (1, 2, 4, 8):
        palette = picture(2 ** depth, 1)[0][::-1]
        index = grey >> (8 - depth)
        case(f"palette{depth}.png", png(index, depth, PALETTE, chunk(b"PLTE", palette.tobytes())), palette[index[:, :, 0]])
    palette = picture(256, 1)[0]
    clear = chunk(b"PLTE", palette.tobytes()) + chunk(b"tRNS", bytes(range(0, 200)))
    case("palette8_transparent.png", png(grey, 8, PALETTE, clear), palette[grey[:, :, 0]])
    case("exif6.png", png(colours, 8, RGB, chunk(b"eXIf", exif_block(6, ">"))), numpy.rot90(colours, 3))
    case("one_pixel.png", png(colours[:1, :1], 8, RGB), colours[:1, :1])
    for name in ("rgb8", "rgb8_interlaced", "rgba8", "grey8", "grey_alpha8", "grey1", "palette1", "palette2", "palette4",
                 "palette8", "palette8_transparent", "rgb16", "rgba16", "exif6"):
        data = (OUT / f"{name}.png").read_bytes()
        assert (OUT / f"{name}.png.rgb").read_bytes()[4:] == reference(data).tobytes(), name


# --- WebP ------------------------------------------------------------------------------------------------------------
def riff(*chunks):
    body = b"WEBP" + b"".join(k + struct.pack("<I", len(b)) + b + b"\0" * (len(b) % 2) for k, b in chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def u24(n):
    return struct.pack("<I", n)[:3]


def make_webp():
    image = Image.fromarray(picture())
    case("lossy.webp", saved(image, "WEBP", quality=90))
    lossless = saved(image, "WEBP", lossless=True)
    case("lossless.webp", lossless)
    see_through = image.copy()
    see_through.putalpha(image.convert("L"))
    case("alpha.webp", saved(see_through, "WEBP", lossless=True, exact=True))
    case("alpha_lossy.webp", saved(see_through, "WEBP", quality=90, exact=True))
    case("one_pixel.webp", saved(Image.fromarray(picture(1, 1)), "WEBP", lossless=True))
    case("exif6.webp", saved(image, "WEBP", lossless=True, exif=b"Exif\0\0" + exif_block(6, "<")))
    others = [ImageOps.mirror(image), ImageOps.flip(image)]
    case("animated.webp", saved(image, "WEBP", save_all=True, append_images=others, duration=40, lossless=True))
    # an animation whose first frame covers a part of its canvas: 4, 6 from the corner
    size = struct.unpack("<I", lossless[16:20])[0]
    bitstream = lossless[20:20 + size]
    canvas = numpy.zeros((HEIGHT + 10, WIDTH + 8, 3), numpy.uint8)
    canvas[6:6 + HEIGHT, 4:4 + WIDTH] = picture()
    frame = u24(2) + u24(3) + u24(WIDTH - 1) + u24(HEIGHT - 1) + u24(40) + b"\0" + riff((b"VP8L", bitstream))[12:]
    data = riff((b"VP8X", b"\x02\0\0\0" + u24(WIDTH + 7) + u24(HEIGHT + 9)), (b"ANIM", b"\xff\x80\x40\xff\0\0"),
                (b"ANMF", frame), (b"ANMF", frame))
    case("animated_offset.webp", data, canvas)
    assert (reference(data) == canvas).all()


# --- what torchvision and Pillow compute -------------------------------------------------------------------------------
RESIZES = [(1, 1, 1, 1), (1, 1, 5, 3), (5, 3, 1, 1), (2, 2, 3, 3), (7, 5, 7, 9), (7, 5, 9, 5), (48, 48, 64, 64),
           (48, 48, 224, 224), (112, 112, 224, 224), (112, 112, 112, 64), (300, 300, 64, 64), (300, 200, 64, 64),
           (200, 300, 64, 64), (97, 31, 53, 71), (31, 97, 71, 53), (640, 2, 3, 2), (2, 640, 2, 3), (1, 300, 20, 7),
           (640, 480, 224, 224), (224, 224, 112, 112), (225, 225, 224, 224)]


def fnv1a(data):
    h = 0xCBF29CE484222325
    for byte in data:
        h = (h ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return h


def make_resize():
    """A hash of every result: with tests/image/test_resize.c's own plain resize to show where a wrong one differs."""
    lines = []
    for width, height, new_width, new_height in RESIZES:
        result = Image.fromarray(hashed(width, height)).resize((new_width, new_height), Image.Resampling.BILINEAR)
        lines.append(f"{width} {height} {new_width} {new_height} {fnv1a(result.tobytes()):016x}\n")
    (OUT / "resize.txt").write_text("".join(lines))


def make_colour():
    source = torch.from_numpy(picture().copy()).permute(2, 0, 1)
    keep = lambda name, tensor: write_rgb(name, tensor.permute(1, 2, 0).numpy())
    keep("colour_source", source)
    for factor in (0.625, 1.375):  # floats hold these exactly
        keep(f"brightness_{factor}", functional.adjust_brightness(source, factor))
        keep(f"contrast_{factor}", functional.adjust_contrast(source, factor))
        keep(f"saturation_{factor}", functional.adjust_saturation(source, factor))
    for sigma, radius in ((0.3, 1), (0.8, 3), (1.5, 5)):
        keep(f"blur_{sigma}", functional.gaussian_blur(source, [2 * radius + 1] * 2, [sigma] * 2))
    write_rgb("grey", numpy.repeat(numpy.asarray(Image.fromarray(picture()).convert("L"))[:, :, None], 3, axis=2))


def main():
    assert int(PIL.__version__.split(".")[0]) < 13, "Pillow 13 resizes tall pictures in another order"
    OUT.mkdir(parents=True, exist_ok=True)
    make_jpeg()
    make_png()
    make_webp()
    make_resize()
    make_colour()
    (OUT / "VERSIONS").write_text(f"Pillow {PIL.__version__}, torch {torch.__version__}, "
                                  f"torchvision {torchvision.__version__}, numpy {numpy.__version__}\n")


if __name__ == "__main__":
    main()
