#!/usr/bin/env python3
"""Inference of mien beside ONNX Runtime and OpenVINO, which read what `mien export` writes: in turns, medians, the ratio to the
better of the two.

    bench/compare_inference.py [--python PYTHON] [--arch NAME]... [--precision f32,bf16] [--batch 1,32] [--threads 2] [--rounds 3]

PYTHON is an interpreter with onnxruntime and openvino; what it lacks is left out and said. A round times each side alone, one after
the other: mien by `mien bench infer`, the others by as many runs on random pixels as fit into --seconds. ONNX Runtime computes in
f32 alone; in bf16 OpenVINO is the only peer. Exit code 1 where mien is slower than the ratio --at-least asks for.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ARCHITECTURES = ["efficientnet_b0", "resnet50", "googlenet", "inception_v3", "vit_b_16"]
PEERS = {"f32": ["onnxruntime", "openvino"], "bf16": ["openvino"]}
RECIPE = """\
task: lsd
image_size: {size}
models: [{arch}]
data: {{val_share: 0.5, balance: none}}
stage1: {{epochs: 1, batch: 2}}
stage2: {{enabled: false}}
"""


def mien(options, *arguments):
    return subprocess.run([options.mien, *map(str, arguments)], check=True, capture_output=True, text=True).stdout


# --- the peers, each in a process of its own -------------------------------------------------------------------------
def open_onnxruntime(path, precision, threads):
    import onnxruntime

    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(path, settings, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda pixels: session.run(None, {name: pixels})


def open_openvino(path, precision, threads):
    import openvino

    core = openvino.Core()
    compiled = core.compile_model(core.read_model(path), "CPU", {
        "INFERENCE_PRECISION_HINT": precision, "INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1, "PERFORMANCE_HINT": "LATENCY"})
    request = compiled.create_infer_request()
    return lambda pixels: request.infer([pixels])


def peer_ms(options):
    """Runs inside PYTHON: prints the median milliseconds of a run as JSON."""
    import numpy

    side = 299 if options.arch[0] == "inception_v3" else 224
    pixels = numpy.random.default_rng(1).integers(0, 256, (int(options.batch), side, side, 3), dtype=numpy.uint8)
    run = {"onnxruntime": open_onnxruntime, "openvino": open_openvino}[options.peer](options.model, options.precision, options.threads)
    times = []
    end = time.perf_counter() + options.seconds
    while len(times) < 5 or time.perf_counter() < end:
        begin = time.perf_counter()
        run(pixels)
        times.append(time.perf_counter() - begin)
    print(json.dumps(1000 * statistics.median(times[2:])))


# --- both in turns ---------------------------------------------------------------------------------------------------
def export(options, arch, folder):
    """A model of fresh weights, trained for a step, as ONNX with uint8 pixels in."""
    size = 299 if arch == "inception_v3" else 224
    recipe = folder / f"{arch}.yaml"
    recipe.write_text(RECIPE.format(arch=arch, size=size))
    mien(options, "train", recipe, "--data", folder / "faces", "--out", folder / arch)
    mien(options, "export", folder / arch, "--out", folder / f"{arch}.onnx")
    return folder / f"{arch}.onnx"


def ask_peer(options, peer, model, arch, precision, batch):
    done = subprocess.run([options.python, __file__, "--peer", peer, "--model", model, "--arch", arch, "--precision", precision,
                           "--batch", str(batch), "--threads", str(options.threads), "--seconds", str(options.seconds)],
                          capture_output=True, text=True)
    return json.loads(done.stdout) if done.returncode == 0 else None


def ask_mien(options, arch, precision, batch):
    row = json.loads(mien(options, "bench", "infer", "--arch", arch, "--batch", batch, "--precision", precision, "--threads",
                          options.threads, "--json").splitlines()[-1])
    options.isa = row["isa"]
    return row["ms"]


def compare(options, arch, model, precision, batch):
    peers = [p for p in PEERS[precision] if p in options.peers]
    times = {side: [] for side in ["mien", *peers]}
    for _ in range(options.rounds):
        times["mien"].append(ask_mien(options, arch, precision, batch))
        for peer in peers:
            times[peer].append(ask_peer(options, peer, model, arch, precision, batch))
    middle = {side: statistics.median(t) for side, t in times.items() if None not in t}
    better = min(middle[p] for p in peers if p in middle)
    ratio = better / middle["mien"]
    others = " | ".join(f"{middle[p]:.2f}" if p in middle else "-" for p in ("onnxruntime", "openvino"))
    print(f"| {arch}, {precision}, batch {batch} | {middle['mien']:.2f} | {others} | {ratio:.2f} |", flush=True)
    return ratio


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--python", default=sys.executable, help="interpreter with onnxruntime and openvino")
    parser.add_argument("--mien", default=ROOT / "build" / "mien")
    parser.add_argument("--arch", action="append", metavar="NAME")
    parser.add_argument("--precision", default="f32,bf16")
    parser.add_argument("--batch", default="1,32")
    parser.add_argument("--threads", type=int, default=min(2, len(os.sched_getaffinity(0))))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--at-least", type=float, default=0.0, metavar="RATIO")
    parser.add_argument("--peer", help=argparse.SUPPRESS)
    parser.add_argument("--model", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peer:
        peer_ms(options)
        return
    options.peers = [p for p in PEERS["f32"] if subprocess.run([options.python, "-c", f"import {p}"], capture_output=True).returncode == 0]
    for absent in set(PEERS["f32"]) - set(options.peers):
        print(f"{options.python} has no {absent}: left out", file=sys.stderr)
    ratios = []
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        mien(options, "synth", "--out", folder / "faces", "--count", 24, "--size", 112, "--studio")
        print(f"| ms, {options.threads} threads | mien | ONNX Runtime | OpenVINO | better peer : mien |\n|---|---|---|---|---|")
        for arch in options.arch or ARCHITECTURES:
            model = export(options, arch, folder)
            for precision in options.precision.split(","):
                if any(p in options.peers for p in PEERS[precision]):
                    ratios += [compare(options, arch, model, precision, int(batch)) for batch in options.batch.split(",")]
    print(f"\nISA {options.isa}")
    sys.exit(1 if min(ratios, default=options.at_least) < options.at_least else 0)


if __name__ == "__main__":
    main()
