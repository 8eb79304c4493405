"""tools/gpu-check without a GPU: goes through to its end, tells every part in lines of JSON, once, and says what it skips and why; a
part that fails says so and the next goes on; a part that is unknown is refused.

    gpu_check.py GPU_CHECK BUILD
"""
import json
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

CHECK, BUILD = sys.argv[1:3]
NEEDS_GPU = {"a", "b", "c", "d", "e", "f"}


def check(out, *arguments):
    """Exit code, lines and what was said."""
    done = subprocess.run([CHECK, "--build", BUILD, "--out", out, "--python", "no-such-python", *arguments], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=120)
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()], done.stderr


class GpuCheck(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.out = Path(folder.name) / "out"

    def test_dry_run_tells_every_part_once(self):
        code, lines, said = check(self.out, "--dry-run")
        self.assertEqual(code, 0, said)
        ends = [line for line in lines if "ok" in line or "skipped" in line]
        names = [line["part"] for line in ends]
        self.assertEqual(len(names), len(set(names)))
        self.assertEqual({name.split(".")[0] for name in names}, NEEDS_GPU | {"0", "g"})
        for line in ends:
            if line["part"][0] in NEEDS_GPU:
                self.assertEqual(line["skipped"], "no device")
            else:
                self.assertTrue(line["ok"], line)
        asked = next(line for line in lines if line["part"] == "g.infer")
        self.assertGreater(asked["img_per_s"], 0)
        self.assertIn("no-such-python", asked["peer_failed"])
        self.assertEqual([json.loads(line) for line in (self.out / "gpu-check.jsonl").read_text().splitlines()], lines)

    def test_rehearsal_runs_operators_and_steps(self):
        code, lines, said = check(self.out, "--rehearse", "--part", "a,b,e.sanitizer")
        self.assertEqual(code, 0, said)
        self.assertEqual([line["ok"] for line in lines if "ok" in line and "steps" not in line], [True, True, True])
        self.assertIn({"part": "e.sanitizer", "tool": "compute-sanitizer", "absent": "no device"}, lines)
        self.assertGreater(next(line for line in lines if "backend" in line)["passed"], 0)
        self.assertTrue(all(line["ok"] for line in lines if "steps" in line))

    def test_a_part_that_fails_says_why_and_the_next_goes_on(self):
        build = self.out.parent / "build"
        (build / "tests").mkdir(parents=True)
        for name in ("mien", "bench"):
            (build / name).symlink_to(Path(BUILD).resolve() / name)
        broken = build / "tests" / "ops_report"
        broken.write_text("#!/bin/sh\necho no such luck >&2\nexit 3\n")
        broken.chmod(0o755)
        code, lines, said = check(self.out, "--rehearse", "--part", "a,b", "--build", build)
        self.assertEqual(code, 1, said)
        self.assertEqual([(line["part"], line["ok"], line.get("failed")) for line in lines if "ok" in line and "steps" not in line],
                         [("a", False, "no such luck"), ("b", True, None)])

    def test_unknown_part_is_refused(self):
        code, lines, said = check(self.out, "--dry-run", "--part", "0,h")
        self.assertEqual((code, lines), (1, []))
        self.assertIn("'h'", said)


unittest.main(argv=sys.argv[:1])
