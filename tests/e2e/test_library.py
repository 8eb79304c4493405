"""The library as others call it: a C program with four threads, and Python by ctypes. Both answer as the command does."""
import csv
import io
import os
import subprocess
import sys
import unittest
from pathlib import Path

from support import BASE, CLASSES, FOLDER, mien, png

RUN = BASE / "run"
LIBRARY = os.environ["LIBRARY"]
WIDTH, HEIGHT, COUNT = 32, 32, 11  # the size of the run's models: nothing is resized


def pixel(picture):
    return lambda x, y: ((x * 7 + picture * 23) % 256, (y * 5 + picture * 11) % 256, (x * y + 40 * picture) % 256)


class Callers(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = FOLDER / "library"
        folder.mkdir(exist_ok=True)
        for i in range(COUNT):
            png(folder / f"{i:02}.png", WIDTH, HEIGHT, pixel(i))
        cls.frames = bytes(v for i in range(COUNT) for y in range(HEIGHT) for x in range(WIDTH) for v in pixel(i)(x, y))
        cls.rows = list(csv.DictReader(io.StringIO(mien("predict", RUN, folder).out)))
        assert len(cls.rows) == COUNT

    def call(self, *command, frames=None, code=0):
        done = subprocess.run([*map(str, command)], input=self.frames if frames is None else frames, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=300)
        self.assertEqual(done.returncode, code, done.stderr.decode())
        return done.stdout.decode().splitlines() if code == 0 else done.stderr.decode()

    def test_four_threads_share_a_model(self):
        lines = self.call(os.environ["FRAMES"], RUN, WIDTH, HEIGHT)
        self.assertEqual(lines, [f"{i} {row['expression']}" for i, row in enumerate(self.rows)])
        self.assertEqual(self.call(os.environ["FRAMES"], RUN, WIDTH, HEIGHT, frames=b""), [])
        self.assertIn("frames: /nowhere: ", self.call(os.environ["FRAMES"], "/nowhere", WIDTH, HEIGHT, code=1))

    def python(self, *arguments, **more):
        if "libasan" in subprocess.run(["ldd", LIBRARY], stdout=subprocess.PIPE, text=True, check=True).stdout:
            self.skipTest("skipped: Python cannot load a library with AddressSanitizer in it")
        return self.call(sys.executable, Path(__file__).with_name("predict.py"), LIBRARY, *arguments, **more)

    def test_python_predicts_a_batch(self):
        lines = self.python(RUN, WIDTH, HEIGHT)
        self.assertEqual(len(lines), COUNT)
        for line, row in zip(lines, self.rows):
            best, *probabilities = map(float, line.split())
            self.assertEqual(CLASSES[int(best)], row["expression"])
            for name, p in zip(CLASSES, probabilities):
                self.assertAlmostEqual(p, float(row[name]), delta=0.002)  # other numbers of pictures at a time

    def test_python_is_told_what_is_wrong(self):
        self.assertIn("/nowhere: cannot open", self.python("/nowhere", WIDTH, HEIGHT, code=1))


if __name__ == "__main__":
    unittest.main()
