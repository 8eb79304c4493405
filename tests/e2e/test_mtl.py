"""The multi-task task from recipe to score, on drawn faces; and what its files may be like, seen through every command."""
import csv
import io
import json
import os
import shutil
import time
import unittest
from pathlib import Path
from support import CLASSES, FOLDER, Case, class_picture, find_wheel, main, mien, start

EIGHT = ["neutral", *CLASSES, "other"]
UNITS = [f"AU{n:02}" for n in (1, 2, 4, 6, 7, 10, 12, 15, 23, 24, 25, 26)]
HEADER = "image,valence,arousal,expression,aus"
STAGE = "efficientnet_b0-mtl"
METRICS = {"ccc_v", "ccc_a", "p_va", "f1_expr", "p_expr", "accuracy", "macro_f1", "f1_au", "p_au", "auc_au", "p_mtl", "n_va",
           "n_expr", "n_au"}
RECIPE = """\
task: mtl
models: [efficientnet_b0]
image_size: 32
augment: {jitter: 0}
mtl: {kind: smm, epochs: 2, batch: 4, lr: 0.01, thresholds: held_out}
"""


def table(path):
    return list(csv.DictReader(io.StringIO(Path(path).read_text())))


def train(recipe, out, *more):
    return mien("train", recipe, "--out", out, "--threads", 1, *more)


