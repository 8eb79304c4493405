#!/usr/bin/env python3
"""The data path beside torchvision's and Pillow's, on one core: read and decode a 112x112 JPEG, RandAugment, resize to 224, normalise.

    bench/compare_data.py --python PYTHON [--data DIR] [--size S] [--rounds R] [--at-least RATIO]

PYTHON is an interpreter with torch, torchvision and Pillow. DIR holds a folder of JPEGs per class; without one, faces are drawn
for the purpose. Both sides apply RandAugment (2 of the same 12 operations, magnitude 9, nearest) to every picture at its own
size, resize bilinearly with antialiasing, and end with batches of normalised float32. The peer first runs each of its pipelines
twice (Pillow images or uint8 tensors, decoded by Pillow or by torchvision, transforms v1 or v2) and its fastest one is what mien
meets. The two then take turns. Counted are pictures a second of processor time, all threads of a side together, so that neither
gains by a second core nor loses by a busy machine. Exit code 1 where mien is slower than the ratio --at-least asks for.
"""
import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

MIEN = Path(__file__).resolve().parents[1] / "build" / "mien"
MEAN, STD = [0.4734, 0.3544, 0.3267], [0.1891, 0.1597, 0.1504]
LEFT_OUT = ["Solarize", "Equalize"]  # as in mien: spec and paper take 12 of the 14
MODES = ["pil", "pil-tensor", "io-tensor", "pil-v2", "pil-tensor-v2", "io-tensor-v2"]


def make_augment(module):
    """RandAugment of `module` (torchvision.transforms or its v2) without the operations left out."""
    import torchvision

    nearest = torchvision.transforms.InterpolationMode.NEAREST

    class RandAugment(module.RandAugment):
        if hasattr(module.RandAugment, "_AUGMENTATION_SPACE"):
            _AUGMENTATION_SPACE = {k: v for k, v in module.RandAugment._AUGMENTATION_SPACE.items() if k not in LEFT_OUT}

        def _augmentation_space(self, *args):
            return {k: v for k, v in super()._augmentation_space(*args).items() if k not in LEFT_OUT}

    return RandAugment(num_ops=2, magnitude=9, num_magnitude_bins=31, interpolation=nearest, fill=[0, 0, 0])


def make_pipeline(mode, size):
    """path -> float tensor [3, size, size]"""
    import PIL.Image
    import torch
    import torchvision
    from torchvision import transforms
    from torchvision.transforms import functional

    is_v2, is_tensor, has_io = mode.endswith("v2"), "tensor" in mode, mode.startswith("io")
    if is_v2:
        from torchvision.transforms import v2 as module
    else:
        module = transforms
    augment, normalise = make_augment(module), module.Normalize(MEAN, STD)
    resize = module.Resize((size, size), interpolation=transforms.InterpolationMode.BILINEAR, antialias=True)
    scale = module.ToDtype(torch.float32, scale=True) if is_v2 else transforms.ConvertImageDtype(torch.float32)

    def decode(path):
        if has_io:
            return torchvision.io.decode_jpeg(torchvision.io.read_file(path), mode=torchvision.io.ImageReadMode.RGB)
        image = PIL.Image.open(path).convert("RGB")
        return functional.pil_to_tensor(image) if is_tensor else image

    def run(path):
        image = resize(augment(decode(path)))
        return normalise(scale(image if is_tensor else functional.pil_to_tensor(image)))

    return run


def peer(args):
    """Runs inside PYTHON: prints pictures a second of processor time as JSON."""
    import PIL
    import torch
    import torchvision

    torch.manual_seed(0)
    torch.set_num_threads(1)
    paths = sorted(str(p) for p in Path(args.data).glob("*/*.jpg"))
    pipeline = make_pipeline(args.mode, args.size)

    def batch(number):
        return torch.stack([pipeline(paths[(number * args.batch + i) % len(paths)]) for i in range(args.batch)])

    batch(0)
    begin, cpu, done = time.perf_counter(), time.process_time(), 0
    while time.perf_counter() - begin < args.seconds:
        batch(done)
        done += 1
    print(json.dumps({"rate": done * args.batch / (time.process_time() - cpu),
                      "version": f"torchvision {torchvision.__version__}, Pillow {PIL.__version__}"}))


def ask(command, check=True):
    done = subprocess.run([str(c) for c in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        if check:
            sys.exit(f"{command[0]}: {done.stderr.strip().splitlines()[-1]}")
        return None
    return json.loads(done.stdout.splitlines()[-1])


def ask_peer(args, mode, check=True):
    return ask([args.python, __file__, "--worker", "--mode", mode, "--data", args.data, "--size", args.size, "--batch", args.batch,
                "--seconds", args.seconds], check)


def ask_mien(args):
    return ask([args.mien, "bench", "data", "--data", args.data, "--size", args.size, "--batch", args.batch, "--threads", 1,
                "--randaugment", "--normalise", "--json"])


def fastest_mode(args):
    rates = {}
    for mode in MODES * 2:
        answer = ask_peer(args, mode, check=False)
        if answer:
            rates[mode] = max(answer["rate"], rates.get(mode, 0))
    for mode in MODES:
        print(f"  {mode:16} " + (f"{rates[mode]:8.0f} images/s" if mode in rates else "not in this torchvision"), flush=True)
    if not rates:
        sys.exit(f"{args.python}: runs none of the pipelines (wanted torch, torchvision and Pillow)")
    return max(rates, key=rates.get)


def compare(args):
    print(f"112 to {args.size} pixels, batch {args.batch}, a second of processor time")
    mode = fastest_mode(args)
    ours, theirs, ratios = [], [], []
    for _ in range(args.rounds):
        theirs.append(ask_peer(args, mode))
        ours.append(ask_mien(args))
        ratios.append(ours[-1]["img_per_cpu_s"] / theirs[-1]["rate"])
        print(f"  round: mien {ours[-1]['img_per_cpu_s']:8.0f}, {mode} {theirs[-1]['rate']:8.0f} images/s, ratio {ratios[-1]:.2f}",
              flush=True)
    ratio = statistics.median(ratios)
    print(f"  mien on {ours[0]['isa']}: {statistics.median(o['img_per_cpu_s'] for o in ours):.0f} images/s; {theirs[0]['version']}, "
          f"{mode}: {statistics.median(t['rate'] for t in theirs):.0f} images/s; median ratio {ratio:.2f}", flush=True)
    return ratio


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", default=sys.executable, help="interpreter with torch, torchvision and Pillow")
    parser.add_argument("--mien", default=MIEN, help="the command (default: build/mien of this tree)")
    parser.add_argument("--data", help="a folder of .jpg pictures per class (default: 600 faces drawn at 112 pixels)")
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4.0, help="of each of the peer's runs")
    parser.add_argument("--at-least", type=float, default=0.0, metavar="RATIO")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--mode", choices=MODES, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        peer(args)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        if not args.data:
            args.data = f"{folder}/faces"
            subprocess.run([args.mien, "synth", "--out", args.data, "--count", "600", "--size", "112", "--seed", "1"], check=True)
        return 0 if compare(args) >= args.at_least else 1


sys.exit(main())
