#!/usr/bin/env python3
"""Trains the zoo's architectures beside torchvision's: check_models.py [--small] [--full] [--isa all] [--without NAME] [--json FILE] [ARCHITECTURE...]

parity_subject (tests/parity/subject.c; PARITY_SUBJECT names it) draws parameters, pictures and labels, and computes from them what
mien does. PyTorch computes the same here in float64, which is the reference, and in mien's precision, which says how much error is
usual. Compared are, of a training pass in f32 and one in bf16, logits, loss, every parameter's gradient, the pictures' gradient and
every moved statistic; of ten steps of Adam and of SGD in f32 each step's loss, and how far every parameter and statistic moved.

Per tensor, the norm of the difference over the norm of the reference is in f32 at most 1e-4, or twice PyTorch's own, in bf16 at most
1.5 times PyTorch's own. A gradient that is zero in theory (the bias of ViT's keys) is compared with the norm of all gradients. Of
parameters after steps it is the movement that is compared, not the value, which is nearly as before; left out are elements whose
first gradient is zero in theory, or less than a thousandth of its tensor's: Adam makes whole steps of such noise. The rates are small,
since networks this deep and this fresh are chaotic: two of PyTorch's own runs are soon strangers to each other.

PyTorch's own error is chance where rounding turns a ReLU or a maximum the other way: whole gradients move then, and which is not known
before. So PyTorch computes several times, with other kernels, layouts and weights that differ by the last bit of a float32, and its
own error is the largest of all; where a tensor is past it in f32, PyTorch is given many more tries to turn the same ReLU before that
is called a difference. In bf16 every number is such a matter of chance, and some quantities are few numbers (a loss is
one): there several batches are computed, and a tensor's error is over all of them as if they were one long tensor. Its kernels are
oneDNN's, the best that PyTorch has; those that sum in bf16 would only excuse us.

Exit code 1, and a line a tensor, where something differs, or where a weight that was moved is not noticed.
"""
import argparse
import collections
import functools
import json
import os
import pathlib
import subprocess
import sys
import tempfile

from needs import torch
from reference import VERSIONS, Training, read, take_apart

SKIPPED = 77
ISAS = ("plain", "avx2", "avx512", "avx512_bf16", "amx")
# pictures a batch, batches in f32 (one, whose reference is at hand where PyTorch is asked again), in bf16
PASSES = {"small": (8, 1, 4), "full": (2, 1, 4)}
SMALL, SMALL_OTHERS = 64, {"inception_v3": 107}  # below, its last maps are one pixel, and batch norm is over 8 numbers
STEP_BATCH, STEPS, STEP_SIZE = 8, 10, {"vit_b_16": 32}  # of others as a pass's
TRIES = {"pass": 49, "steps": 14}
FACTOR, LEAST, ZERO = {"bf16": 1.5}, {"bf16": 0.0}, 1e-6  # of others 2 and 1e-4
WAYS = {
    "f32": [{}, {"layout": "channels_last"}, {"with_onednn": False}],  # and, only where a tensor is past them, tries
    "bf16": [{"is_bf16": True, **way} for way in ({}, {"layout": "channels_last"}, {"seed": 0}, {"layout": "channels_last", "seed": 1})],
    "steps": [{}, {"layout": "channels_last"}],
}
STEEP = ("googlenet", "inception_v3")  # without residuals, gradients grow from layer to layer
NOISE = 1e-3  # share of a tensor's gradient below which an element's is noise
# One weight moved by so much must be noticed, with the architecture whose own error is smallest.
SPOILED, MOVED = "efficientnet_b0", {"f32": 1e-3, "bf16": 1.0, "adam": 1e-1, "sgd": 1e-1}


def optimizers(arch):
    """{name: (for parity_subject, the same for PyTorch)}"""
    rate = 1e-6 if arch in STEEP else 1e-4
    return {"adam": (("adam", 1e-5, 0, 0), functools.partial(torch.optim.Adam, lr=1e-5)),
            "sgd": (("sgd", rate, 0.9, 1e-2), functools.partial(torch.optim.SGD, lr=rate, momentum=0.9, weight_decay=1e-2))}


def norm(t):
    return float(torch.linalg.vector_norm(t.double()))


def subject(*arguments, isa=None):
    """(exit code, instruction set)"""
    environment = {**os.environ, **({"MIEN_ISA": isa} if isa else {})}
    done = subprocess.run([os.environ["PARITY_SUBJECT"], *map(str, arguments)], env=environment, capture_output=True, text=True)
    if done.returncode not in (0, SKIPPED):
        raise RuntimeError(done.stderr.strip())
    return done.returncode, done.stdout.strip()


def machine_isas():
    """Those that this machine has, from the least on."""
    found = []
    for isa in ISAS:
        try:
            subject("isa", isa=isa)
            found.append(isa)
        except RuntimeError:
            pass
    return found


