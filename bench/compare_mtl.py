#!/usr/bin/env python3
"""The published multi-task step, mien beside PyTorch, on this machine's CPU: in turns, medians, images a second and peak memory.

    bench/compare_mtl.py --python PYTHON [--batch B] [--size S] [--rounds R] [--precision auto|f32|bf16] [--mode "WORDS"]

PYTHON is an interpreter with torch and torchvision. A step is three batches (action units, expressions, valence and arousal) of
fresh random pictures through Inception v3 up to Mixed_6e and SMM-EmotionNet, gradients summed, one SGD update: `mien bench train
--kind smm`, which is the step of `mien train`, and mtl_pytorch.py beside this file. PyTorch's fastest mode is what mien meets: from
bfloat16 autocast, channels_last and the first way of the regions' embeddings, each setting in turn is changed and kept where that is
faster. Settings are precision, layout, the embeddings' way, whether glibc keeps the memory that PyTorch frees, and with --compile
torch.compile; --mode names them at once ("bf16 channels-last in-place kept"). Each run is a process of its own, whose peak resident
memory is told; PyTorch's also without what was resident after its imports, which in a build for GPUs is much. Exit code 1 where mien
has less than --at-least times PyTorch's images a second, or more than --at-most of its memory.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
EMBEDDINGS = ["in-place", "slices", "fold", "plain"]
KEPT = {"MALLOC_MMAP_THRESHOLD_": "8589934592", "MALLOC_TRIM_THRESHOLD_": "17179869184"}
# Each mode has one word of each row; the first are where the search begins.
SETTINGS = [EMBEDDINGS, ["bf16", "f32"], ["channels-last", "nchw"], ["returned", "kept"], ["eager", "compile"]]


def ask(command, environment=None):
    done = subprocess.run([str(c) for c in command], stdout=subprocess.PIPE, text=True, check=True,
                          env={**os.environ, **(environment or {})})
    return json.loads(done.stdout.splitlines()[-1])


def ask_torch(args, mode, steps):
    flags = [f"--{word}" for word in ("bf16", "channels-last", "compile") if word in mode]
    return ask([args.python, HERE / "mtl_pytorch.py", "--embedding", mode[0], "--batch", args.batch, "--size", args.size, "--steps",
                steps, "--threads", args.threads, *flags], KEPT if "kept" in mode else None)


def ask_mien(args):
    return ask([args.mien, "bench", "train", "--arch", "inception_v3", "--kind", "smm", "--batch", args.batch, "--size", args.size,
                "--steps", args.steps, "--threads", args.threads, "--precision", args.precision, "--json"])


def fastest_mode(args):
    best, seconds = [words[0] for words in SETTINGS], None
    for row, words in enumerate(SETTINGS):
        for word in words[seconds is not None:]:
            if word == "compile" and not args.compile:
                continue
            mode = [*best[:row], word, *best[row + 1:]]
            found = ask_torch(args, mode, 2)["seconds"]
            print(f"  PyTorch {' '.join(mode):42} {3 * args.batch / found:8.2f} images/s", flush=True)
            if seconds is None or found < seconds:
                best, seconds = mode, found
    return best


def named_mode(text):
    words = text.split()
    mode = [next((word for word in row if word in words), row[0]) for row in SETTINGS]
    unknown = set(words) - set(mode)
    if unknown:
        raise SystemExit(f"compare_mtl: --mode: {' '.join(sorted(unknown))} (wanted one word of each: {SETTINGS})")
    return mode


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", default=sys.executable, help="interpreter with torch and torchvision")
    parser.add_argument("--mien", default=HERE.parent / "build" / "mien", help="the command (default: build/mien of this tree)")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--size", type=int, default=299)
    parser.add_argument("--steps", type=int, default=5, help="timed steps a round, after two that are not")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--precision", choices=["auto", "f32", "bf16"], default="auto", help="mien's")
    parser.add_argument("--mode", help="PyTorch's; default: its fastest")
    parser.add_argument("--compile", action="store_true", help="let PyTorch try torch.compile too")
    parser.add_argument("--at-least", type=float, default=0.0, metavar="RATIO", help="of images a second")
    parser.add_argument("--at-most", type=float, default=float("inf"), metavar="RATIO", help="of PyTorch's whole peak memory")
    args = parser.parse_args()
    print(f"three batches of {args.batch} at {args.size}, {args.threads} threads", flush=True)
    mode = named_mode(args.mode) if args.mode else fastest_mode(args)
    ours, theirs, ratios = [], [], []
    for _ in range(args.rounds):
        theirs.append(ask_torch(args, mode, args.steps))
        ours.append(ask_mien(args))
        ratios.append(theirs[-1]["seconds"] / (ours[-1]["ms"] * 1e-3))
        print(f"  round: mien {ours[-1]['img_per_s']:8.2f}, PyTorch {3 * args.batch / theirs[-1]['seconds']:8.2f} images/s, ratio "
              f"{ratios[-1]:.3f}", flush=True)
    ratio = statistics.median(ratios)
    memory = statistics.median(o["peak_rss_bytes"] for o in ours)
    whole = statistics.median(t["peak_bytes"] for t in theirs)
    own = statistics.median(t["peak_bytes"] - t["imported_bytes"] for t in theirs)
    print("| | images/s | peak memory, MB |\n|---|---|---|")
    print(f"| mien {ours[0]['precision']}, {ours[0]['isa']} | {statistics.median(o['img_per_s'] for o in ours):.2f} | {memory * 1e-6:.0f} |")
    print(f"| PyTorch {theirs[0]['version']} {' '.join(mode)}, {theirs[0]['capability']} | "
          f"{3 * args.batch / statistics.median(t['seconds'] for t in theirs):.2f} | {whole * 1e-6:.0f}, without its imports "
          f"{own * 1e-6:.0f} |")
    print(f"| ratio | {ratio:.3f} ({min(ratios):.2f} to {max(ratios):.2f}) | {memory / whole:.2f}, without its imports "
          f"{memory / own:.2f} |")
    return 0 if ratio >= args.at_least and memory <= args.at_most * whole else 1


if __name__ == "__main__":
    sys.exit(main())
