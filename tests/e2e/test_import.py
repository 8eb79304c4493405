"""mien import and what mien info says of other people's files."""
import argparse
import collections
import copy
import json
import os
import pathlib
import pickle
import re
import signal
import struct
import subprocess
import time
import zipfile
from support import BASE, CLASSES, MIEN, PICTURES, ROOT, Answer, Case, main, mien, start
from torchlike import Tensor, as_views, dump, read_safetensors, repeated, save_legacy, save_zip, stand_in, write_safetensors

MODEL = BASE / "run" / "efficientnet_b0-stage1" / "best.safetensors"
TEST = BASE / "test"
SCALAR = stand_in("numpy.core.multiarray", "scalar", lambda *_: None)
TORCH = ROOT / "tests" / "fixtures" / "format"
MEMORY = 500 << 20


def timm_name(name):
    """What timm calls a tensor of torchvision's efficientnet_b0, written the other way round than src/nn/import_names.c."""
    if name.startswith("classifier.1."):
        return "classifier." + name[13:]
    found = re.match(r"features\.(\d)\.(\d)\.block\.(\d)\.(\w+)\.(.+)|features\.(\d)\.(\d)\.(.+)", name)
    if found[6]:
        return {("0", "0"): "conv_stem", ("0", "1"): "bn1", ("8", "0"): "conv_head", ("8", "1"): "bn2"}[found[6], found[7]] + "." + found[8]
    stage, block, part, inner, rest = int(found[1]) - 1, found[2], int(found[3]), found[4], found[5]
    first = stage == 0
    if inner in ("fc1", "fc2"):
        inner = "se.conv_reduce" if inner == "fc1" else "se.conv_expand"
    else:
        convs = {0: "conv_dw", 2: "conv_pw"} if first else {0: "conv_pw", 1: "conv_dw", 3: "conv_pwl"}
        norms = {0: "bn1", 2: "bn2"} if first else {0: "bn1", 1: "bn2", 3: "bn3"}
        inner = (convs if inner == "0" else norms)[part]
    return f"blocks.{stage}.{block}.{inner}.{rest}"


