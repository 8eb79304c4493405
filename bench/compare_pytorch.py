#!/usr/bin/env python3
"""mien and PyTorch side by side on this machine's CPU: the same step, interleaved, medians and their ratio.

    bench/compare_pytorch.py --python PYTHON [--arch NAME]... [--what train|infer] [--deviation] [--batch B] [--size S] [--rounds R]

PYTHON is an interpreter with torch and torchvision. A training step is a fresh random uint8 batch, normalised, 6-class head,
label-smoothed cross entropy, forward, backward, Adam (fused); an inference step is a forward pass. GoogLeNet and Inception v3
have no auxiliary heads. PyTorch first runs each of
its modes once (float32 or bfloat16 autocast, channels_last or not; with --compile also torch.compile) and its fastest one is
what mien meets. The two then take turns, so that a machine that slows down slows down both. Exit code 1 where mien is slower
than the ratio --at-least asks for.
"""
import argparse
import itertools
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

MIEN = Path(__file__).resolve().parents[1] / "build" / "mien"
WARM_UP = 2
DEFAULT = ["vit_b_16", "resnet50", "efficientnet_b0", "googlenet", "inception_v3"]
SIZES = {"inception_v3": 299}  # pixels a side; 224 elsewhere
WITHOUT_HEADS = {"aux_logits": False, "init_weights": False}
OPTIONS = {"googlenet": WITHOUT_HEADS, "inception_v3": WITHOUT_HEADS}  # of torchvision's builders


def torch_deviation(net):
    """Two copies of net without its classifier, in eval mode, `identity` frozen; a new head on what they differ by."""
    import copy

    import torch

    class Deviation(torch.nn.Module):
        def __init__(self):
            super().__init__()
            name = next(name for name in ("fc", "classifier", "heads") if hasattr(net, name))
            last = [m for m in getattr(net, name).modules() if isinstance(m, torch.nn.Linear)][-1]
            setattr(net, name, torch.nn.Identity())
            self.face = net.eval()
            self.identity = copy.deepcopy(net).requires_grad_(False)
            self.head = torch.nn.Linear(last.in_features, last.out_features)

        def forward(self, x):
            with torch.no_grad():
                identity = self.identity(x)
            return self.head(self.face(x) - identity + 1e-6)

    return Deviation()


def torch_step(args):
    """Runs inside PYTHON: prints the median seconds of a step as JSON."""
    import contextlib

    import torch
    import torchvision

    torch.manual_seed(0)
    torch.set_num_threads(args.threads)
    model = getattr(torchvision.models, args.arch[0])(num_classes=6, **OPTIONS.get(args.arch[0], {}))
    model.train(args.what == "train")
    if args.deviation:
        model = torch_deviation(model)
    layout = torch.channels_last if args.channels_last else torch.contiguous_format
    model = model.to(memory_format=layout)
    step_model = torch.compile(model) if args.compile else model
    weights = torch.tensor([1.0, 3, 5, 1, 1, 1]) if args.deviation else None
    optimizer = torch.optim.Adam((p for p in model.parameters() if p.requires_grad), lr=1e-5, fused=True)
    loss_of = torch.nn.CrossEntropyLoss(weights, label_smoothing=0.2)
    mean, std = torch.full((1, 3, 1, 1), 127.5), torch.full((1, 3, 1, 1), 63.75)

    def autocast():
        return torch.autocast("cpu", dtype=torch.bfloat16) if args.bf16 else contextlib.nullcontext()

    def step():
        images = torch.randint(0, 256, (args.batch, args.size, args.size, 3), dtype=torch.uint8).permute(0, 3, 1, 2)
        images = ((images.float() - mean) / std).contiguous(memory_format=layout)
        if args.what == "infer":
            with torch.inference_mode(), autocast():
                return step_model(images)
        labels = torch.randint(0, 6, (args.batch,))
        optimizer.zero_grad(set_to_none=True)
        with autocast():
            loss = loss_of(step_model(images).float(), labels)
        loss.backward()
        optimizer.step()
        return loss

    seconds = []
    for i in range(WARM_UP + args.steps):
        start = time.perf_counter()
        step()
        if i >= WARM_UP:
            seconds.append(time.perf_counter() - start)
    print(json.dumps({"seconds": statistics.median(seconds), "version": torch.__version__,
                      "capability": torch.backends.cpu.get_cpu_capability()}))


