"""Trains the one small run that the other end-to-end tests look at: build/e2e/base."""
import shutil
import sys

from support import BASE, RECIPE, class_set, mien

shutil.rmtree(BASE, ignore_errors=True)
BASE.mkdir(parents=True)
class_set(BASE / "train", 24)
class_set(BASE / "test", 4, first=100)
(BASE / "recipe.yaml").write_text(RECIPE)
answer = mien("train", BASE / "recipe.yaml", "--data", BASE / "train", "--out", BASE / "run", "--threads", 1, timeout=500)
print(answer.out, answer.err)
sys.exit(answer.code)