class Import(Case):
    @classmethod
    def setUpClass(cls):
        cls.tensors, metadata = read_safetensors(MODEL)
        cls.about = json.loads(metadata["mien"])
        cls.answers = mien("predict", MODEL, TEST, "--precision", "f32").out

    def options(self):
        return ["--arch", "efficientnet_b0", "--size", self.about["image_size"], "--mean", ",".join(map(repr, self.about["mean"])),
                "--std", ",".join(map(repr, self.about["std"])), "--out", self.folder / "model.safetensors"]

    def imported(self, path, *more):
        answer = mien("import", path, *self.options(), *more)
        self.assert_done(answer)
        return answer

    def assert_answers_alike(self):
        self.assertEqual(mien("predict", self.folder / "model.safetensors", TEST, "--precision", "f32").out, self.answers)

    def test_every_form_of_the_same_weights_answers_alike(self):
        plain = self.tensors
        path = self.folder / "weights.pth"
        forms = {
            "zip": lambda: save_zip(path, collections.OrderedDict(plain)),
            "legacy": lambda: save_legacy(path, plain),
            "wrapped": lambda: save_zip(path, {"epoch": 3, "state_dict": {"module." + n: t for n, t in plain.items()}}),
            "beside other tensors": lambda: save_zip(path, {"epoch": plain["features.0.1.num_batches_tracked"], "state_dict": plain}),
            "nested": lambda: save_legacy(path, {"model": {"module.backbone." + n: t for n, t in plain.items()}, "best": 0.5}),
            "without counters": lambda: save_zip(path, {n: t for n, t in plain.items() if "num_batches" not in n}),
            "f64": lambda: save_zip(path, {n: self.as_double(t) for n, t in plain.items()}),
            "views of one storage": lambda: save_zip(path, as_views(plain)),
            "views of one storage, legacy": lambda: save_legacy(path, as_views(plain)),
            "timm": lambda: save_zip(path, {timm_name(n): t for n, t in plain.items()}),
        }
        for name, write in forms.items():
            with self.subTest(name):
                write()
                answer = self.imported(path)
                self.assertEqual(answer.err, "")
                self.assert_answers_alike()

    def test_what_lies_beside_the_weights_is_not_looked_at(self):
        class Score:  # as numpy's scalars are pickled
            def __reduce__(self):
                return SCALAR, ("f8", b"12345678")

        path = self.folder / "w.pth"
        options = argparse.Namespace(lr=0.1, out=pathlib.PosixPath("/tmp/run"), nested=argparse.Namespace(names={"a", "b"}))
        state = collections.OrderedDict({"module." + n: t for n, t in self.tensors.items()})
        whole = {"args": options, "best_acc": Score(), "counts": collections.Counter("aab"),
                 "groups": collections.defaultdict(list, {"a": [1]}),
                 "path": pathlib.PureWindowsPath("C:/x"), "range": range(3), "when": 1 + 2j, "state_dict": state}
        for save in (save_zip, save_legacy):
            save(path, whole)
            self.assertEqual(self.imported(path).err, "")
            self.assert_answers_alike()

    def test_compressed_archives_are_read(self):
        path, packed = self.folder / "w.pth", self.folder / "packed.pth"
        save_zip(path, self.tensors)
        with zipfile.ZipFile(path) as old, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as new:
            for name in old.namelist():
                new.writestr(name, old.read(name))
        self.assertLess(packed.stat().st_size, path.stat().st_size)
        self.assertEqual(self.imported(packed).err, "")
        self.assert_answers_alike()

    def test_running_averages_come_first_and_that_is_said(self):
        path = self.folder / "w.pth"
        good = self.tensors
        name = "features.4.0.block.0.0.weight"
        other = {**good, name: repeated("F32", good[name].shape)}
        for outer, said in (({"state_dict": other, "state_dict_ema": good},
                             "state_dict_ema and state_dict: those under state_dict_ema are taken"),
                            ({"model": other, "epoch": 3, "model_ema": good}, "model_ema and model: those under model_ema are taken"),
                            ({"student": other, "teacher": good}, "teacher and student: those under teacher are taken"),
                            ({"net": other, "model": other, "state_dict": good},
                             "state_dict, model and net: those under state_dict are taken"),
                            ({"model": {"depth": 3}, "net": good}, None), ({"state_dict_ema": None, "state_dict": good}, None),
                            ({"model": {"state_dict": good, "config": {}}, "ema": {}}, None)):
            save_zip(path, outer)
            wanted = [f"mien: {path}: has weights under {said}"] if said else []
            self.assertEqual(self.imported(path).lines, wanted)
            self.assert_answers_alike()
            answer = mien("info", path)
            self.assert_done(answer)
            self.assertEqual(answer.lines, wanted)

    @staticmethod
    def as_double(t):
        if t.dtype != "F32":
            return t
        count = len(t.raw) // 4
        return Tensor("F64", t.shape, struct.pack(f"<{count}d", *struct.unpack(f"<{count}f", t.raw)))

    def test_halves_are_the_numbers_that_they_stand_for(self):
        path = self.folder / "w.pth"

        def as_half(t, dtype):
            count = len(t.raw) // 4
            if dtype == "F16":
                raw = struct.pack(f"<{count}e", *struct.unpack(f"<{count}f", t.raw))
                return Tensor(dtype, t.shape, raw), struct.pack(f"<{count}f", *struct.unpack(f"<{count}e", raw))
            words = memoryview(t.raw).cast("H")[1::2].tolist()  # the upper half of each float, which is a bf16
            return Tensor(dtype, t.shape, struct.pack(f"<{count}H", *words)), b"".join(struct.pack("<HH", 0, w) for w in words)

        for dtype in ("F16", "BF16"):
            halves, wanted = dict(self.tensors), {}
            for name, t in self.tensors.items():
                if t.dtype == "F32":
                    halves[name], wanted[name] = as_half(t, dtype)
            save_zip(path, halves)
            self.assertEqual(self.imported(path).err, "")
            got, _ = read_safetensors(self.folder / "model.safetensors")
            for name, raw in wanted.items():
                self.assertEqual(got[name].raw, raw, f"{dtype} {name}")

    def test_a_model_of_ours_keeps_what_it_says_of_itself(self):
        answer = mien("import", MODEL, "--arch", "efficientnet_b0", "--out", self.folder / "model.safetensors", "--json")
        self.assert_done(answer)
        model = answer.json()["model"]
        for key in ("classes", "image_size", "mean", "std", "variant"):
            self.assertEqual(model[key], self.about[key])
        self.assert_answers_alike()

    def test_same_import_same_bytes(self):
        path, out = self.folder / "w.pth", self.folder / "model.safetensors"
        save_zip(path, self.tensors)
        self.imported(path, "--classes", "a,b")
        first = out.read_bytes()
        self.imported(path, "--classes", "a,b")
        self.assertEqual(first, out.read_bytes())

    def test_another_head_is_replaced_and_that_is_said(self):
        path = self.folder / "w.pth"
        save_zip(path, self.tensors)
        answer = self.imported(path, "--classes", "calm,tense", "--json")
        self.assertEqual(answer.lines, [f"mien: {path}: its head of 6 classes is replaced by a fresh one of 2"])
        self.assertEqual(answer.json()["model"]["classes"], ["calm", "tense"])
        save_zip(path, {n: t for n, t in self.tensors.items() if not n.startswith("classifier.")})
        answer = self.imported(path, "--json")
        self.assertEqual(len(answer.lines), 1)
        self.assertIn("has no head classifier.*; it gets a fresh one of 6 classes", answer.lines[0])
        self.assertEqual(answer.json()["model"]["classes"], CLASSES)

    def test_a_head_behind_dropout_is_the_head(self):
        path = self.folder / "w.pth"
        for stem in ("classifier.0.", "classifier.", "classifier.drop.2."):  # the first as EmotiEffLib, the second as timm
            save_zip(path, {n.replace("classifier.1.", stem): t for n, t in self.tensors.items()})
            self.assertEqual(self.imported(path).err, "")
            self.assert_answers_alike()
        answer = self.imported(path, "--classes", "calm,tense")
        self.assertEqual(answer.lines, [f"mien: {path}: its head of 6 classes is replaced by a fresh one of 2"])

    def test_a_head_that_is_no_single_layer_is_refused_by_name(self):
        path = self.folder / "w.pth"
        rest = {n: t for n, t in self.tensors.items() if not n.startswith("classifier.")}
        hidden = {"classifier.1.weight": repeated("F32", [512, 1280]), "classifier.1.bias": repeated("F32", [512]),
                  "classifier.4.weight": repeated("F32", [6, 512]), "classifier.4.bias": repeated("F32", [6])}
        normed = {"classifier.0.running_mean": repeated("F32", [1280]), "classifier.1.weight": repeated("F32", [6, 1280])}
        for head, words in ((hidden, "classifier.1.weight [512, 1280] and classifier.4.weight [6, 512] are two"),
                            (normed, "classifier.0.running_mean is no part of a Linear layer")):
            for classes in ([], ["--classes", "a,b"]):
                save_zip(path, {**rest, **head})
                answer = mien("import", path, *self.options(), *classes)
                self.assert_fails_alone(answer, path, words, "or none, as with --ignore classifier.")
                self.assertFalse((self.folder / "model.safetensors").exists())
        answer = self.imported(path, "--ignore", "classifier.")
        self.assertIn("has no head classifier.*; it gets a fresh one of 6 classes", answer.lines[0])
        (self.folder / "model.safetensors").unlink()

    def test_ignored_tensors_are_left_out(self):
        path = self.folder / "w.pth"
        more = {"projector.0.weight": repeated("F32", [4, 4]), "teacher.features.0.0.weight": repeated("F32", [1]),
                "module.features.0.0.weight": repeated("F32", [1])}  # the last would be another name for one that there is
        student = {"student.net." + n: t for n, t in self.tensors.items()}
        save_zip(path, {**student, **more})
        self.assert_fails_alone(mien("import", path, *self.options(), "--ignore", "teacher."), "features.0.0.weight: name repeated")
        ignored = [word for name in ("projector.", "teacher.", "module.") for word in ("--ignore", name)]
        self.assertEqual(self.imported(path, *ignored).err, "")
        self.assert_answers_alike()
        self.assert_fails_alone(mien("import", path, *self.options(), *ignored, "--ignore", "neck."),
                                path, "no tensor's name begins with neck., which is to be ignored")
        self.assert_fails_alone(mien("import", path, *self.options(), "--ignore", ""), "--ignore: an empty beginning", code=2)

    def test_the_tensorflow_variant_is_another_network_and_stays_one(self):
        path = self.folder / "w.pth"
        save_zip(path, {timm_name(n): t for n, t in self.tensors.items()})
        options = self.options()
        options[1] = "tf_efficientnet_b0"
        answer = mien("import", path, *options, "--json")
        self.assert_done(answer)
        self.assertEqual(answer.json()["model"]["variant"], "tensorflow")
        answers = mien("predict", self.folder / "model.safetensors", TEST, "--precision", "f32").out
        self.assertNotEqual(answers, self.answers)
        again = mien("import", self.folder / "model.safetensors", "--arch", "efficientnet_b0", "--out", self.folder / "again.safetensors")
        self.assert_done(again)
        self.assertEqual(mien("predict", self.folder / "again.safetensors", TEST, "--precision", "f32").out, answers)

    def test_of_which_variant_lite0_was_read_is_said(self):
        entries = [line.split() for line in (ROOT / "tests" / "fixtures" / "nn" / "efficientnet_lite0.txt").read_text().splitlines()]
        path, out = self.folder / "lite0.pth", self.folder / "lite0.safetensors"
        save_zip(path, {n: repeated("I64" if n.endswith("num_batches_tracked") else "F32", [int(d) for d in dims]) for n, *dims in entries})
        for arch, variant in (("efficientnet_lite0", "torchvision"), ("tf_efficientnet_lite0", "tensorflow")):
            answer = mien("import", path, "--arch", arch, "--classes", ",".join(f"c{i}" for i in range(1000)), "--out", out, "--json")
            self.assert_done(answer)
            self.assertEqual(len(answer.lines), 1)
            self.assertIn(f"read as {arch} (its tensors do not tell it from", answer.lines[0])
            self.assertEqual(answer.json()["model"]["variant"], variant)
        self.assertEqual(mien("import", out, "--arch", "efficientnet_lite0", "--out", self.folder / "again.safetensors").err, "")

    def test_what_does_not_fit_is_listed_whole_above_one_line(self):
        path = self.folder / "w.pth"
        state = dict(self.tensors)
        del state["features.0.0.weight"], state["features.8.1.running_var"]
        state["features.1.0.block.0.1.bias"] = Tensor("F32", [3], bytes(12))
        state["features.1.0.block.0.1.weight"] = Tensor("I32", [32], bytes(128))
        state["neck.weight"] = state["neck.bias"] = Tensor("F32", [1], bytes(4))
        save_zip(path, state)
        answer = mien("import", path, *self.options())
        self.assert_fails_alone(answer, path, "tensors do not fit (2 missing, 2 wrong, 2 extra)")
        self.assertEqual(sorted(answer.out.splitlines()),
                         ["extra: neck.bias", "extra: neck.weight", "missing: features.0.0.weight", "missing: features.8.1.running_var",
                          "wrong: features.1.0.block.0.1.bias: another shape (wanted [32])",
                          "wrong: features.1.0.block.0.1.weight: not a float tensor (wanted [32])"])
        self.assertFalse((self.folder / "model.safetensors").exists())
        answer = mien("import", path, *self.options(), "--classes", "a,b")  # nor is there a word of the head
        self.assert_fails_alone(answer, path, "tensors do not fit (2 missing, 2 wrong, 2 extra)")

    def test_wrong_usage_is_one_line(self):
        path = self.folder / "w.pth"
        save_zip(path, self.tensors)
        out = self.folder / "m.safetensors"
        for arguments, word in (([], "WEIGHTS is missing"), ([path], "--arch is missing"), ([path, "--arch", "resnet50"], "--out is missing"),
                                ([path, "--arch", "resnet50", "--out", out, "--mean", "1,2"], "wanted three numbers"),
                                ([path, "--arch", "resnet50", "--out", out, "--std", "1,2,x"], "wanted three numbers"),
                                ([path, "--arch", "resnet50", "--out", out, "--classes", "a,,b"], "an empty name"),
                                ([path, "--arch", "resnet50", "--out", out, "--classes", "a,b,a"], "'a' twice"),
                                ([path, "--arch", "resnet18", "--out", out], "--arch: 'resnet18' (wanted one of "),
                                ([path, path, "--arch", "resnet50", "--out", out], "one file at a time")):
            self.assert_fails_alone(mien("import", *arguments), word, code=2)
        self.assert_fails_alone(mien("import", path, "--arch", "efficientnet_b0", "--out", out, "--std", "1,0,1"), "std 0 of channel 1")
        self.assert_fails_alone(mien("import", self.folder / "none.pth", "--arch", "resnet50", "--out", out), "none.pth: cannot open")
        self.assert_fails(mien("import", MODEL, "--arch", "resnet50", "--out", out), "is a model of efficientnet_b0 (wanted resnet50)")

    def test_training_begins_from_a_pth(self):
        path = self.folder / "w.pth"
        save_legacy(path, {"state_dict": {"module." + timm_name(n): t for n, t in self.tensors.items()}})
        recipe = self.recipe(f"task: lsd\nimage_size: 32\nmodels: [efficientnet_b0]\ninit: {{efficientnet_b0: {path}}}\n"
                             "data: {val_share: 0.25}\nstage1: {epochs: 1, batch: 8, lr: 0.000001}\n")
        answer = mien("train", recipe, "--data", BASE / "train", "--out", self.folder / "run", "--json")
        self.assert_done(answer)
        scores = answer.json()["members"][0]["metrics"]["validation"]
        trained = read_safetensors(self.folder / "run" / "efficientnet_b0-stage1" / "best.safetensors")[0]
        name = "features.4.0.block.0.0.weight"
        began = struct.unpack("<8f", self.tensors[name].raw[:32])
        for got, wanted in zip(struct.unpack("<8f", trained[name].raw[:32]), began):
            self.assertAlmostEqual(got, wanted, places=4)
        self.assertIn("macro_f1", scores)

    def test_a_resumed_run_needs_the_file_it_began_from_no_more(self):
        path, init, run = self.folder / "w.pth", self.folder / "model.safetensors", self.folder / "run"
        save_zip(path, self.tensors)
        options = self.options()
        options[1] = "tf_efficientnet_b0"  # a variant, which no recipe names
        self.assert_done(mien("import", path, *options))
        recipe = self.recipe(f"task: lsd\nimage_size: 32\nmodels: [efficientnet_b0]\ninit: {{efficientnet_b0: {init}}}\n"
                             "data: {val_share: 0.25}\nstage1: {epochs: 1, batch: 2, lr: 0.000001}\nstage2: {enabled: false}\n")
        command = ("train", recipe, "--data", BASE / "train", "--out", run, "--threads", 1)
        process = start(*command)
        while not (run / "log.jsonl").exists():
            self.assertIsNone(process.poll(), "the run ended before it was to be stopped")
            time.sleep(0.01)
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        stage = run / "efficientnet_b0-stage1"
        self.assertTrue((stage / "last.ckpt").exists())
        self.assertFalse((stage / "best.safetensors").exists(), "too late: an epoch was over")
        init.unlink()
        self.assert_done(mien(*command, "--resume"))
        self.assertEqual(mien("info", stage / "best.safetensors", "--json").json()["model"]["variant"], "tensorflow")
        lost = self.folder / "lost"  # nothing of it has begun: there the file is needed, and one line says so
        self.assert_fails_alone(mien(*command[:5], lost), init, "cannot open")