class Drawn(Case):
    """One run on drawn faces, of which labels are missing as in s-Aff-Wild2."""

    @classmethod
    def setUpClass(cls):
        if not find_wheel():
            raise unittest.SkipTest("skipped: the wheel of faces is not there (tools/setup fetches it)")
        cls.base = FOLDER / "mtl"
        shutil.rmtree(cls.base, ignore_errors=True)
        cls.base.mkdir(parents=True)
        cls.recipe_path, cls.trained, cls.val = cls.base / "recipe.yaml", cls.base / "run", cls.base / "faces" / "val"
        cls.recipe_path.write_text(RECIPE)
        face = cls.base / "face.safetensors"
        for command in (["face", find_wheel(), "--out", face],
                        ["synth", "--face", face, "--out", cls.base / "faces" / "train", "--count", 48, "--size", 40, "--task", "mtl",
                         "--missing", "aff-wild2", "--seed", 1],
                        ["synth", "--face", face, "--out", cls.val, "--count", 32, "--size", 40, "--task", "mtl", "--seed", 2]):
            answer = mien(*command)
            assert answer.code == 0, answer.err
        cls.answer = train(cls.recipe_path, cls.trained, "--data", cls.base / "faces")
        assert cls.answer.code == 0, cls.answer.err

    def evaluate(self, *arguments):
        answer = mien("eval", *arguments, "--json")
        self.assert_done(answer)
        return answer.json()

    def test_training_tells_weights_and_scores(self):
        weights = [line for line in self.answer.lines if "weights of" in line]
        self.assertEqual([line.split(":")[1].split()[-1] for line in weights], ["expression", "au"])
        self.assertRegex(weights[0], r"other 1\.0000$")
        self.assertIn("p_mtl", self.answer.out)
        data = json.loads((self.trained / "log.jsonl").read_text().splitlines()[0])
        rows = table(self.base / "faces" / "train" / "labels.csv")
        known = {"va": sum(row["valence"] != "-5" for row in rows), "expression": sum(row["expression"] != "-1" for row in rows),
                 "au": sum(row["AU12"] != "-1" for row in rows)}
        self.assertEqual(data["labels"], known)
        self.assertTrue(all(0 < n < len(rows) for n in known.values()), known)

    def test_eval_is_as_promised(self):
        rows = [line.split() for line in mien("eval", self.trained, "--data", self.base / "faces").out.splitlines()]
        self.assertEqual(rows[0], ["name", "ccc_v", "ccc_a", *EIGHT, *UNITS, "p_va", "p_expr", "p_au", "p_mtl"])
        self.assertEqual([row[0] for row in rows[1:]], [STAGE, "ensemble"])
        document = self.evaluate(self.trained, "--data", self.base / "faces")  # its val
        self.assertEqual((document["task"], document["n"], document["classes"]), ("mtl", 32, EIGHT))
        for metrics in (document["ensemble"], *document["members"]):
            self.assertEqual(set(metrics) - {"model"}, METRICS)
            self.assertEqual([len(metrics[name]) for name in ("f1_expr", "f1_au", "auc_au")], [8, 12, 12])
            self.assertEqual([metrics[name] for name in ("n_va", "n_expr", "n_au")], [32, 32, 32])
            self.assertAlmostEqual(metrics["p_va"], (metrics["ccc_v"] + metrics["ccc_a"]) / 2)
            self.assertAlmostEqual(metrics["p_expr"], sum(metrics["f1_expr"]) / 8)
            self.assertAlmostEqual(metrics["p_au"], sum(metrics["f1_au"]) / 12)
        self.assertEqual([f"{document['ensemble'][name]:.4f}" for name in ("p_va", "p_mtl")], [rows[2][-4], rows[2][-1]])

    def test_what_is_submitted_is_decided_by_the_models_thresholds_and_scored_as_eval_does(self):
        header = (self.trained / STAGE / "best.safetensors").read_bytes()
        about = json.loads(json.loads(header[8:8 + int.from_bytes(header[:8], "little")])["__metadata__"]["mien"])
        thresholds = about["heads"][2]["thresholds"]
        self.assertEqual(len(thresholds), 12)
        self.assertNotEqual(thresholds, [0.5] * 12)
        said = mien("predict", self.trained, self.val)
        self.assert_done(said)
        self.assertEqual(said.out.splitlines()[0],
                         ",".join(["image", "valence", "arousal", "expression", *EIGHT, *UNITS, *[f"{u}_c" for u in UNITS]]))
        names = [row["image"] for row in reversed(table(self.val / "labels.csv"))]
        (self.folder / "list.txt").write_text("\n".join(["image", *names]))
        out = self.folder / "out.txt"
        self.assert_done(mien("submit", self.trained, "--task", "mtl", "--list", self.folder / "list.txt", "--images", self.val, "--out", out))
        lines = out.read_text().splitlines()
        self.assertEqual((lines[0], [line.split(",")[0] for line in lines[1:]]), (HEADER, names))
        rows = {os.path.basename(row["image"]): row for row in csv.DictReader(io.StringIO(said.out))}
        for line in lines[1:]:
            row, fields = rows[os.path.basename(line.split(",")[0])], line.split(",")
            self.assertEqual((len(fields), EIGHT[int(fields[3])]), (16, row["expression"]))
            for unit, threshold, decision in zip(UNITS, thresholds, fields[4:], strict=True):
                if abs(float(row[unit]) - threshold) > 0.01:  # another batch size may round otherwise
                    self.assertEqual(decision, "1" if float(row[unit]) > threshold else "0")
                    self.assertEqual(row[f"{unit}_c"], decision)
        score = mien("score", "--task", "mtl", "--truth", self.val / "labels.csv", "--pred", out, "--json")
        self.assertEqual(score.code, 0, score.err)
        scored, ensemble = score.json(), self.evaluate(self.trained, "--data", self.val)["ensemble"]
        self.assertEqual(set(scored) - {"task", "n"}, METRICS - {"auc_au"})
        for name in ("ccc_v", "ccc_a", "p_va", "p_expr", "p_au", "p_mtl"):
            self.assertAlmostEqual(scored[name], ensemble[name], delta=0.01, msg=name)

    def test_killed_and_resumed_gives_the_same_bits(self):
        out = self.folder / "run"
        process = start("train", self.recipe_path, "--data", self.base / "faces", "--out", out, "--threads", 1)
        end = time.monotonic() + 120
        while '"event":"epoch"' not in ((out / "log.jsonl").read_text() if (out / "log.jsonl").exists() else ""):
            self.assertLess(time.monotonic(), end, "the first epoch never ended")
            self.assertIsNone(process.poll(), "the run ended before it was to be stopped")
            time.sleep(0.005)
        process.kill()
        process.communicate()
        self.assert_done(train(self.recipe_path, out, "--data", self.base / "faces", "--resume"))
        for name in ("best.safetensors", "validation.csv"):
            self.assertEqual((out / STAGE / name).read_bytes(), (self.trained / STAGE / name).read_bytes(), name)

    def test_class_folders_are_scored_over_their_classes(self):
        data, truths = self.folder / "data", {}
        for row in table(self.val / "labels.csv"):
            if row["expression"] in CLASSES:
                (data / row["expression"].upper()).mkdir(parents=True, exist_ok=True)
                shutil.copy(self.val / row["image"], data / row["expression"].upper())
                truths[os.path.basename(row["image"])] = row["expression"]
        said = {os.path.basename(row["image"]): row["expression"]
                for row in csv.DictReader(io.StringIO(mien("predict", self.trained, data).out))}
        f1 = []
        for name in EIGHT:
            right = sum(said[image] == truth == name for image, truth in truths.items())
            both = sum((said[image] == name) + (truth == name) for image, truth in truths.items())
            f1.append(2 * right / both if both else 0)
        metrics = self.evaluate(self.trained, "--data", data)["ensemble"]
        for got, wanted in zip(metrics["f1_expr"], f1, strict=True):
            self.assertAlmostEqual(got, wanted)
        self.assertAlmostEqual(metrics["accuracy"], sum(said[image] == truth for image, truth in truths.items()) / len(truths))
        present = [f1[EIGHT.index(name)] for name in set(truths.values())]
        self.assertAlmostEqual(metrics["macro_f1"], sum(present) / len(present))
        self.assertAlmostEqual(metrics["p_expr"], sum(f1) / 8)
        (data / "list.csv").write_text("path,label\n" + "".join(f"{t.upper()}/{i},{t}\n" for i, t in truths.items()))
        again = self.evaluate(self.trained, "--data", data / "list.csv")["ensemble"]
        self.assertEqual(again, metrics)
        self.assertEqual(set(again), {"f1_expr", "p_expr", "accuracy", "macro_f1", "n_va", "n_expr", "n_au"})
        self.assertEqual((again["n_va"], again["n_expr"], again["n_au"]), (0, len(truths), 0))

    def test_a_model_of_fewer_heads_says_what_it_lacks(self):
        recipe = self.recipe(RECIPE.replace("mtl: {kind: smm, epochs: 2", "mtl: {heads: [expression], kind: baseline, epochs: 1"))
        out = self.folder / "run"
        self.assert_done(train(recipe, out, "--data", self.base / "faces"))
        self.assertEqual(mien("predict", out, self.val).out.splitlines()[0], ",".join(["image", "expression", *EIGHT]))
        (self.folder / "list.txt").write_text("000001.jpg\n")
        answer = mien("submit", out, "--task", "mtl", "--list", self.folder / "list.txt", "--images", self.val, "--out",
                      self.folder / "out.txt")
        self.assert_fails_alone(answer, out, "no head va (wanted expression)")
        self.assertFalse((self.folder / "out.txt").exists())
        metrics = self.evaluate(out, "--data", self.val)["ensemble"]
        self.assertIn("p_expr", metrics)
        self.assertFalse({"p_va", "p_au", "p_mtl", "ccc_v", "f1_au"} & set(metrics))
        (self.folder / "va.csv").write_text("image,valence,arousal\n1.png,0,0\n")
        self.assert_fails_alone(mien("eval", out, "--data", self.folder / "va.csv"), "va.csv: no picture with expressions")


