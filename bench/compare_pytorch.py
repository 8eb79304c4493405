#!/usr/bin/env python3
"""mien and PyTorch side by side on this machine's CPU or GPU: the same step, interleaved, medians and their ratio.

    bench/compare_pytorch.py --python PYTHON [--arch NAME]... [--what train|infer] [--deviation] [--batch B] [--size S]
                             [--threads N,..] [--rounds R] [--device cpu|cuda] [--mode "WORDS"] [--json]

PYTHON is an interpreter with torch and torchvision. A training step is a fresh random uint8 batch, normalised, 6-class head,
label-smoothed cross entropy, forward, backward, Adam (fused); an inference step is a forward pass. GoogLeNet and Inception v3
have no auxiliary heads. PyTorch first runs each of
its modes once (float32 or bfloat16 autocast, channels_last or not; with --compile also torch.compile) and its fastest one is
what mien meets; --mode names it instead ("bf16 channels-last compile"), and on a GPU it is that one. The two then take turns, so
that a machine that slows down slows down both. On a GPU the pictures of a step come from pinned memory, as uint8, and all timed
steps are one span with one wait at its end; peak memory is what nvidia-smi says is used above what was before, for both alike, and
what PyTorch's allocator says of itself. Exit code 1 where mien is slower than the ratio --at-least asks for.
"""
import argparse
import itertools
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

MIEN = Path(__file__).resolve().parents[1] / "build" / "mien"
WARM_UP = 2
WORDS = ["bf16", "channels-last", "compile"]  # of a mode of PyTorch
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
    is_cuda = args.device.startswith("cuda")
    sized = {"image_size": args.size} if args.arch[0].startswith("vit") else {}  # its positions belong to a size
    model = getattr(torchvision.models, args.arch[0])(num_classes=6, **OPTIONS.get(args.arch[0], {}), **sized)
    model.train(args.what == "train")
    if args.deviation:
        model = torch_deviation(model)
    layout = torch.channels_last if args.channels_last else torch.contiguous_format
    model = model.to(args.device, memory_format=layout)
    step_model = torch.compile(model, mode=args.compile_mode) if args.compile else model
    weights = torch.tensor([1.0, 3, 5, 1, 1, 1], device=args.device) if args.deviation else None
    optimizer = torch.optim.Adam((p for p in model.parameters() if p.requires_grad), lr=1e-5, fused=True)
    loss_of = torch.nn.CrossEntropyLoss(weights, label_smoothing=0.2)
    mean, std = (torch.full((1, 3, 1, 1), value, device=args.device) for value in (127.5, 63.75))

    def draw():
        images = torch.randint(0, 256, (args.batch, args.size, args.size, 3), dtype=torch.uint8)
        return images.pin_memory() if is_cuda else images

    drawn = itertools.cycle([draw(), draw()])  # of a GPU's steps; a CPU draws for each, as mien does

    def autocast():
        kind = args.device.split(":")[0]
        return torch.autocast(kind, dtype=torch.bfloat16) if args.bf16 else contextlib.nullcontext()

    def step():
        images = (next(drawn) if is_cuda else draw()).to(args.device, non_blocking=True).permute(0, 3, 1, 2)
        images = ((images.float() - mean) / std).contiguous(memory_format=layout)
        if args.what == "infer":
            with torch.inference_mode(), autocast():
                return step_model(images)
        labels = torch.randint(0, 6, (args.batch,), device=args.device)
        optimizer.zero_grad(set_to_none=True)
        with autocast():
            loss = loss_of(step_model(images).float(), labels)
        loss.backward()
        optimizer.step()
        return loss

    began = time.perf_counter()
    for _ in range(3 * WARM_UP if is_cuda else WARM_UP):
        step()
    answer = {"version": torch.__version__}
    if is_cuda:
        torch.cuda.synchronize()
        start = time.perf_counter()
        for _ in range(args.steps):
            step()
        torch.cuda.synchronize()
        answer |= {"seconds": (time.perf_counter() - start) / args.steps, "warm_up_s": start - began,
                   "capability": torch.cuda.get_device_name(), "peak_allocated_bytes": torch.cuda.max_memory_allocated(),
                   "peak_reserved_bytes": torch.cuda.max_memory_reserved()}
    else:
        seconds = []
        for _ in range(args.steps):
            start = time.perf_counter()
            step()
            seconds.append(time.perf_counter() - start)
        answer |= {"seconds": statistics.median(seconds), "capability": torch.backends.cpu.get_cpu_capability()}
    print(json.dumps(answer))