class NotFinite(Case):
    """A number that is none never becomes an answer."""

    def changed(self, tensor, value):
        """A model with another first number in one tensor."""
        tensors, metadata = read_safetensors(MODEL)
        t = tensors[tensor]
        tensors[tensor] = Tensor(t.dtype, t.shape, struct.pack("<f", value) + t.raw[4:])
        path = self.folder / "changed.safetensors"
        write_safetensors(path, tensors, metadata)
        return path, tensors

    def commands(self, path):
        """Whatever asks a model about pictures, with the picture's name as each tells it."""
        list_of, out = self.folder / "list.txt", self.folder / "out"
        list_of.write_text("image\n" + "".join(f"{p.relative_to(TEST)}\n" for p in sorted(TEST.glob("*/*.png"))))
        return [("predict", path, TEST, "--out", out), ("predict", path, TEST, "--json", "--out", out),
                ("predict", path, TEST, "--format", "jsonl", "--out", out), ("eval", path, "--data", TEST, "--json"),
                ("submit", path, "--list", list_of, "--images", TEST, "--out", out)]

    def test_a_weight_is_refused_by_name(self):
        for value, word in ((float("nan"), "NaN"), (float("inf"), "infinite")):
            path, tensors = self.changed("features.4.0.block.0.0.weight", value)
            wanted = f"{path}: tensor features.4.0.block.0.0.weight: element 0 is {word} (wanted finite numbers)"
            for command in (*self.commands(path), ("info", path), ("export", path, "--out", self.folder / "m.onnx")):
                self.assert_fails_alone(mien(*command), wanted)
            weights, model = self.folder / "w.pth", self.folder / "m.safetensors"
            save_zip(weights, {timm_name(n): t for n, t in tensors.items()})
            self.assert_fails_alone(mien("import", weights, "--arch", "efficientnet_b0", "--out", model),
                                    f"{weights}: tensor features.4.0.block.0.0.weight: element 0 is {word}")
            self.assertFalse(model.exists())
            recipe = self.recipe(f"task: lsd\nimage_size: 32\nmodels: [efficientnet_b0]\ninit: {{efficientnet_b0: {weights}}}\n")
            self.assert_fails(mien("train", recipe, "--data", BASE / "train", "--out", self.folder / f"run-{word}"), f"element 0 is {word}")

    def test_an_output_is_a_failure_of_its_picture(self):
        path, _ = self.changed("features.8.1.running_var", -1.0)  # finite, but it has no root
        why = f"{path}: the model's output is not finite"
        count = len(list(TEST.glob("*/*.png")))
        for command in self.commands(path):
            with self.subTest(command[0] + " ".join(map(str, command[3:]))):
                answer = mien(*command)
                self.assertEqual(answer.code, 1)
                pictures = [line for line in answer.lines if line.startswith(f"mien: {TEST}/") and line.endswith(f": {why}")]
                self.assertEqual(len(pictures), count)
                if command[0] != "predict":
                    continue
                text = (self.folder / "out").read_text()
                self.assertEqual(len(answer.lines), count)
                self.assertNotIn("nan", text)
                if "--json" in command:
                    document = json.loads(text)
                    self.assertEqual(document["predictions"], [])
                    self.assertEqual([row["why"] for row in document["skipped"]], [why] * count)
                else:
                    self.assertEqual(text.splitlines(), [] if "jsonl" in command else ["image,expression," + ",".join(CLASSES)])