ZEROS = ",0" * 12
ROW = "a.png,0.5,-0.25,4" + ZEROS
FAULTS = [
    ("b.png,0,0,0" + ",0" * 11, "line 3: 15 fields (wanted 16)"),
    ("b.png,0,0,0" + ",0" * 13, "line 3: 17 fields (wanted 16)"),
    ("b.png,1.5,0,0" + ZEROS, "line 3: valence 1.5 (wanted -1..1"),
    ("b.png,nan,0,0" + ZEROS, "line 3: valence nan (wanted -1..1"),
    ("b.png,0,0,8" + ZEROS, "line 3: expression 8 (wanted 0..7"),
    ("b.png,0,0,1.5" + ZEROS, "line 3: expression 1.5 (wanted 0..7"),
    ("b.png,0,0,0,2" + ",0" * 11, "line 3: AU01 2 (wanted 0 or 1"),
    ("b\0.png,0,0,0" + ZEROS, "line 3: NUL byte"),
    ("b" * 5_000_000, "line 3: row too long"),
    (ROW, "line 3: a.png is there twice (first on line 2)"),
    ("../b.png,0,0,0" + ZEROS, "line 3: ../b.png leads out of the images' folder"),
]


PICTURES = [f"{letter}.png" for letter in "abcdefghijkl"]