class Errors:
    """Squared norms over all batches, by tensor: the reference's, and of differences from it, by who differs."""

    def __init__(self, kept=None):
        """kept: {tensor: which of its elements count}, where not all do"""
        self.kept = kept or {}
        self.scale, self.off = collections.Counter(), collections.defaultdict(collections.Counter)

    def square(self, name, t):
        return norm(t * self.kept[name] if name in self.kept else t) ** 2

    def has_ours(self):
        return any(who[1] != "skipped" for who in self.off if not isinstance(who, int))

    def add_reference(self, exact):
        for name, t in exact.items():
            self.scale[name] += self.square(name, t)

    def add(self, who, result, exact):
        for name, t in exact.items():
            self.off[who][name] += self.square(name, result[name] - t)


class Judge:
    """What is allowed, and what came; a row for each quantity goes to `rows`."""

    def __init__(self, what, errors, kinds, ways):
        self.what, self.kinds = what, kinds
        everything = sum(errors.scale[name] for name in kinds if kinds[name] == "parameter gradients")
        self.limits = {}
        for name in kinds:
            is_zero = kinds[name] == "parameter gradients" and errors.scale[name] < 1e-18 * everything
            scale = everything if is_zero else errors.scale[name]
            own = max((errors.off[way][name] / scale) ** 0.5 for way in ways)
            least = ZERO if is_zero else LEAST.get(what, 1e-4)
            self.limits[name] = (scale, own, max(least, FACTOR.get(what, 2) * own))

    def worst(self, off):
        """{quantity: (share of what is allowed, tensor, error, PyTorch's own, allowed)} and how many are past it"""
        rows, failed = {}, []
        for name, (scale, own, allowed) in self.limits.items():
            error = (off[name] / scale) ** 0.5
            row = (error / allowed, name, error, own, allowed)
            if not error <= allowed:  # NaN is past it too
                failed.append(row)
            if self.kinds[name] not in rows or row > rows[self.kinds[name]]:
                rows[self.kinds[name]] = row
        return rows, failed


