"""Ensemble files: what says how much each model counts, and is taken wherever a model is."""
import json
import os
from support import BASE, Case, main, mien
from torchlike import rewrite

TEST = BASE / "test"
MODEL = BASE / "run" / "efficientnet_b0-stage1" / "best.safetensors"


class EnsembleFiles(Case):
    def setUp(self):
        super().setUp()
        self.other = rewrite(MODEL, self.folder / "other.safetensors", mean=[0.2, 0.6, 0.4])

    def write(self, *members, name="e.json", **changes):
        path = self.folder / name
        path.write_text(json.dumps({"mien_ensemble": 1, "members": [{"model": str(m), "weight": w} for m, w in members],
                                    **changes}))
        return path

    def probabilities(self, *models):
        lines = mien("predict", *models, TEST).out.splitlines()[1:]
        return [[float(v) for v in line.split(",")[2:]] for line in lines]

    def test_the_mean_is_weighted(self):
        both = self.write((MODEL, 3), ("other.safetensors", 1))
        first, second, mean = (self.probabilities(m) for m in (MODEL, self.other, both))
        self.assertNotEqual(first, second)
        for a, b, m in zip(first, second, mean, strict=True):
            for x, y, z in zip(a, b, m, strict=True):
                self.assertAlmostEqual(z, 0.75 * x + 0.25 * y, delta=2e-6)

    def test_eval_has_a_row_for_each_and_the_weighted_mean(self):
        score = mien("eval", self.write((MODEL, 1), ("other.safetensors", 0.001)), "--data", TEST, "--json").json()
        self.assertEqual([m["model"] for m in score["members"]], ["efficientnet_b0-stage1", "other.safetensors"])
        self.assertEqual(score["ensemble"]["confusion"], score["members"][0]["confusion"])

    def test_it_leaves_as_onnx(self):
        out = self.folder / "m.onnx"
        self.assert_done(mien("export", self.write((MODEL, 3), ("other.safetensors", 1)), "--out", out))
        data = out.read_bytes()
        self.assertTrue(b"Mul" in data and b"Mean" in data)
        self.assert_done(mien("export", self.write((MODEL, 3), ("other.safetensors", 3)), "--out", out))

    def test_what_is_wrong_is_told(self):
        picture = sorted(TEST.glob("*/*"))[0]
        cases = [(self.write((MODEL, -1), name="negative.json"), "negative.json: members: entry 1: weight: -1 (wanted above 0)"),
                 (self.write(name="nobody.json"), "nobody.json: members: 0 (wanted 1 to 256)"),
                 (self.write((MODEL, 1), name="later.json", mien_ensemble=2), "later.json: mien_ensemble: version 2 (wanted 1)"),
                 (self.write(("gone.safetensors", 1), name="gone.json"), "gone.safetensors: cannot open"),
                 (self.write(("kept.npy", 1), name="scores.json"), "kept.npy: scores of one set (wanted a model"),
                 (self.folder / "none.json", "none.json: cannot open")]
        for path, message in cases:
            answer = mien("predict", path, picture)
            self.assertEqual(answer.code, 1, path)
            self.assertIn(message, answer.err)
            self.assertEqual(answer.err.count(os.linesep), 1)


main()