def ask(command):
    done = subprocess.run([str(c) for c in command], stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def size_of(args, arch):
    return args.size or SIZES.get(arch, 224)


def ask_torch(args, arch, mode, steps):
    bf16, channels_last, compiled = mode
    return ask([args.python, __file__, "--worker", "--arch", arch, "--what", args.what, "--batch", args.batch,
                "--size", size_of(args, arch), "--steps", steps, "--threads", args.threads, *["--bf16"] * bf16,
                *["--channels-last"] * channels_last, *["--compile"] * compiled, *["--deviation"] * args.deviation])


def ask_mien(args, arch):
    return ask([args.mien, "bench", args.what, "--arch", arch, "--batch", args.batch, "--size", size_of(args, arch), "--steps",
                args.steps, "--threads", args.threads, "--precision", args.precision, "--json",
                *["--deviation"] * args.deviation])


def mode_name(mode):
    return " ".join([["float32", "bfloat16"][mode[0]], ["nchw", "channels_last"][mode[1]]] + ["compiled"] * mode[2])


def fastest_mode(args, arch):
    modes = list(itertools.product([False, True], [False, True], [False, True] if args.compile else [False]))
    seconds = {}
    for mode in modes:
        seconds[mode] = ask_torch(args, arch, mode, max(2, args.steps // 2))["seconds"]
        print(f"  PyTorch {mode_name(mode):32} {args.batch / seconds[mode]:8.2f} images/s", flush=True)
    return min(seconds, key=seconds.get)


def compare(args, arch):
    """Prints one table; returns mien's speed over PyTorch's."""
    print(f"{arch}{'+deviation' * args.deviation} {args.what}, batch {args.batch} at {size_of(args, arch)}, "
          f"{args.threads} threads")
    mode = fastest_mode(args, arch)
    ours, theirs, ratios = [], [], []
    for _ in range(args.rounds):
        theirs.append(ask_torch(args, arch, mode, args.steps))
        ours.append(ask_mien(args, arch))
        ratios.append(theirs[-1]["seconds"] / (ours[-1]["ms"] * 1e-3))
        print(f"  round: mien {ours[-1]['img_per_s']:8.2f}, PyTorch {args.batch / theirs[-1]['seconds']:8.2f} images/s, "
              f"ratio {ratios[-1]:.3f}", flush=True)
    ratio = statistics.median(ratios)
    print(f"  mien {ours[0]['precision']} on {ours[0]['isa']}: {statistics.median(o['img_per_s'] for o in ours):.2f} images/s; "
          f"PyTorch {theirs[0]['version']} {mode_name(mode)} on {theirs[0]['capability']}: "
          f"{args.batch / statistics.median(t['seconds'] for t in theirs):.2f} images/s; median ratio {ratio:.3f}\n", flush=True)
    return ratio


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", default=sys.executable, help="interpreter with torch and torchvision")
    parser.add_argument("--mien", default=MIEN, help="the command (default: build/mien of this tree)")
    parser.add_argument("--arch", action="append", metavar="NAME",
                        help="one of mien's, again for more (default: all)")
    parser.add_argument("--what", choices=["train", "infer"], default="train")
    parser.add_argument("--deviation", action="store_true", help="of stage 2: two copies, eval mode, one of them frozen")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--size", type=int, default=0, help="default: the architecture's own")
    parser.add_argument("--steps", type=int, default=5, help="timed steps a round, after two that are not")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--precision", choices=["auto", "f32", "bf16"], default="auto", help="mien's")
    parser.add_argument("--at-least", type=float, default=0.0, metavar="RATIO")
    parser.add_argument("--compile", action="store_true", help="let PyTorch try torch.compile too")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--bf16", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--channels-last", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        torch_step(args)
        return 0
    ratios = [compare(args, arch) for arch in args.arch or DEFAULT]
    return 0 if min(ratios) >= args.at_least else 1


sys.exit(main())