class Check:
    """One architecture at one size."""
    training, spoiled = Training, SPOILED

    def __init__(self, arch, size_name, isas, json_file, folder):
        self.arch, self.size_name, self.isas, self.json_file = arch, size_name, isas, json_file
        self.start_path, self.end_path = folder / "start.safetensors", folder / "end.safetensors"
        self.start, self.failed = None, 0

    def size(self):
        return SMALL_OTHERS.get(self.arch, SMALL) if self.size_name == "small" else 0

    def draw(self, size, batch, count):
        subject("draw", self.arch, size, batch, count, self.start_path)
        self.start = read(self.start_path)

    def mien(self, errors, exact, verb, arguments, what):
        """Adds what mien computes with each instruction set, and with one weight moved."""
        for isa, moved in [(isa, 0) for isa in self.isas] + [(self.isas[-1], MOVED[what])] * (self.arch == self.spoiled):
            code, name = subject(verb, self.arch, self.start_path, self.end_path, moved, *arguments, isa=isa)
            if code == SKIPPED:
                errors.off[name, "skipped"] = None
            else:
                errors.add((name, "spoiled") if moved else (name, ""), take_apart(read(self.end_path)), exact)

    def report(self, what, errors, kinds, once_more=None, tries=0):
        """once_more: adds another of PyTorch's own runs, as this one of them, by this seed"""
        batch, size = self.start["images"].shape[1:3]
        for isa, _ in [who for who in errors.off if not isinstance(who, int) and who[1] == "skipped"]:
            print(f"skipped: {self.arch} {what}: {isa} does not compute in bf16", flush=True)
        ours = [who for who in errors.off if not isinstance(who, int) and who[1] != "skipped"]
        if not ours:
            return
        own_count = sum(isinstance(who, int) for who in errors.off)
        for seed in range(tries + 1):
            judge = Judge(what, errors, kinds, [who for who in errors.off if isinstance(who, int)])
            if seed == tries or not any(judge.worst(errors.off[who])[1] for who in ours if not who[1]):
                break
            once_more(own_count + seed, seed)
        if seed > 0:
            print(f"{self.arch} {what}: {seed} further runs of PyTorch's", flush=True)
        for isa, note in ours:
            label = f"{self.arch} {what}, {batch} of {size}x{size}, {isa}"
            rows, failed = judge.worst(errors.off[isa, note])
            if note == "spoiled":
                self.failed += not failed
                print(f"{label}: a weight moved by {MOVED[what]:g} is {'noticed' if failed else 'NOT NOTICED'}", flush=True)
                continue
            self.failed += len(failed)
            for _, name, error, own, allowed in sorted(failed, reverse=True)[:10]:
                print(f"{label}: {name}: off by {error:.3g} (allowed {allowed:.3g}, PyTorch's own {own:.3g})", file=sys.stderr)
            _, name, error, own, allowed = max(rows.values())
            print(f"{label}: {len(kinds)} tensors, {len(failed)} off; nearest to its limit {name}: {error:.2g} (allowed {allowed:.2g}, "
                  f"PyTorch's own {own:.2g})", flush=True)
            for quantity, (_, name, error, own, allowed) in rows.items():
                if self.json_file:
                    print(json.dumps({"arch": self.arch, "at": self.size_name, "size": size, "batch": batch, "isa": isa, "what": what,
                                      "quantity": quantity, "tensor": name, "error": error, "own": own, "allowed": allowed,
                                      "failed": sum(kinds[row[1]] == quantity for row in failed), **VERSIONS}),
                          file=self.json_file, flush=True)

    def passes(self):
        batch, *counts = PASSES[self.size_name]
        self.draw(self.size(), batch, max(counts))
        errors, kinds = {"f32": Errors(), "bf16": Errors()}, {}
        for k in range(max(counts)):
            reference = self.training(self.arch, self.start, torch.float64)
            exact = reference.run_pass(k)
            statistics = reference.statistics()
            kinds = {name: name.split(".")[0] if name.startswith(("logits", "loss")) else "input gradient" if name == "input.grad" else
                     "running statistics" if name in statistics else "parameter gradients" for name in exact}
            del reference, statistics

            def own(what, who, **options):
                errors[what].add(who, self.training(self.arch, self.start, torch.float32, **options).run_pass(k), exact)

            for what in [what for what, count in zip(errors, counts) if k < count]:
                errors[what].add_reference(exact)
                self.mien(errors[what], exact, "pass", (what, k), what)
                for way, options in enumerate(WAYS[what] if errors[what].has_ours() else []):
                    own(what, way, **options)
            if k == 0:
                self.report("f32", errors["f32"], kinds, lambda who, seed: own("f32", who, seed=seed), TRIES["pass"])
            if not errors["bf16"].has_ours():
                break
        self.report("bf16", errors["bf16"], kinds)

    def steps(self):
        self.draw(STEP_SIZE.get(self.arch, SMALL_OTHERS.get(self.arch, SMALL)), STEP_BATCH, STEPS)
        for what, (arguments, make_optimizer) in optimizers(self.arch).items():
            begin = take_apart(self.start)
            reference = self.training(self.arch, self.start, torch.float64)
            exact, first = reference.run_steps(make_optimizer)
            statistics, everything = reference.statistics(), sum(norm(t) ** 2 for t in first.values()) ** 0.5
            for name in [name for name in first if norm(first[name]) < 1e-9 * everything]:
                del exact[name], first[name]
            kinds = {name: name if name == "loss" else "running statistics" if name in statistics else "parameters" for name in exact}
            errors = Errors({name: t.abs() >= NOISE * t.square().mean().sqrt() for name, t in first.items()})
            errors.add_reference({name: t - begin[name] if name in begin else t for name, t in exact.items()})
            del reference, first, statistics, begin
            self.mien(errors, exact, "steps", arguments, what)
            for way, options in enumerate(WAYS["steps"]):
                errors.add(way, self.training(self.arch, self.start, torch.float32, **options).run_steps(make_optimizer)[0], exact)
            self.report(what, errors, kinds, lambda who, seed: errors.add(
                who, self.training(self.arch, self.start, torch.float32, seed=seed).run_steps(make_optimizer)[0], exact), TRIES["steps"])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", action="store_true", help="passes at a small size, and optimizer steps (the default)")
    parser.add_argument("--full", action="store_true", help="passes at the architecture's own size")
    parser.add_argument("--isa", default="", help="instruction sets, NAME,NAME, or all; default: MIEN_ISA's, else the machine's best")
    parser.add_argument("--json", help="a line for each quantity is appended to this file")
    parser.add_argument("--without", metavar="NAME", help="all architectures but this one")
    parser.add_argument("architectures", nargs="*")
    options = parser.parse_args()
    torch.set_num_threads(2)
    isas = machine_isas() if options.isa == "all" else options.isa.split(",") if options.isa else [None]
    json_file = open(options.json, "a") if options.json else None
    failed = 0
    zoo = subject("list")[1].split()
    if options.without:
        zoo.remove(options.without)
    for arch in options.architectures or zoo:
        for size_name in ["small"] * (options.small or not options.full) + ["full"] * options.full:
            with tempfile.TemporaryDirectory() as folder:
                check = Check(arch, size_name, isas, json_file, pathlib.Path(folder))
                check.passes()
                if size_name == "small":
                    check.steps()
                failed += check.failed
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
