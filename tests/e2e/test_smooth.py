"""Answers to frames, smoothed over clips: predict and eval with --smooth, good options and bad."""
import csv
import io
import shutil
from support import BASE, CLASSES, Case, main, mien

RUN = BASE / "run"
KINDS = {"exponential": "0,1,3,5,7,8,9,10,15", "gaussian": "0,1,2,4,8,16,32", "box": "0,1,2,4,8,16,32"}


def rows(answer):
    return {row["image"]: [float(row[name]) for name in CLASSES] for row in csv.DictReader(io.StringIO(answer.out))}


class Smoothing(Case):
    def setUp(self):
        """Two clips whose frames stand in turns in the list."""
        super().setUp()
        self.names, lines = [], ["path,label"]
        for number, path in enumerate(sorted((BASE / "test").glob("*/*.png"))):
            name = f"clip{number % 2}/{number}.png"
            (self.folder / name).parent.mkdir(exist_ok=True)
            shutil.copy(path, self.folder / name)
            self.names.append(name)
            lines.append(f"{name},{path.parent.name.lower()}")
        (self.folder / "set.csv").write_text("\n".join(lines) + "\n")
        (self.folder / "frames.txt").write_text("\n".join(self.names) + "\n")

    def predict(self, *more):
        return mien("predict", RUN, "frames.txt", *more, cwd=self.folder)

    def evaluate(self, *more):
        return mien("eval", *more, "--data", self.folder / "set.csv", "--json", cwd=self.folder)

    def test_rows_keep_their_order_and_are_means_of_their_neighbours(self):
        plain, smoothed = rows(self.predict()), rows(self.predict("--smooth", "box:1"))
        self.assertEqual(list(smoothed), list(plain))
        for clip in (0, 1):
            names = [name for name in plain if f"clip{clip}/" in name]
            for t, name in enumerate(names):
                near = [plain[n] for n in names[max(t - 1, 0):t + 2]]
                for c in range(len(CLASSES)):
                    self.assertAlmostEqual(smoothed[name][c], sum(row[c] for row in near) / len(near), places=5)

    def test_a_frame_that_cannot_be_read_is_a_gap(self):
        self.assertGreater(len(self.names), 6)
        kept = [name for name in self.names if name != self.names[4]]
        (self.folder / self.names[4]).write_text("no picture\n")
        broken = self.predict("--smooth", "gaussian:1.5")
        self.assertEqual(broken.code, 1)
        self.assertEqual(len([line for line in broken.lines if self.names[4] in line]), 1, broken.err)
        (self.folder / "frames.txt").write_text("\n".join(kept) + "\n")
        self.assertEqual(rows(broken), rows(self.predict("--smooth", "gaussian:1.5")))

    def test_width_0_is_not_smoothed_and_a_head_can_be_named(self):
        plain = self.predict().out
        for kind in KINDS:
            self.assertEqual(self.predict("--smooth", f"{kind}:0").out, plain)
            self.assertNotEqual(self.predict("--smooth", f"{kind}:2").out, plain)
            self.assertEqual(self.predict("--smooth", f"{kind}:expression=2").out,
                             self.predict("--smooth", f"{kind}:2").out)

    def test_auto_finds_the_best_of_its_grid_and_says_which(self):
        self.assertNotIn("smooth", self.evaluate(RUN).json())
        for kind, grid in KINDS.items():
            scores = {}
            for width in grid.split(","):
                fixed = self.evaluate(RUN, "--smooth", f"{kind}:{width}").json()
                self.assertEqual(fixed["smooth"], {"kind": kind, "widths": {"expression": float(width)}})
                scores[float(width)] = fixed["ensemble"]["macro_f1"]
            best = min(width for width in scores if scores[width] == max(scores.values()))
            chosen = self.evaluate(RUN, "--smooth", f"{kind}:auto")
            self.assertEqual(chosen.json()["smooth"], {"kind": kind, "widths": {"expression": best}})
            self.assertEqual(chosen.json()["ensemble"]["macro_f1"], scores[best])
            self.assertEqual(chosen.lines, [f"mien: smoothing: expression: width {best:g} (macro_f1 {scores[best]:.4f}, "
                                            f"{scores[0]:.4f} unsmoothed)"])

    def test_kept_scores_are_smoothed_like_their_model(self):
        self.assert_done(self.evaluate(RUN, "--scores", "kept.npy"))
        for option in ("exponential:3", "gaussian:2"):
            of_model = self.evaluate(RUN, "--smooth", option).json()["ensemble"]
            of_scores = self.evaluate("kept.npy", "--smooth", option).json()["ensemble"]
            self.assertAlmostEqual(of_scores.pop("ece"), of_model.pop("ece"), places=5)
            self.assertEqual(of_scores, of_model)

    def test_bad_options_are_refused_in_a_line(self):
        for option, word in {"exponential": "KIND:WIDTH", "median:3": "wanted KIND:WIDTH", "box:": "width ''",
                             "box:three": "width 'three'", "box:-1": "width '-1'", "gaussian:nan": "width 'nan'",
                             "gaussian:inf": "width 'inf'", "box:1,2": "width '1,2'", "box:=1": "HEAD=WIDTH",
                             "box:expression=": "width ''", "box:expression=1,": "HEAD=WIDTH"}.items():
            self.assert_fails_alone(self.predict("--smooth", option), "predict: --smooth: ", word, code=2)
            self.assert_fails_alone(self.evaluate(RUN, "--smooth", option), "eval: --smooth: ", word, code=2)
        for option, word in {"box:va=1": "smoothing: no head va (wanted expression)",
                             "box:expression=1,expression=1": "smoothing: a second width of head expression"}.items():
            self.assert_fails_alone(self.predict("--smooth", option), word)
            self.assert_fails_alone(self.evaluate(RUN, "--smooth", option), word)
        self.assert_fails_alone(self.predict("--smooth", "box:auto"), "width 'auto'", code=2)

    def test_class_folders_are_no_clips(self):
        self.assert_fails_alone(mien("eval", RUN, "--data", BASE / "test", "--smooth", "box:1"), BASE / "test", "folders are classes")


main()
