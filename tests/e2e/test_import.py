"""mien import and what mien info says of other people's files."""
import collections
import json
import os
import re
import signal
import struct
import time
from support import BASE, CLASSES, ROOT, Case, main, mien, start
from torchlike import Tensor, dump, read_safetensors, save_legacy, save_zip

MODEL = BASE / "run" / "efficientnet_b0-stage1" / "best.safetensors"
TEST = BASE / "test"
TORCH = ROOT / "tests" / "format" / "torch"
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
            "nested": lambda: save_legacy(path, {"model": {"module.backbone." + n: t for n, t in plain.items()}, "best": 0.5}),
            "without counters": lambda: save_zip(path, {n: t for n, t in plain.items() if "num_batches" not in n}),
            "f64": lambda: save_zip(path, {n: self.as_double(t) for n, t in plain.items()}),
            "timm": lambda: save_zip(path, {timm_name(n): t for n, t in plain.items()}),
        }
        for name, write in forms.items():
            with self.subTest(name):
                write()
                answer = self.imported(path)
                self.assertEqual(answer.err, "")
                self.assert_answers_alike()

    @staticmethod
    def as_double(t):
        if t.dtype != "F32":
            return t
        count = len(t.raw) // 4
        return Tensor("F64", t.shape, struct.pack(f"<{count}d", *struct.unpack(f"<{count}f", t.raw)))

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

    def test_wrong_usage_is_one_line(self):
        path = self.folder / "w.pth"
        save_zip(path, self.tensors)
        out = self.folder / "m.safetensors"
        for arguments, word in (([], "WEIGHTS is missing"), ([path], "--arch is missing"), ([path, "--arch", "resnet50"], "--out is missing"),
                                ([path, "--arch", "resnet50", "--out", out, "--mean", "1,2"], "wanted three numbers"),
                                ([path, "--arch", "resnet50", "--out", out, "--std", "1,2,x"], "wanted three numbers"),
                                ([path, "--arch", "resnet50", "--out", out, "--classes", "a,,b"], "an empty name"),
                                ([path, "--arch", "resnet50", "--out", out, "--classes", "a,b,a"], "'a' twice"),
                                ([path, path, "--arch", "resnet50", "--out", out], "one file at a time")):
            self.assert_fails_alone(mien("import", *arguments), word, code=2)
        self.assert_fails_alone(mien("import", path, "--arch", "resnet18", "--out", out), "unknown architecture resnet18 (wanted ", "resnet50")
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


class BadFiles(Case):
    """Each is refused on one line, whatever it wanted to do, and costs little."""


    def assert_refused(self, path, *words):
        for command in (("info", path), ("import", path, "--arch", "resnet50", "--out", self.folder / "m.safetensors")):
            self.assert_fails_alone(mien(*command), path, *words)
        self.assertLess(self.peak(path), MEMORY)

    def peak(self, path):
        """Bytes that `mien info` held at most."""
        pid = os.posix_spawn(os.environ["MIEN"], ["mien", "info", str(path)], os.environ,
                             file_actions=[(os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0)])
        return os.wait4(pid, 0)[2].ru_maxrss * 1024

    def test_a_pickle_that_acts(self):
        path, marker = self.folder / "w.pth", self.folder / "was_here"
        command = f"touch {marker}".encode()
        save_zip(path, {}, b"\x80\x02cos\nsystem\nX" + struct.pack("<I", len(command)) + command + b"\x85R.")
        self.assert_refused(path, "os.system: not allowed in a checkpoint")
        self.assertFalse(marker.exists())

    def test_a_whole_module_says_what_is_wanted(self):
        path = self.folder / "w.pth"
        save_zip(path, {}, b"\x80\x02ctorchvision.models.resnet\nResNet\n)\x81.")
        self.assert_refused(path, "torchvision.models.resnet.ResNet: not allowed in a checkpoint (wanted a state dict of tensors)")

    def test_greed(self):
        path = self.folder / "w.pth"
        save_zip(path, {}, b"(" + b"N" * (15 << 20) + b"t.")
        self.assert_refused(path, "too long a tuple")
        save_zip(path, {}, b"(" + b"N" * (64 << 20) + b"t.")
        self.assert_refused(path, "archive/data.pkl: too large (wanted at most 16777216 bytes)")
        save_zip(path, {}, b"(" * 100000 + b".")
        self.assert_refused(path, "nested too deep")
        save_zip(path, {}, b"]" + b"]a" * (7 << 20) + b".")
        self.assert_refused(path, "too many values")
        save_zip(path, {}, b"\x80\x02h\x07.")
        self.assert_refused(path, "memo 7 was never stored")

    def test_strides_and_sizes(self):
        path = self.folder / "w.pth"
        data, _ = dump({"w": Tensor("F32", [2, 3], bytes(24))})
        good = b"K\x02K\x03\x86q"
        self.assertEqual(data.count(good), 1)
        for bad, word in ((b"K\x02K\x04\x86q", "strides leave its storage"),
                          (b"J\0\0\0\x7f\x8a\x08" + b"\xff" * 7 + b"\x7f\x86q", "size overflows")):
            save_zip(path, {"w": Tensor("F32", [2, 3], bytes(24))}, data.replace(good, bad))
            self.assert_refused(path, "tensor w", word)
        save_zip(path, {"w": Tensor("F32", [2, 3], bytes(24))}, data.replace(b"FloatStorage", b"QInt3Storage"))
        self.assert_refused(path, "torch.QInt3Storage: not allowed")

    def test_safetensors_headers(self):
        path = self.folder / "w.safetensors"
        path.write_bytes(struct.pack("<Q", 1 << 60) + b"{}")
        self.assert_refused(path, "header length 1152921504606846976 exceeds file")

        def write(text):
            path.write_bytes(struct.pack("<Q", len(text)) + text + bytes(8))

        entry = b'{"dtype":"F32","shape":[1],"data_offsets":[%d,%d]}'
        write(b'{"a":' + entry % (0, 4) + b',"b":' + entry % (2, 6) + b"}")
        self.assert_refused(path, "overlaps")
        write(b'{"a":' + entry % (0, 4) + b',"a":' + entry % (4, 8) + b"}")
        self.assert_refused(path, "tensor a: name repeated")


main()
