"""Steps of training on the emulated device beside the CPU's: no farther from them than tools/gpu-check lets a GPU's be.

    steps_cuda.py GPU_CHECK BENCH_STEPS NETWORK SIZE BATCH STEPS
"""
import importlib.machinery
import importlib.util
import json
import subprocess
import sys


def load(path):
    """A program of ours as a module."""
    loader = importlib.machinery.SourceFileLoader("gpu_check", path)
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("gpu_check", loader))
    loader.exec_module(module)
    return module


sys.dont_write_bytecode = True
gpu_check = load(sys.argv[1])
done = subprocess.run([*sys.argv[2:], "cpu:f32", "cuda:f32"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
print(done.stdout, end="")
if done.returncode:
    sys.exit(f"bench_steps: exit {done.returncode}")
line = json.loads(done.stdout)
too_far = gpu_check.too_far_steps({}, line)
if too_far:
    sys.exit(f"{line['network']}: farther than {too_far}")
if line["steps"] > 1 and line["first_loss"] == line["last_loss"]:
    sys.exit(f"{line['network']}: nothing moved")
