"""Wrong usage, help, and a disk that is full where results go."""
import os
import re
import subprocess

from support import MIEN, ROOT, Case, main, mien

COMMANDS = ["train", "eval", "predict", "submit", "score", "info", "bench", "face", "synth"]
WRONG = [
    ["nosuch"], ["help", "nosuch"], ["train"], ["train", "a.yaml"], ["train", "a.yaml", "--data", "d"], ["train", "--nosuch"],
    ["train", "a.yaml", "b.yaml", "--data", "d", "--out", "o"], ["eval"], ["eval", "m"], ["eval", "--data"],
    ["train", "a.yaml", "--images", "i", "--data", "d", "--out", "o"], ["train", "a.yaml", "--images-fallback", "i", "--out", "o"],
    ["train", "a.yaml", "--data", "d", "--images", "i", "--images", "j", "--out", "o"], ["eval", "m", "--images", "i", "--data", "d"],
    ["eval", "m", "--data", "d", "--scores", "kept.txt"], ["predict"],
    ["predict", "m.safetensors"], ["score"], ["score", "--task", "chess"], ["score", "--task", "lsd", "--truth", "t"], ["info"],
    ["info", "a", "b"], ["info", "a", "--graph", "resnet50"], ["bench"], ["bench", "sleep"], ["bench", "train", "infer"],
    ["bench", "train", "--arch", "lenet"], ["bench", "train", "--batch", "0"], ["bench", "train", "--batch", "many"],
    ["bench", "train", "--threads", "-1"], ["bench", "train", "--precision", "f16"], ["bench", "train", "--device", "abacus"],
    ["bench", "train", "--fast"], ["predict", "m.safetensors", "face.jpg", "--device", "cpu", "--tf32"],
    ["submit"], ["submit", "m"], ["submit", "m", "--list", "l", "--out", "o"],
    ["submit", "--list", "l", "--images", "d", "--out", "o"],
    ["submit", "m", "--task", "chess", "--list", "l", "--images", "d", "--out", "o"],
    ["face"], ["face", "wheel"], ["synth"], ["synth", "--out", "d"], ["synth", "--count", "3"],
    ["synth", "--out", "d", "--count", "3", "--resume", "--force"], ["synth", "--out", "d", "--count", "3", "--size", "1e9"],
]


class Arguments(Case):
    def test_wrong_usage_is_one_line_and_exit_2(self):
        for arguments in WRONG:
            with self.subTest(arguments):
                answer = mien(*arguments, cwd=self.folder)
                self.assert_fails_alone(answer, "--help", code=2)
                self.assertEqual(answer.out, "")
                self.assertEqual(os.listdir(self.folder), [])

    def test_help_names_every_command(self):
        for arguments in ([], ["--help"], ["help"]):
            answer = mien(*arguments)
            self.assert_done(answer)
            for command in COMMANDS:
                self.assertIn(f"\n  {command} ", answer.out)

    def test_every_command_explains_itself(self):
        for command in COMMANDS:
            for arguments in ([command, "--help"], ["help", command]):
                answer = mien(*arguments)
                self.assert_done(answer)
                self.assertTrue(answer.out.startswith(f"Usage: mien {command} "), answer.out)
                self.assertEqual(answer.err, "")

    def test_what_computes_takes_where_and_how(self):
        for command in ("train", "eval", "predict", "submit", "bench", "synth"):
            text = mien(command, "--help").out
            for option in ("--device", "--precision", "--threads", "--fast", "--tf32"):
                self.assertIn(option, text, command)

    def test_version_is_the_headers(self):
        header = (ROOT / "include" / "mien.h").read_text()
        version = header.split('#define MIEN_VERSION "')[1].split('"')[0]
        self.assertRegex(mien("--version").out, rf"^mien {re.escape(version)} \(cpu(, cuda)?\)\n$")

    def test_devices_that_are_none_are_wrong_usage(self):
        for device in ("gpu", "", "CUDA", "cuda:", "cuda:-1", "cuda:x", "cuda:0x1", "cuda:1 ", "cuda:99999999999", "cpu:0", "cuda0"):
            with self.subTest(device):
                answer = mien("bench", "infer", "--device", device)
                self.assert_fails_alone(answer, f"--device: {device} (wanted cpu, cuda or cuda:N)", code=2)

    def test_cuda_that_is_not_there_is_one_line(self):
        """Whatever the build and the machine have: no machine has a thousand GPUs."""
        expected = "device: this build has no CUDA" if "cuda" not in mien("--version").out else "device: "
        recipe, model = ROOT / "recipes" / "lsd-small.yaml", "m.safetensors"
        (self.folder / "list.txt").write_text("face.jpg\n")
        for arguments in (["train", recipe, "--data", "faces", "--out", "run"], ["bench", "train"], ["info", "--graph", "small"],
                          ["eval", model, "--data", "faces"], ["predict", model, "face.jpg"],
                          ["submit", model, "--list", "list.txt", "--images", ".", "--out", "o"]):
            with self.subTest(arguments[0]):
                self.assert_fails_alone(mien(*arguments, "--device", "cuda:999", cwd=self.folder), expected)
                self.assertEqual(os.listdir(self.folder), ["list.txt"])

    def test_results_that_do_not_arrive_are_a_failure(self):
        with open("/dev/full", "w") as full:
            done = subprocess.run([MIEN, "--help"], stdout=full, stderr=subprocess.PIPE, text=True)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r"^mien: stdout: .+\n$")

    def test_runs_in_place_from_any_folder(self):
        self.assert_done(mien("--version", cwd="/"))


main()