class Info(Case):
    def test_a_state_dict_is_listed_and_recognised(self):
        tensors, _ = read_safetensors(MODEL)
        path = self.folder / "w.pth"
        save_zip(path, {"model": {"module." + timm_name(n): t for n, t in tensors.items()}})
        document = mien("info", path, "--json").json()
        self.assertEqual((document["kind"], document["architecture"]["arch"], document["architecture"]["classes"]),
                         ("pytorch zip", "efficientnet_b0", 6))
        self.assertEqual(sorted(document["architecture"]["import_as"]), ["efficientnet_b0", "tf_efficientnet_b0"])
        self.assertEqual(len(document["tensors"]), len(tensors))
        self.assertEqual(document["tensors"][0], {"name": "module." + timm_name(next(iter(tensors))), "dtype": "F32", "shape": [32, 3, 3, 3]})
        text = mien("info", path)
        self.assert_done(text)
        self.assertIn("module.conv_stem.weight  F32 [32, 3, 3, 3]", text.out)
        self.assertRegex(text.out, r"arch +efficientnet_b0")

    def test_what_is_no_network_of_ours_is_listed_too(self):
        for name, kind, count in (("zip_2.15.pth", "pytorch zip", 28), ("legacy_2.15.pth", "pytorch legacy", 28),
                                  ("wanted.safetensors", "safetensors", 28)):
            document = mien("info", TORCH / name, "--json").json()
            self.assertEqual((document["kind"], document["architecture"], len(document["tensors"])), (kind, None, count))
            shapes = {t["name"]: (t["dtype"], t["shape"]) for t in document["tensors"]}
            self.assertEqual(shapes["transposed"], ("F32", [6, 4]))
            self.assertEqual(shapes["type.BF16"], ("BF16", [5]))
            self.assertEqual(shapes["scalar"], ("I64", []))


    def named(self, name, change=lambda state: state):
        """What `mien info` says of a file of the tensors that tests/fixtures/nn/NAME.txt lists: (document, text)."""
        lines = [line.split() for line in (ROOT / "tests" / "fixtures" / "nn" / f"{name}.txt").read_text().splitlines()]
        state = {n: repeated("I64" if n.endswith("num_batches_tracked") else "F32", [int(d) for d in dims]) for n, *dims in lines}
        path = self.folder / f"{name}.pth"
        save_zip(path, change(state))
        text = mien("info", path)
        self.assert_done(text)
        return mien("info", path, "--json").json(), text.out

    def test_every_architecture_is_recognised(self):
        for name, arch in (("resnet50", "resnet50"), ("efficientnet_b0", "efficientnet_b0"), ("vit_b_16", "vit_b_16"),
                           ("googlenet", "googlenet"), ("inception_v3", "inception_v3"), ("timm_resnet50", "resnet50"),
                           ("timm_efficientnet_b0", "efficientnet_b0"), ("timm_efficientnet_lite0", "efficientnet_lite0"), ("timm_vit_base_patch16_224", "vit_b_16"),
                           ("timm_inception_v3", "inception_v3")):
            with self.subTest(name):
                document, text = self.named(name)
                self.assertEqual((document["architecture"]["arch"], document["architecture"]["classes"]), (arch, 1000))
                self.assertIn(name.removeprefix("timm_"), document["architecture"]["import_as"])
                self.assertRegex(text, rf"arch +{arch}\n")
                document, _ = self.named(name, lambda state: {n: t for n, t in state.items() if not n.endswith("num_batches_tracked")})
                self.assertEqual(document["architecture"]["arch"], arch)

    def test_a_transformer_is_recognised_at_any_size(self):
        for name, tensor in (("vit_b_16", "encoder.pos_embedding"), ("timm_vit_base_patch16_224", "pos_embed")):
            for tokens, arch in ((1 + 24 * 24, "vit_b_16"), (1 + 2 * 2, "vit_b_16"), (1 + 24 * 24 - 1, None)):
                document, text = self.named(name, lambda state: {**state, tensor: repeated("F32", (1, tokens, 768))})
                self.assertEqual((document["architecture"] or {}).get("arch"), arch)
        self.assertRegex(text, r"architecture +none that is known\n")

    def test_names_of_the_older_transformer_are_recognised(self):
        old = {"mlp.0.": "mlp.linear_1.", "mlp.3.": "mlp.linear_2."}
        document, _ = self.named("vit_b_16", lambda state: {re.sub(r"mlp\.[03]\.", lambda m: old[m[0]], n): t for n, t in state.items()})
        self.assertEqual(document["architecture"]["arch"], "vit_b_16")
        self.assertIn("encoder.layers.encoder_layer_0.mlp.linear_1.weight", [t["name"] for t in document["tensors"]])

    def test_what_two_tensors_would_both_be_is_no_architecture(self):
        document, _ = self.named("resnet50", lambda state: {**state, "module.conv1.weight": repeated("F32", (64, 3, 7, 7))})
        self.assertIsNone(document["architecture"])
        self.assertIn("module.conv1.weight", [t["name"] for t in document["tensors"]])


