"""Progress: a bar where a person watches, silence for the first half minute elsewhere."""
import os
import pty
import subprocess
from support import BASE, MIEN, Case, main, mien


class Terminal(Case):
    def on_terminal(self, *arguments):
        """Exit code, stdout, and what a terminal on stderr received."""
        watcher, terminal = pty.openpty()
        process = subprocess.Popen([MIEN, *map(str, arguments)], stdout=subprocess.PIPE, stderr=terminal, stdin=subprocess.DEVNULL)
        os.close(terminal)
        seen = b""
        while True:
            try:
                piece = os.read(watcher, 4096)
            except OSError:  # the last one closed it
                break
            if not piece:
                break
            seen += piece
        out, _ = process.communicate()
        os.close(watcher)
        return process.returncode, out.decode(), seen.decode()

    def test_a_bar_with_rate_and_time_left_that_is_gone_afterwards(self):
        code, out, seen = self.on_terminal("train", BASE / "recipe.yaml", "--data", BASE / "train", "--out", self.folder / "run",
                                          "--threads", 1, "--set", "image_size=128", "--set", "stage1.epochs=2")
        self.assertEqual(code, 0, seen)
        self.assertRegex(seen, r"\[=* *\] \d+/\d+ +\d+% [\d.]+/s \d+:\d\d left")
        self.assertTrue(seen.endswith("\r\x1b[K"), repr(seen[-40:]))
        self.assertIn("efficientnet_b0-stage1", out)
        self.assertNotIn("\x1b", out)

    def test_no_line_of_it_elsewhere(self):
        answer = mien("eval", BASE / "run", "--data", BASE / "test")
        self.assert_done(answer)
        self.assertEqual(answer.err, "")


main()