def device_bytes():
    """What is used of the first GPU's memory; 0 where nobody can say."""
    if not shutil.which("nvidia-smi"):
        return 0
    done = subprocess.run(["nvidia-smi", "-i", "0", "--query-gpu=memory.used", "--format=csv,noheader,nounits"],
                          stdout=subprocess.PIPE, text=True)
    return int(done.stdout.split()[0]) << 20 if done.returncode == 0 else 0


def ask(args, command):
    """The command's JSON; on a GPU with the peak of its memory. What it says beside it is passed on."""
    peak = 0
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        process = subprocess.Popen([str(c) for c in command], stdout=out, stderr=err)
        while process.poll() is None:
            if args.device != "cpu":
                peak = max(peak, device_bytes() - args.idle_bytes)
            time.sleep(0.2 if args.device != "cpu" else 0.02)
        out.seek(0)
        err.seek(0)
        said = err.read()
        sys.stderr.write(said)
        if process.returncode:
            raise RuntimeError(([line for line in said.splitlines() if line.strip()] or [f"exit {process.returncode}"])[-1])
        return json.loads(out.read().splitlines()[-1]) | ({"smi_peak_bytes": peak} if peak else {})


def size_of(args, arch):
    return args.size or SIZES.get(arch, 224)


def ask_torch(args, arch, mode, steps):
    bf16, channels_last, compiled = mode
    return ask(args, [args.python, __file__, "--worker", "--device", args.device, "--arch", arch, "--what", args.what, "--batch",
                      args.batch, "--size", size_of(args, arch), "--steps", steps, "--threads", args.threads, *["--bf16"] * bf16,
                      *["--channels-last"] * channels_last, *["--compile", "--compile-mode", args.compile_mode] * compiled,
                      *["--deviation"] * args.deviation])


def ask_mien(args, arch):
    return ask(args, [args.mien, "bench", args.what, "--arch", arch, "--batch", args.batch, "--size", size_of(args, arch), "--steps",
                      args.steps, "--threads", args.threads, "--precision", args.precision, "--json",
                      *["--deviation"] * args.deviation, *["--device", args.device] * (args.device != "cpu")])


def mode_name(args, mode):
    compiled = "compiled" + f" ({args.compile_mode})" * (args.compile_mode != "default")
    return " ".join([["float32", "bfloat16"][mode[0]], ["nchw", "channels_last"][mode[1]]] + [compiled] * mode[2])


