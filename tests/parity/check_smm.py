#!/usr/bin/env python3
"""SMM-EmotionNet, its orthogonal form and its baseline beside PyTorch: check_smm.py [--isa NAME,NAME|all] ARCHITECTURE...

A training pass of six heads with their losses (labels missing, classes and active units weighted), and predictions from running
statistics by both ensembles. What is compared, and by which tolerances, check_models.py's head says; smm_reference.py is the network
in PyTorch.
"""
import argparse
import pathlib
import sys
import tempfile

from needs import torch
from check_models import Check, machine_isas, norm, subject
from reference import read
from smm_reference import SmmTraining

SIZES = {"inception_v3": 107, "efficientnet_b0": 160}  # maps of 5 x 5
KINDS = ("smm", "orthogonal", "baseline")
ALLOWED = 1e-4


class SmmCheck(Check):
    training, spoiled = SmmTraining, "efficientnet_b0+smm"

    def size(self):
        return SIZES[self.arch.split("+")[0]]

    def predictions(self):
        """Of the parameters that `passes` drew."""
        seen = {}
        for ensemble in ("softmax", "logits"):
            exact = SmmTraining(self.arch, self.start, torch.float64, is_training=False).predict(ensemble)
            subject("predict", self.arch, self.start_path, self.end_path, ensemble)
            ours = seen[ensemble] = read(self.end_path)
            for name, t in exact.items():
                error = norm(ours[name] - t) / norm(t)
                self.failed += not error <= ALLOWED
                print(f"{self.arch} {ensemble} {name}: off by {error:.2g} (allowed {ALLOWED:g})", flush=True)
        apart = norm(seen["softmax"]["output.expression"] - seen["logits"]["output.expression"])
        if (apart > 0) == self.arch.endswith("+baseline"):
            self.failed += 1
            print(f"{self.arch}: the ensembles are {apart:g} apart (wanted some for regions, none without)", file=sys.stderr)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--isa", default="", help="instruction sets, NAME,NAME, or all; default: MIEN_ISA's, else the machine's best")
    parser.add_argument("--json", help="a line for each quantity is appended to this file")
    parser.add_argument("architectures", nargs="+")
    options = parser.parse_args()
    torch.set_num_threads(2)
    isas = machine_isas() if options.isa == "all" else options.isa.split(",") if options.isa else [None]
    json_file = open(options.json, "a") if options.json else None
    failed = 0
    for arch in options.architectures:
        for kind in KINDS:
            with tempfile.TemporaryDirectory() as folder:
                check = SmmCheck(f"{arch}+{kind}", "small", isas, json_file, pathlib.Path(folder))
                check.passes()
                check.predictions()
                failed += check.failed
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
