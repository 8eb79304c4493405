"""Imports torch and torchvision, by another python3 where this one has none: $MIEN_PYTHON, then /usr/bin/python3. Where none has
them, the test that imports this is skipped (exit code 77)."""
import os
import shutil
import sys

try:
    import torch
    import torchvision
except ImportError:
    others = os.environ.get("PARITY_PYTHONS", os.environ.get("MIEN_PYTHON", "") + ":/usr/bin/python3").split(":")
    others = [found for found in map(shutil.which, others) if found]
    if others:
        os.execve(others[0], [others[0], *sys.argv], {**os.environ, "PARITY_PYTHONS": ":".join(others[1:])})
    print("skipped: no python3 here has torch and torchvision (Debian: python3-torch, python3-torchvision; or MIEN_PYTHON names one)")
    sys.exit(77)
