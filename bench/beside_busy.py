#!/usr/bin/env python3
"""What busy neighbours cost: a training step alone, beside one busy loop a core, and beside two, in turns; and default threads
beside one thread where a cgroup grants one CPU. One table; medians of the rounds.

    bench/beside_busy.py [--mien build/mien] [--arch efficientnet_b0] [--sizes 32,64,224] [--rounds 5] [--quota]

A fair share of the machine is 2 times the time alone beside one loop a core, 3 times beside two."""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUSY = [sys.executable, "-c", "while True: pass"]


def step_ms(options, size, threads=None, before=None):
    command = [options.mien, "bench", "train", "--arch", options.arch, "--size", str(size), "--batch", str(options.batch), "--json"]
    if threads:
        command += ["--threads", str(threads)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, preexec_fn=before)
    return json.loads(done.stdout.splitlines()[-1])


def beside(count, work):
    neighbours = [subprocess.Popen(BUSY) for _ in range(count)]
    try:
        return work()
    finally:
        for one in neighbours:
            one.kill()
            one.wait()


def neighbours_table(options):
    cores = len(os.sched_getaffinity(0))
    print(f"| {options.arch}, batch {options.batch}, ms a step | alone | one busy loop a core | ratio | two | ratio |\n|---|---|---|---|---|---|")
    for size in options.sizes:
        times = {0: [], 1: [], 2: []}
        for _ in range(options.rounds):
            for loops in times:
                row = beside(loops * cores, lambda: step_ms(options, size))
                times[loops].append(row["ms"])
        alone, one, two = (statistics.median(times[loops]) for loops in (0, 1, 2))
        print(f"| {size} px, {row['isa']}, {row['threads']} threads | {alone:.1f} | {one:.1f} | {one / alone:.2f} | {two:.1f} | {two / alone:.2f} |",
              flush=True)


def quota_group():
    """A cgroup that grants one CPU: the file that processes are put in by writing their number to it."""
    for base, write in ((Path("/sys/fs/cgroup/cpu"), [("cpu.cfs_period_us", "100000"), ("cpu.cfs_quota_us", "100000")]),
                        (Path("/sys/fs/cgroup"), [("cpu.max", "100000 100000")])):
        if not (base / write[0][0]).exists() and not (base / "cgroup.controllers").exists():
            continue
        group = Path(tempfile.mkdtemp(prefix="mien-", dir=base))
        for name, value in write:
            (group / name).write_text(value)
        return group
    raise OSError("no cgroup to put a quota in")


def quota_table(options):
    group = quota_group()
    print("\n| under a quota of one CPU, ms a step | --threads 1 | default | ratio |\n|---|---|---|---|")
    try:
        for size in options.sizes:
            times = {1: [], None: []}
            for _ in range(options.rounds):
                for threads in times:
                    row = step_ms(options, size, threads, lambda: (group / "cgroup.procs").write_text("0"))
                    times[threads].append(row["ms"])
            one, default = statistics.median(times[1]), statistics.median(times[None])
            print(f"| {size} px, default means {row['threads']} | {one:.1f} | {default:.1f} | {default / one:.2f} |", flush=True)
    finally:
        group.rmdir()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--mien", default=str(ROOT / "build" / "mien"))
    parser.add_argument("--arch", default="efficientnet_b0")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--sizes", type=lambda text: [int(size) for size in text.split(",")], default=[32, 64, 224])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quota", action="store_true", help="the second table too (may need root)")
    options = parser.parse_args()
    neighbours_table(options)
    if options.quota:
        quota_table(options)


if __name__ == "__main__":
    main()
