"""What stands around a command: closed descriptors, little memory, instruction sets that oneDNN was forbidden."""
import os
import re
import resource
import subprocess
from pathlib import Path

from support import BASE, MIEN, Case, bad_pictures, main, mien

RUN = BASE / "run"
TEST = BASE / "test"
MIB = 1 << 20


class Descriptors(Case):
    def run_closed(self, redirections, *arguments):
        script = f'exec "$0" "$@" {redirections}'
        return subprocess.run(["sh", "-c", script, MIEN, *map(str, arguments)], capture_output=True, text=True)

    def test_messages_do_not_end_in_results(self):
        bad = bad_pictures(self.folder)
        out, names = self.folder / "out.csv", [self.folder / name for name in bad]
        good = [TEST / "FEAR" / "1.png", *names]
        mien("predict", RUN, *good, "--out", out)
        wanted = out.read_bytes()
        for redirections in ("2>&-", "<&- >&- 2>&-", ">&- 2>&-"):
            with self.subTest(redirections):
                out.unlink()
                self.assertEqual(self.run_closed(redirections, "predict", RUN, *good, "--out", out).returncode, 1)
                self.assertEqual(out.read_bytes(), wanted)
        (self.folder / "list.txt").write_text("\n".join(["FEAR/1.png", "FEAR/9.png"]))
        submit = ["submit", RUN, "--list", self.folder / "list.txt", "--images", TEST, "--out", out]
        self.assertEqual(mien(*submit).code, 1)
        wanted = out.read_bytes()
        self.assertEqual(self.run_closed("<&- 2>&-", *submit).returncode, 1)
        self.assertEqual(out.read_bytes(), wanted)

    def test_whoever_closes_stdout_wants_nothing_there(self):
        done = self.run_closed(">&-", "predict", RUN, TEST / "FEAR", "--out", self.folder / "out.csv")
        self.assertEqual((done.returncode, done.stderr), (0, ""))


class Machines(Case):
    def test_an_instruction_set_that_is_missing_is_named(self):
        isa = mien("bench", "infer", "--arch", "efficientnet_b0", "--size", 32, "--batch", 1, "--json").json()["isa"]
        if not isa.startswith("avx512_bf16") and isa != "amx":
            self.skipTest("skipped: this machine computes in f32 alone, which oneDNN does everywhere")
        answer = mien("predict", RUN, TEST / "FEAR", env={**os.environ, "DNNL_MAX_CPU_ISA": "SSE41"})
        self.assert_fails(answer, "an instruction set is missing (found DNNL_MAX_CPU_ISA=SSE41, wanted " + isa)

    def test_memory_that_is_missing_is_named(self):
        # At each limit it ends well, or says that it lacks memory, or a thread, which is memory too.
        if b"__asan_init" in Path(MIEN).read_bytes():
            self.skipTest("skipped: the address sanitizer needs all of the address space")
        said = set()
        for mib in range(60, 400, 10):
            done = subprocess.run([MIEN, "bench", "train", "--arch", "efficientnet_b0", "--size", "32", "--batch", "4", "--threads", "1"],
                                  capture_output=True, text=True,
                                  preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (mib * MIB, mib * MIB)))
            self.assertGreaterEqual(done.returncode, 0, done.stderr)
            if done.returncode:
                last = done.stderr.splitlines()[-1]
                self.assertRegex(last, "memory|cannot start thread|Thread creation|failed to map|cannot map", f"{mib} MiB")
                said.add(re.sub(r"\d+", "N", last))
        self.assertTrue(any("out of memory" in line for line in said), said)


main()
