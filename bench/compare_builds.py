#!/usr/bin/env python3
"""Two builds of mien in turns: did anything get slower?

    bench/compare_builds.py OLD_MIEN NEW_MIEN [--rows train,infer1,infer32] [--arch NAME]... [--size S] [--rounds 3] [--at-least RATIO]

OLD and NEW are `build/mien` of two checkouts, each built in its own place (a command finds its library beside itself). A row is one
network and kind of step; the two builds take turns, and the table gives medians, the smallest and largest time, and how many times
as fast NEW is. Exit code 1 where a row is slower than --at-least by the medians and beyond OLD's own spread.
"""
import argparse
import json
import statistics
import subprocess
import sys

ARCHITECTURES = ["efficientnet_b0", "resnet50", "googlenet", "vit_b_16"]
ROWS = {"train": ["train", "--batch", "16"], "infer1": ["infer", "--batch", "1"], "infer32": ["infer", "--batch", "32"]}


def step_ms(mien, row, arch, options):
    command = [mien, "bench", *ROWS[row], "--arch", arch, "--json", *(["--size", str(options.size)] if options.size else []),
               *(["--threads", str(options.threads)] if options.threads else [])]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("old")
    parser.add_argument("new")
    parser.add_argument("--rows", default=",".join(ROWS))
    parser.add_argument("--arch", action="append", metavar="NAME")
    parser.add_argument("--size", type=int, default=0, help="default: each architecture's own")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--at-least", type=float, default=0.0, metavar="RATIO")
    options = parser.parse_args()
    slower = 0
    print("| ms a step | old (smallest to largest) | new (smallest to largest) | new is so many times as fast |\n|---|---|---|---|")
    for arch in options.arch or ARCHITECTURES:
        for row in options.rows.split(","):
            times = ([], [])
            for _ in range(options.rounds):
                for i, mien in enumerate((options.old, options.new)):
                    answer = step_ms(mien, row, arch, options)
                    times[i].append(answer["ms"])
            old, new = map(statistics.median, times)
            spread = [f"{statistics.median(t):.2f} ({min(t):.2f} to {max(t):.2f})" for t in times]
            print(f"| {arch} {row}, {answer['precision']}, {answer['isa']}, {answer['threads']} threads | {spread[0]} | {spread[1]} | {old / new:.2f} |",
                  flush=True)
            slower += old / new < options.at_least and new > max(times[0])
    sys.exit(1 if slower else 0)


if __name__ == "__main__":
    main()