def fastest_mode(args, arch):
    if args.mode:
        return tuple(word in args.mode.split() for word in WORDS)
    modes = list(itertools.product([False, True], [False, True], [False, True] if args.compile else [False]))
    seconds = {}
    for mode in modes:
        seconds[mode] = ask_torch(args, arch, mode, max(2, args.steps // 2))["seconds"]
        say(args, f"  PyTorch {mode_name(args, mode):32} {args.batch / seconds[mode]:8.2f} images/s")
    return min(seconds, key=seconds.get)


def say(args, line):
    print(line, file=sys.stderr if args.json else sys.stdout, flush=True)


def take_turns(args, arch, mode):
    """What each side answered, [ours], [theirs]; a side that fails says why instead, and the other is asked all the same."""
    ours, theirs, failures = [], [], {}
    is_first = args.device != "cpu"  # a GPU's clocks change with its load: mien meets PyTorch from both sides

    def turn(answers, name, ask_side):
        try:
            if name not in failures:
                answers.append(ask_side())
        except (OSError, RuntimeError, ValueError, IndexError) as error:
            if not args.json:
                raise
            failures[name] = str(error)[:300]

    for _ in range(args.rounds):
        if is_first:
            turn(ours, "mien_failed", lambda: ask_mien(args, arch))
            is_first = False
        turn(theirs, "peer_failed", lambda: ask_torch(args, arch, mode, args.steps))
        turn(ours, "mien_failed", lambda: ask_mien(args, arch))
        if ours and theirs:
            say(args, f"  round: mien {ours[-1]['img_per_s']:8.2f}, PyTorch {args.batch / theirs[-1]['seconds']:8.2f} images/s, "
                      f"ratio {theirs[-1]['seconds'] / (ours[-1]['ms'] * 1e-3):.3f}")
    return ours, theirs, failures


def compare(args, arch):
    """Prints one table, or one line of JSON; returns mien's speed over PyTorch's, 0 where there is none."""
    say(args, f"{arch}{'+deviation' * args.deviation} {args.what}, batch {args.batch} at {size_of(args, arch)}, "
              f"{args.device}, {args.threads} threads")
    mode = fastest_mode(args, arch)
    args.idle_bytes = device_bytes() if args.device != "cpu" else 0
    ours, theirs, failures = take_turns(args, arch, mode)
    ratio = statistics.median(t["seconds"] / (o["ms"] * 1e-3) for t, o in zip(theirs, ours)) if ours and theirs else 0.0
    if args.json:
        told = {"what": args.what, "arch": arch, "deviation": args.deviation, "batch": args.batch, "size": size_of(args, arch),
                "device": args.device, "threads": args.threads, **failures}
        if ours:
            told |= {"img_per_s": statistics.median(o["img_per_s"] for o in ours), "mien": ours[-1],
                     "mien_ms": [o["ms"] for o in ours]}
        if theirs:
            told |= {"peer_img_per_s": args.batch / statistics.median(t["seconds"] for t in theirs), "peer": theirs[-1],
                     "peer_mode": mode_name(args, mode)}
        if ratio:
            told |= {"ratio": ratio}
        print(json.dumps(told), flush=True)
    else:
        print(f"  mien {ours[0]['precision']} on {ours[0]['isa']}: {statistics.median(o['img_per_s'] for o in ours):.2f} images/s; "
              f"PyTorch {theirs[0]['version']} {mode_name(args, mode)} on {theirs[0]['capability']}: "
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
    parser.add_argument("--threads", default=str(len(os.sched_getaffinity(0))), metavar="N,..", help="one comparison for each")
    parser.add_argument("--device", default="cpu", help="cpu, cuda or cuda:N, of both sides")
    parser.add_argument("--mode", default=None, metavar="WORDS", help="PyTorch's, some of: bf16 channels-last compile")
    parser.add_argument("--compile-mode", default="default", help="torch.compile's own")
    parser.add_argument("--json", action="store_true", help="print a line of JSON for each comparison, all else to stderr")
    parser.add_argument("--precision", choices=["auto", "f32", "bf16"], default="auto", help="mien's")
    parser.add_argument("--at-least", type=float, default=0.0, metavar="RATIO")
    parser.add_argument("--compile", action="store_true", help="let PyTorch try torch.compile too")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--bf16", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--channels-last", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    threads = [int(count) for count in args.threads.split(",")]
    args.threads = threads[0]
    if args.mode is None and args.device != "cpu":
        args.mode = " ".join(WORDS)
    if args.worker:
        torch_step(args)
        return 0
    ratios = []
    for arch, args.threads in itertools.product(args.arch or DEFAULT, threads):
        ratios.append(compare(args, arch))
    return 0 if min(ratios) >= args.at_least else 1


sys.exit(main())