class BadFiles(Case):
    """Each is refused on one line, whatever it wanted to do, and costs little."""

    def measured(self, *arguments):
        """What the command answered, and the bytes that it held at most."""
        out, err = self.folder / "out.txt", self.folder / "err.txt"
        with open(out, "wb") as to, open(err, "wb") as to_err:
            process = subprocess.Popen([MIEN, *map(str, arguments)], stdin=subprocess.DEVNULL, stdout=to, stderr=to_err)
            _, status, use = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        return Answer(process.returncode, out.read_text(errors="replace"), err.read_text(errors="replace")), use.ru_maxrss * 1024

    def assert_refused(self, path, *words):
        model = self.folder / "m.safetensors"
        for command in (("info", path), ("info", path, "--json"), ("import", path, "--arch", "resnet50", "--out", model)):
            answer, peak = self.measured(*command)
            self.assert_fails_alone(answer, path, *words)
            self.assertEqual(answer.out, "")
            self.assertLess(peak, MEMORY)
        self.assertFalse(model.exists())

    # --- pickles

    def test_a_pickle_that_acts(self):
        path, marker = self.folder / "w.pth", self.folder / "was_here"
        command = f"touch {marker}".encode()
        program = b"\x80\x02cos\nsystem\nX" + struct.pack("<I", len(command)) + command + b"\x85R."
        save_zip(path, {}, program)
        self.assert_refused(path, "archive/data.pkl: byte 2: os.system: not allowed in a checkpoint")
        save_legacy(path, {}, program)
        self.assert_refused(path, "os.system: not allowed in a checkpoint")
        self.assertFalse(marker.exists())

    def test_a_whole_module_says_what_is_wanted(self):
        path = self.folder / "w.pth"
        save_zip(path, {}, b"\x80\x02ctorchvision.models.resnet\nResNet\n)\x81.")
        self.assert_refused(path, "an object of torchvision.models.resnet.ResNet, no state dict (wanted model.state_dict() saved)")
        save_zip(path, {}, b"\x80\x02}X\x05\0\0\0modelctorchvision.models.resnet\nResNet\n)\x81}bs.")
        self.assert_refused(path, "an object of torchvision.models.resnet.ResNet, no state dict")
        save_legacy(path, {}, b"\x80\x02(X\x06\0\0\0modulectorchvision.models.resnet\nResNet\nNNtQ)\x81}b.")
        self.assert_refused(path, "a whole module (wanted a state dict: save model.state_dict())")

    def test_a_tuple_of_ten_gigabytes(self):
        path = self.folder / "w.pth"
        save_zip(path, {}, b"(" + b"N" * (15 << 20) + b"t.")
        self.assert_refused(path, "too long a tuple")
        save_zip(path, {}, b"(" + b"N" * (64 << 20) + b"t.")
        self.assert_refused(path, "archive/data.pkl: too large (wanted at most 16777216 bytes)")
        save_zip(path, {}, b"]" + b"]a" * (7 << 20) + b".")
        self.assert_refused(path, "too many values")
        save_zip(path, {}, b"N" + b"2\x86" * 34 + b".")  # each tuple holds the last one twice: of 2^34 places, 34 are kept
        self.assert_refused(path, "no state dict")

    def test_a_hundred_thousand_levels(self):
        path = self.folder / "w.pth"
        for program in (b"(" * 100000 + b".", b"]" * 100000 + b"a" * 99999 + b".", b"}K\0" * 100000 + b"."):
            save_zip(path, {}, program)
            self.assert_refused(path, "nested too deep")

    def test_a_memo_that_was_never_stored(self):
        path = self.folder / "w.pth"
        for program, number in ((b"\x80\x02h\x07.", 7), (b"\x80\x02j\xff\xff\xff\xff.", (1 << 32) - 1)):
            save_zip(path, {}, program)
            self.assert_refused(path, f"memo {number} was never stored")

    # --- archives

    def test_zip_bombs(self):
        path = self.folder / "w.pth"
        data, _ = dump({"w": Tensor("F32", [2, 3], bytes(24))})
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("archive/data.pkl", "w") as entry:
            for _ in range(256):
                entry.write(bytes(1 << 20))
        self.assertLess(path.stat().st_size, 1 << 20)
        self.assert_refused(path, "archive/data.pkl: too large (wanted at most 16777216 bytes)")
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("archive/data.pkl", data)
            archive.writestr("archive/data/0", bytes(1 << 24), zipfile.ZIP_DEFLATED)
        self.assert_refused(path, "archive/data/0: compressed, 16777216 bytes (wanted 24, and at most ")

    def test_zip64_lies(self):
        path = self.folder / "w.pth"
        state = {"w": Tensor("F32", [2, 3], bytes(24))}
        for field in ("file_size", "compress_size", "header_offset"):
            save_zip(path, state, change=lambda archive: setattr(archive.filelist[1], field, 1 << 60))
            self.assert_refused(path)
        save_zip(path, state)
        whole = path.read_bytes()
        count, size, at = struct.unpack("<HII", whole[-12:-2])
        end = b"PK\5\6" + bytes(4) + b"\xff" * 12 + bytes(2)
        for lie in ((1 << 60, size, at, 0), (count, 1 << 60, at, 0), (count, size, 1 << 60, 0), (count, size, at, 1 << 60)):
            record = b"PK\6\6" + struct.pack("<QHHIIQQQQ", 44, 45, 45, 0, 0, lie[0], lie[0], lie[1], lie[2])
            locator = b"PK\6\7" + struct.pack("<IQI", 0, lie[3] or len(whole) - 22, 1)
            path.write_bytes(whole[:-22] + record + locator + end)
            self.assert_refused(path, "not a readable zip archive")

    def test_overlapping_entries(self):
        path = self.folder / "w.pth"

        def add(archive):
            twin = copy.copy(archive.filelist[1])
            twin.filename = "archive/data/1"
            archive.filelist.append(twin)

        save_zip(path, {"w": Tensor("F32", [2, 3], bytes(24))}, change=add)
        self.assert_refused(path, "not a readable zip archive")

        def stretch(archive):  # its content goes on over the entry that follows
            first = archive.filelist[1]
            first.file_size = first.compress_size = archive.filelist[2].header_offset + 40 - first.header_offset

        save_zip(path, {"w": Tensor("F32", [2, 3], bytes(24))}, change=stretch)
        self.assert_refused(path, "not a readable zip archive")

    def test_a_path_that_leaves(self):
        path = self.folder / "w.pth"
        for name in ("../../escaped", "archive/../../escaped", "/tmp/escaped", "archive\\..\\escaped"):
            save_zip(path, {"w": Tensor("F32", [2, 3], bytes(24))}, change=lambda archive: archive.writestr(name, "x"))
            self.assert_refused(path, f"entry {name}: a path that leaves its folder")
        self.assertFalse((self.folder.parent.parent / "escaped").exists())

    # --- tensors

    def test_strides_sizes_and_types(self):
        path = self.folder / "w.pth"
        data, _ = dump({"w": Tensor("F32", [2, 3], bytes(24))})
        good = b"K\x02K\x03\x86q"
        self.assertEqual(data.count(good), 1)
        for bad, word in ((b"K\x02K\x04\x86q", "tensor w: strides leave its storage (of 6 elements)"),
                          (b"J\0\0\0\x7f\x8a\x08" + b"\xff" * 7 + b"\x7f\x86q", "tensor w: size overflows"),
                          (b"J\0\0\0\x7fK\x03\x86q", "tensor w: ")):
            for save in (save_zip, save_legacy):
                save(path, {"w": Tensor("F32", [2, 3], bytes(24))}, data.replace(good, bad))
                self.assert_refused(path, word)
        for unknown in (b"QInt8Storage", b"ComplexDoubleStorage"):
            save_zip(path, {"w": Tensor("F32", [2, 3], bytes(24))}, data.replace(b"FloatStorage", unknown))
            self.assert_refused(path, f"torch.{unknown.decode()}: unknown dtype")

    def test_safetensors_headers(self):
        path = self.folder / "w.safetensors"
        path.write_bytes(struct.pack("<Q", 1 << 60) + b"{}")
        self.assert_refused(path, "byte 0: header length 1152921504606846976 exceeds file")

        def tensor(begin, end, shape="[1]", dtype="F32"):
            return f'{{"dtype":"{dtype}","shape":{shape},"data_offsets":[{begin},{end}]}}'

        for text, fault in ((f'{{"a":{tensor(0, 4)},"b":{tensor(2, 6)}}}', "tensor b: data overlaps that of a"),
                            (f'{{"a":{tensor(0, 4)},"a":{tensor(4, 8)}}}', "tensor a: name repeated"),
                            (f'{{"a":{tensor(0, 8, dtype="F33")}}}', "tensor a: unknown dtype F33"),
                            (f'{{"a":{tensor(0, 8, shape=[1 << 40, 1 << 40])}}}', "tensor a: shape exceeds file"),
                            (f'{{"a":{tensor(0, 1 << 60)}}}', "tensor a: data end 1152921504606846976 exceeds file")):
            path.write_bytes(struct.pack("<Q", len(text)) + text.encode() + bytes(8))
            self.assert_refused(path, fault)

    def test_what_came_instead(self):
        path = self.folder / "w.pth"
        save_zip(path, {"w": Tensor("F32", [2, 3], bytes(24))})
        whole = path.read_bytes()
        for size in (5, len(whole) // 2, len(whole) - 1):
            path.write_bytes(whole[:size])
            self.assert_refused(path, f"cut short: a zip archive of which the end is missing ({size} bytes)")
        save_legacy(path, {"w": Tensor("F32", [2, 3], bytes(24))})
        path.write_bytes(path.read_bytes()[:-1])
        self.assert_refused(path, "cut short: storage 0 exceeds the file (23 bytes left)")
        path.write_bytes(MODEL.read_bytes()[:-1])
        self.assert_refused(path, "cut short?")
        path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:" + 64 * "0" + "\nsize 97800\n")
        self.assert_refused(path, "a Git LFS pointer, not the file itself (git lfs pull fetches that)")
        path.write_text("\n<!DOCTYPE html><html><body>Google Drive can't scan this file for viruses")
        self.assert_refused(path, "an HTML page (a download that asks for something first?)")

    def test_other_files(self):
        path = self.folder / "w.pth"
        for content in (b"", b"x", b"a text, no weights\n" * 10, pickle.dumps({"w": [1.0, 2.0]}), (PICTURES / "rgb420.jpg").read_bytes()):
            path.write_bytes(content)
            self.assert_refused(path, "(wanted safetensors, or what torch.save wrote)")


main()
