"""Models that leave: `mien export`, and what it refuses."""
import os
import resource
import subprocess
from support import BASE, CLASSES, MIEN, Case, main, mien
from torchlike import read_safetensors, rewrite

RUN = BASE / "run"
MODEL = RUN / "efficientnet_b0-stage1" / "best.safetensors"


class Export(Case):
    def test_a_run_leaves_as_onnx(self):
        out = self.folder / "m.onnx"
        answer = mien("export", RUN, "--out", out)
        self.assert_done(answer)
        self.assertEqual(answer.err, "")
        lines = [line.split(maxsplit=1) for line in answer.out.splitlines()]
        self.assertEqual(lines, [["out", str(out)], ["input", "images uint8 [batch, 32, 32, 3]"],
                                 ["output", "probabilities float32 [batch, 6]"], ["classes", " ".join(CLASSES)]])
        document = mien("export", RUN, "--out", out, "--json").json()
        self.assertEqual(list(document), ["format", "opset", "inputs", "output", "outputs", "metadata", "out"])
        self.assertEqual(document["outputs"], [{**document["output"], "columns": CLASSES}])
        self.assertEqual((document["format"], document["opset"], document["metadata"]["classes"]), ("onnx", 17, CLASSES))
        self.assertEqual(document["inputs"], [{"name": "images", "type": "uint8", "shape": ["batch", 32, 32, 3]}])

    def test_a_head_of_another_kind_is_an_output_of_its_name(self):
        units = [f"AU{i}" for i in range(6)]
        head = {"name": "au", "kind": "binaries", "columns": units, "thresholds": [0.25] * 6}
        model, out = rewrite(MODEL, self.folder / "au.safetensors", heads=[head], classes=[]), self.folder / "m.onnx"
        lines = [line.split(maxsplit=1) for line in mien("export", model, "--out", out).out.splitlines()]
        self.assertEqual(lines[2:], [["output", "au float32 [batch, 6]"], ["au", " ".join(units)]])
        document = mien("export", model, "--out", out, "--json").json()
        self.assertEqual(document["outputs"], [{"name": "au", "type": "float32", "shape": ["batch", 6], "columns": units}])
        self.assertEqual(document["metadata"]["heads"], [head])

    def test_a_head_called_as_the_input_is_refused(self):
        head = {"name": "images", "kind": "regression", "columns": [f"x{i}" for i in range(6)]}
        model = rewrite(MODEL, self.folder / "m.safetensors", heads=[head], classes=[])
        self.assert_fails_alone(mien("export", model, "--out", self.folder / "m.onnx"), "something else in the file is called so")

    def test_a_name_may_be_any_bytes(self):
        out = self.folder / os.fsdecode(b"m\xff.onnx")
        self.assert_done(mien("export", RUN, "--out", out))
        self.assertTrue(mien("export", RUN, "--out", out, "--json").json()["out"].endswith("m\ufffd.onnx"))
        self.assertTrue(out.exists())

    def test_the_same_model_gives_the_same_bytes_and_replaces_what_was_there(self):
        first, second = self.folder / "1.onnx", self.folder / "2.onnx"
        second.write_bytes(b"x" * 40_000_000)  # longer than what comes
        for out, model in ((first, RUN), (second, MODEL)):
            self.assert_done(mien("export", model, "--out", out))
        self.assertEqual(first.read_bytes(), second.read_bytes())
        self.assertEqual(sorted(os.listdir(self.folder)), ["1.onnx", "2.onnx"])

    def test_members_of_two_sizes_have_two_inputs(self):
        other = rewrite(MODEL, self.folder / "larger.safetensors", image_size=40)
        document = mien("export", RUN, other, MODEL, "--out", self.folder / "m.onnx", "--raw", "--json").json()
        self.assertEqual([(i["name"], i["type"], i["shape"]) for i in document["inputs"]],
                         [("images_32", "float32", ["batch", 3, 32, 32]), ("images_40", "float32", ["batch", 3, 40, 40])])
        self.assertEqual([m["input"] for m in document["metadata"]["members"]], ["images_32", "images_40", "images_32"])

    def test_a_model_leaves_for_pytorch_and_is_still_a_model(self):
        out = self.folder / "m.safetensors"
        answer = mien("export", RUN, "--out", out)
        self.assert_done(answer)
        (was, about), (tensors, metadata) = read_safetensors(MODEL), read_safetensors(out)
        self.assertEqual(metadata, {"format": "pt", **about})
        self.assertEqual(list(tensors), list(was))
        for name, tensor in tensors.items():
            self.assertEqual((tensor.dtype, tensor.shape, tensor.raw), (was[name].dtype, was[name].shape, was[name].raw))
        self.assertEqual(mien("info", out, "--json").json()["kind"], "model")

    def test_wrong_usage_is_one_line(self):
        out = self.folder / "m.onnx"
        for arguments, word in (((), "MODEL is missing"), ((RUN,), "--out is missing"),
                                ((RUN, "--out", self.folder / "m.pt"), "wanted a name ending in .onnx or .safetensors"),
                                ((RUN, "--out", out, "--raw", "--input", "float"), "either --input or --raw"),
                                ((RUN, "--out", out, "--input", "nchw"), "--input: 'nchw' (wanted uint8 or float)"),
                                ((RUN, "--out", self.folder / "m.safetensors", "--raw"), "is no ONNX file"),
                                ((RUN, "--out", self.folder / "m.safetensors", "--input", "uint8"), "is no ONNX file")):
            self.assert_fails_alone(mien("export", *arguments), word, code=2)
        self.assertEqual(os.listdir(self.folder), [])

    def test_what_is_no_model_is_refused(self):
        out = self.folder / "m.onnx"
        note, future, others = self.folder / "note.txt", self.folder / "future.safetensors", self.folder / "others.safetensors"
        note.write_text("no model\n")
        rewrite(MODEL, future, version=99)
        rewrite(MODEL, others, classes=list(reversed(CLASSES)))
        scores = self.folder / "scores.npy"
        self.assert_done(mien("eval", MODEL, "--data", BASE / "test", "--scores", scores))
        for models, words in (((note,), (note,)), ((self.folder / "none.safetensors",), ("none.safetensors: cannot open",)),
                              ((future,), (future, "version 99 (wanted 1)")),
                              ((MODEL, others), (others, "classes differ from those of")),
                              ((BASE / "test",), ("a folder, and no run",)), ((MODEL, scores), (scores, "scores of one set"))):
            self.assert_fails_alone(mien("export", *models, "--out", out), *words)
        self.assert_fails_alone(mien("export", MODEL, RUN, "--out", self.folder / "m.safetensors"), "2 models (wanted one")
        self.assertFalse(out.exists())

    def test_what_cannot_be_written_leaves_the_old_file(self):
        out = self.folder / "m.onnx"
        self.assert_fails_alone(mien("export", MODEL, "--out", self.folder / "none" / "m.onnx"), "none/m.onnx: cannot create")
        (self.folder / "full.onnx").symlink_to("/dev/full")
        self.assert_fails_alone(mien("export", MODEL, "--out", self.folder / "full.onnx"), "cannot write: No space left")
        out.write_text("old")
        # Python ignores SIGXFSZ, and so does what it starts: a write beyond the limit fails as on a full disk
        done = subprocess.run([MIEN, "export", MODEL, "--out", out], capture_output=True, text=True, restore_signals=False,
                              preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, resource.RLIM_INFINITY)))
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertEqual(done.stderr, f"mien: {out}: cannot write: File too large\n")
        self.assertEqual(out.read_text(), "old")
        self.assertEqual(sorted(os.listdir(self.folder)), ["full.onnx", "m.onnx"])


main()