class Files(Case):
    def setUp(self):
        super().setUp()
        for i, name in enumerate(PICTURES):
            class_picture(self.folder / name, i % 6, i)
        self.good = self.write("good.txt", [ROW, "b.png,-0.5,0.25,1" + ZEROS])
        self.small = self.recipe(RECIPE.replace("smm, epochs: 2", "baseline, epochs: 1"))

    def write(self, name, rows, end="\n"):
        path = self.folder / name
        path.write_bytes(end.join([HEADER, *rows, ""]).encode())
        return path

    def score(self, truth, pred, *more):
        return mien("score", "--task", "mtl", "--truth", truth, "--pred", pred, *more)

    def test_faults_have_their_line_in_files_of_every_kind(self):
        for row, fault in FAULTS:
            with self.subTest(fault):
                bad = self.write("bad.txt", [ROW, row])
                where = f"{bad}: {fault}"
                self.assert_fails_alone(self.score(bad, self.good), where)
                self.assert_fails_alone(self.score(self.good, bad), where)
                self.assert_fails_alone(train(self.small, self.folder / "run", "--data", bad), where)
                self.assertFalse((self.folder / "run" / "log.jsonl").exists())

    def test_what_people_write_is_accepted(self):
        wanted = self.score(self.good, self.good, "--json").json()
        other = self.folder / "other.txt"
        for text in (self.good.read_text().replace("\n", "\r\n"), "\ufeff" + self.good.read_text(),
                     self.good.read_text().replace(",", ", "), "\n".join(self.good.read_text().splitlines()[1:])):
            other.write_bytes(text.encode())
            for truth, pred in ((other, self.good), (self.good, other)):
                answer = self.score(truth, pred, "--json")
                self.assertEqual((answer.code, answer.json()), (0, wanted), text)

    def test_predictions_are_matched_by_name_and_whole(self):
        rows = self.good.read_text().splitlines()[1:]
        wanted = self.score(self.good, self.good, "--json").json()
        self.assertEqual(self.score(self.good, self.write("pred.txt", rows[::-1]), "--json").json(), wanted)
        self.assert_fails_alone(self.score(self.good, self.write("pred.txt", rows[:1])), "pred.txt: no row for b.png", "line 3")
        self.assert_fails_alone(self.score(self.write("truth.txt", rows[:1]), self.good), "good.txt: line 3: b.png is not in")

    def test_heads_without_labels_are_refused_before_training(self):
        (self.folder / "list.csv").write_text("path,label\na.png,anger\nb.png,fear\n")
        run = self.folder / "run"
        answer = train(self.small, run, "--data", self.folder / "list.csv")
        self.assert_fails_alone(answer, "list.csv: no picture with action units (head au)")
        answer = train(self.small, run, "--data", self.good, "--set", "mtl.heads=[va, blendshapes]")
        self.assert_fails_alone(answer, "good.txt: no picture with expression units (head blendshapes)")
        answer = train(self.small, run, "--data", self.good, "--set", "mtl.heads=[va, gaze]")
        self.assert_fails_alone(answer, "good.txt: no picture with gaze (head gaze)")
        self.assertFalse((run / "log.jsonl").exists())

    def test_images_that_are_not_there_are_named_and_too_many_are_fatal(self):
        gone = [f"gone{i}.png" for i in range(4)]
        rows = [f"{name},{i / 8 - 1:.3f},{1 - i / 8:.3f},{i % 8}{ZEROS}" for i, name in enumerate([*gone, *PICTURES])]
        data = self.write("set.txt", rows)
        answer = train(self.small, self.folder / "few", "--data", data)
        there = "set.txt: 4 of 14 pictures are not there: gone0.png, gone1.png, gone2.png, gone3.png"
        self.assert_fails(answer, there, "max_bad_share")
        self.assertEqual(answer.err.count("gone0.png"), 1)  # before any was tried to read
        answer = train(self.small, self.folder / "run", "--data", data, "--set", "data.max_bad_share=0.5")
        self.assert_done(answer)
        for name in gone:
            self.assertEqual(sum(f"/{name}: " in line for line in answer.lines), 1, answer.err)
        self.assertIn(there, answer.err)
        answer = mien("eval", self.folder / "run", "--data", data, "--json")
        self.assertEqual((answer.code, [s["image"] for s in answer.json()["skipped"]]), (1, gone))

    def test_two_places_and_a_second_folder_of_images(self):
        first, second = self.folder / "first", self.folder / "second"
        for folder, names in ((first, PICTURES[:9]), (second, PICTURES[8:])):
            folder.mkdir()
            for name in names:
                shutil.copy(self.folder / name, folder)
        (first / PICTURES[0]).write_text("no picture")
        shutil.copy(self.folder / PICTURES[0], second)
        labels = self.folder / "labels"
        labels.mkdir()
        rows = [f"{name},{i / 8 - 1:.3f},{1 - i / 8:.3f},-1{ZEROS}" for i, name in enumerate(PICTURES)]
        (labels / "va.txt").write_text("\n".join([HEADER, *rows, ""]))
        for i, name in enumerate(PICTURES[:8]):
            (labels / "classes" / EIGHT[i % 2]).mkdir(parents=True, exist_ok=True)
            shutil.copy(self.folder / name, labels / "classes" / EIGHT[i % 2])
        run = self.folder / "run"
        answer = train(self.small, run, "--data", labels / "va.txt", "--images", first, "--images-fallback", second,
                       "--data", labels / "classes", "--set", "data.val_share=0.25")
        self.assert_done(answer)
        self.assertFalse([line for line in answer.lines if ".png" in line], answer.err)  # every picture was found
        data = json.loads((run / "log.jsonl").read_text().splitlines()[0])
        self.assertEqual((data["train"], data["validation"], data["labels"]), (15, 5, {"va": 9, "expression": 6, "au": 9}))
        images = [row["image"] for row in table(run / STAGE / "validation.csv")]
        self.assertEqual(images, [*PICTURES[9:], "neutral/g.png", "anger/h.png"])  # the end of a file, and of each class
        answer = train(self.small, self.folder / "no", "--data", labels / "va.txt", "--images", first, "--set", "mtl.heads=[va, au]")
        self.assert_fails(answer, "va.txt: 2 of 11 pictures are not there: j.png, k.png", "max_bad_share")
        answer = train(self.small, self.folder / "no", "--data", labels / "va.txt", "--images", first, "--images-fallback",
                       second, "--set", "mtl.heads=[va, au]", "--set", "mtl.select=p_expr")
        self.assert_fails(answer, "va.txt: no label that tells p_expr (mtl.select)")


main()
