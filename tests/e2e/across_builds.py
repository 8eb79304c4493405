#!/usr/bin/env python3
"""A run begun by one build and gone on with by another: does it resume, and to the same bits?

    tests/e2e/across_builds.py OLD_MIEN NEW_MIEN [--threads 1,2] [--size 32]

Faces are drawn, OLD trains two small stages on them whole, and again killed once in each stage, so that a run folder half done in
stage 1 and one half done in stage 2 are left behind (they cannot be kept in git: a checkpoint of the smallest network has 50 MB
that no compression makes smaller). OLD and NEW each go on from copies of both. A line per thread count and stage says whether
what OLD and NEW ended with is the same, byte for byte; of a checkpoint, whose layout may have got another version, number for number. Exit code 1 where a run did not resume, 3 where bits differ.
"""
import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RECIPE = """\
task: lsd
seed: 7
image_size: {size}
models: [efficientnet_b0]
data: {{val_share: 0.25, balance: none}}
augment: {{flip: true, crop: 2}}
stage1: {{epochs: 6, batch: 8, lr: 0.001}}
stage2: {{epochs: 6, batch: 8, lr: 0.0005}}
"""
STAGES = ["efficientnet_b0-stage1", "efficientnet_b0-stage2"]
FILES = ["last.ckpt", "best.safetensors", "validation.csv"]


def train(mien, recipe, data, out, threads):
    return [mien, "train", recipe, "--data", data, "--out", out, "--threads", str(threads), "--resume"]


def half_done(command, checkpoint):
    """Runs the command until its second checkpoint of a stage is there, and kills it."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    first = None
    while process.poll() is None:
        made = checkpoint.stat().st_mtime_ns if checkpoint.exists() else None
        if made and first and made != first:
            process.kill()
            break
        first = first or made
        time.sleep(0.005)
    process.communicate()


def numbers(path):
    """A checkpoint's tensors and its state, as any layout has them: version 1 calls a score best_val_NAME or best_NAME,
    and a recipe's hash is another where recipes have got keys."""
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    state = json.loads(header.pop("__metadata__")["mien_checkpoint"])
    state.pop("version")
    state.pop("recipe")
    tensors = {}
    for name, about in header.items():
        begin, end = about["data_offsets"]
        name = re.sub(r"^train\.best_(?!score$)(val_)?", "train.best.", name)
        tensors[name] = about["dtype"], about["shape"], data[8 + length + begin : 8 + length + end]
    return state, tensors


def is_same(a, b):
    return numbers(a) == numbers(b) if a.suffix == ".ckpt" else a.read_bytes() == b.read_bytes()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("old")
    parser.add_argument("new")
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--size", type=int, default=32)
    options = parser.parse_args()
    differing = 0
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        recipe, data = folder / "recipe.yaml", folder / "faces"
        recipe.write_text(RECIPE.format(size=options.size))
        subprocess.run([options.old, "synth", "--out", data, "--count", "96", "--size", "48", "--studio"], check=True)
        for threads in options.threads.split(","):
            for stage in STAGES:
                begun = folder / "begun"
                half_done(train(options.old, recipe, data, begun, threads), begun / stage / "last.ckpt")
                ends = {}
                for name, mien in (("old", options.old), ("new", options.new)):
                    ends[name] = folder / name
                    shutil.copytree(begun, ends[name])
                    done = subprocess.run(train(mien, recipe, data, ends[name], threads), capture_output=True, text=True)
                    if done.returncode:
                        sys.exit(f"{stage}, {threads} threads: the {name} build did not resume: {done.stderr.strip()}")
                other = [f"{s}/{f}" for s in STAGES for f in FILES
                         if not is_same(ends["old"] / s / f, ends["new"] / s / f)]
                print(f"half done in {stage}, {threads} threads: " + ("the same bits" if not other else "other: " + " ".join(other)),
                      flush=True)
                differing += bool(other)
                for path in (begun, *ends.values()):
                    shutil.rmtree(path)
    sys.exit(3 if differing else 0)


if __name__ == "__main__":
    main()
