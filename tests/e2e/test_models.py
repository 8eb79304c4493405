"""Models at work: eval, predict, score, info and the example program, with good input and bad."""
import csv
import io
import json
import os
import shutil
import signal
import stat
import struct
import subprocess
import time
from support import BASE, CLASSES, MIEN, PICTURES, Case, bad_pictures, main, mien, png

RUN = BASE / "run"
MODEL = RUN / "efficientnet_b0-stage1" / "best.safetensors"
TEST = BASE / "test"
METRICS = {"accuracy", "macro_f1", "f1", "confusion", "ece"}


class Evaluation(Case):
    def test_table_has_members_ensemble_and_four_decimals(self):
        answer = mien("eval", RUN, "--data", TEST)
        self.assert_done(answer)
        rows = [line.split() for line in answer.out.splitlines()]
        self.assertEqual(rows[0], ["name", *CLASSES, "average"])
        self.assertEqual([row[0] for row in rows[1:]], ["efficientnet_b0-stage1", "ensemble"])
        for row in rows[1:]:
            self.assertEqual(len(row), 8)
            for value in row[1:]:
                self.assertRegex(value, r"^[01]\.\d{4}$")

    def test_json_is_as_promised(self):
        document = mien("eval", RUN, "--data", TEST, "--json").json()
        self.assertEqual(list(document), ["task", "n", "skipped", "ignored", "classes", "members", "ensemble"])
        self.assertEqual((document["task"], document["n"], document["skipped"], document["ignored"]), ("lsd", 24, [], {}))
        self.assertEqual(document["classes"], CLASSES)
        for metrics in [document["ensemble"], *document["members"]]:
            self.assertEqual(set(metrics) - {"model"}, METRICS)
            self.assertEqual([len(row) for row in metrics["confusion"]], [6] * 6)
            self.assertEqual(sum(map(sum, metrics["confusion"])), 24)
            self.assertAlmostEqual(sum(metrics["f1"]) / 6, metrics["macro_f1"], places=9)
            self.assertAlmostEqual(sum(metrics["confusion"][i][i] for i in range(6)) / 24, metrics["accuracy"], places=9)

    def test_it_learned_something(self):
        self.assertGreater(mien("eval", RUN, "--data", TEST, "--json").json()["ensemble"]["macro_f1"], 0.5)

    def test_several_models_are_an_ensemble_with_names_of_their_own(self):
        other = self.folder / "other.safetensors"
        shutil.copy(MODEL, other)
        document = mien("eval", RUN, other, "--data", TEST, "--json").json()
        names = [m["model"] for m in document["members"]]
        self.assertEqual(len(set(names)), 2, names)
        one = mien("eval", MODEL, "--data", TEST, "--json").json()
        self.assertEqual(document["ensemble"]["f1"], one["ensemble"]["f1"])

    def test_a_csv_and_a_folder_with_val_say_the_same(self):
        whole = mien("eval", RUN, "--data", TEST, "--json").json()["ensemble"]
        rows = [f"{TEST / name.upper() / f'{i}.png'},{label}" for label, name in enumerate(CLASSES) for i in range(1, 5)]
        (self.folder / "set.csv").write_text("\r\n".join(rows))
        self.assertEqual(mien("eval", RUN, "--data", self.folder / "set.csv", "--json").json()["ensemble"], whole)
        shutil.copytree(TEST, self.folder / "both" / "val")
        shutil.copytree(BASE / "train", self.folder / "both" / "train")
        self.assertEqual(mien("eval", RUN, "--data", self.folder / "both", "--json").json()["ensemble"], whole)

    def test_bad_pictures_are_named_skipped_and_exit_1(self):
        data = self.folder / "data"
        shutil.copytree(TEST, data)
        bad = bad_pictures(data / "FEAR")
        answer = mien("eval", RUN, "--data", data, "--json")
        self.assertEqual(answer.code, 1)
        document = answer.json()
        self.assertEqual(document["n"], 24)
        self.assertEqual(sorted(os.path.basename(s["image"]) for s in document["skipped"]), sorted(bad))
        for name, word in bad.items():
            lines = [line for line in answer.lines if name in line]
            self.assertEqual(len(lines), 1, answer.err)
            self.assertRegex(lines[0], rf"^mien: .*{name}: .*{word}")

    def test_folders_that_are_no_class_are_counted(self):
        data = self.folder / "data"
        shutil.copytree(TEST, data)
        shutil.copytree(TEST / "FEAR", data / "NEUTRAL")
        answer = mien("eval", RUN, "--data", data, "--json")
        self.assert_done(answer)
        self.assertEqual({k.lower(): v for k, v in answer.json()["ignored"].items()}, {"neutral": 4})
        self.assertEqual(sum("NEUTRAL" in line for line in answer.lines), 1, answer.err)

    def test_rows_that_are_no_class_are_counted_and_strictly_refused(self):
        rows = [f"{TEST / name.upper() / f'{i}.png'},{name}" for name in CLASSES for i in range(1, 5)]
        path = self.folder / "set.csv"
        path.write_text("\n".join([*rows, f"{TEST / 'FEAR' / '1.png'},neutral", f"{TEST / 'FEAR' / '2.png'},Neutral"]))
        answer = mien("eval", RUN, "--data", path, "--json")
        self.assert_done(answer)
        self.assertEqual((answer.json()["ignored"], answer.json()["n"]), ({"neutral": 2}, 24))
        self.assertEqual(len(answer.lines), 1, answer.err)
        self.assertIn("left out, not among the classes: neutral (2 rows)", answer.lines[0])
        self.assert_fails_alone(mien("eval", RUN, "--data", path, "--strict"), "set.csv: line 25: label neutral", *CLASSES)
        data = self.folder / "data"
        shutil.copytree(TEST, data)
        (data / "NEUTRAL").mkdir()
        self.assert_fails_alone(mien("eval", RUN, "--data", data, "--strict"), data / "NEUTRAL", *CLASSES)

    def test_synonyms_of_classes_are_understood(self):
        data = self.folder / "data"
        for name, other in zip(CLASSES, ["Angry", "disgusted", "fearful", "HAPPY", "sad", "Surprised"], strict=True):
            shutil.copytree(TEST / name.upper(), data / other)
        answer = mien("eval", RUN, "--data", data, "--json")
        self.assert_done(answer)
        self.assertEqual(answer.err, "")
        self.assertEqual(answer.json()["ensemble"], mien("eval", RUN, "--data", TEST, "--json").json()["ensemble"])

    def test_classes_without_pictures_are_named(self):
        data = self.folder / "data"
        shutil.copytree(TEST, data)
        shutil.rmtree(data / "FEAR")
        shutil.rmtree(data / "SADNESS")
        answer = mien("eval", RUN, "--data", data, "--json")
        self.assert_done(answer)
        self.assertEqual(answer.lines, [f"mien: {data}: no picture of fear or sadness: F1 is 0 there, and counts in the average"])
        self.assertEqual([answer.json()["ensemble"]["f1"][i] for i in (2, 4)], [0, 0])

    def test_what_systems_leave_in_folders_is_nothing(self):
        data = self.folder / "data"
        shutil.copytree(TEST, data)
        for name in ("Thumbs.db", "desktop.ini", ".DS_Store"):
            (data / "FEAR" / name).write_text("no picture")
        (data / "__MACOSX").mkdir()
        for arguments in (["eval", RUN, "--data", data], ["predict", RUN, data]):
            answer = mien(*arguments)
            self.assert_done(answer)
            self.assertEqual(answer.err, "")

    def test_a_link_that_leads_back_is_left_out(self):
        data = self.folder / "data"
        shutil.copytree(TEST, data)
        (data / "FEAR" / "again").symlink_to("..")
        for arguments in (["eval", RUN, "--data", data], ["predict", RUN, data]):
            answer = mien(*arguments)
            self.assert_done(answer)
            self.assertEqual(answer.out, mien(*arguments[:-1], TEST).out.replace(str(TEST), str(data)))
            self.assertEqual(len(answer.lines), 1, answer.err)
            self.assertIn(f"{data}/FEAR/again: left out", answer.err)

    def test_lists_as_people_write_them(self):
        whole = mien("eval", RUN, "--data", TEST, "--json").json()["ensemble"]
        shutil.copytree(TEST, self.folder / "test")
        rows = [("test/" + name.upper() + f"/{i}.png", label) for label, name in enumerate(CLASSES) for i in range(1, 5)]
        path = self.folder / "set.csv"
        for text in ("image;expression\r\n" + "".join(f"{name};{label}\r\n" for name, label in rows),
                     "".join(f"{name}\t{label}\n" for name, label in rows), "".join(f"{name},{label}.0\n" for name, label in rows),
                     "".join(name.replace("/", "\\") + f",{label}\n" for name, label in rows)):
            with self.subTest(text[:40]):
                path.write_text(text)
                answer = mien("eval", RUN, "--data", path, "--json")
                self.assert_done(answer)
                self.assertEqual((answer.json()["ensemble"], answer.err), (whole, ""))
        for text, words in (("".join(f"{name},{label + 1}\n" for name, label in rows), ["line 21: label 6", "from 0 and not from 1"]),
                            ("".join(f"{name},{label}\n" for name, label in rows) + rows[0][0] + ",5\n",
                             ["line 25", "is surprise here and anger on line 1"])):
            path.write_text(text)
            self.assert_fails_alone(mien("eval", RUN, "--data", path), path, *words)
        path.write_text(f"{rows[0][0]},0\nno\\file.png,1\n")
        answer = mien("eval", RUN, "--data", path)
        self.assertEqual(answer.code, 1)
        path.write_text("\n".join(f"{name},{label}" for name, label in rows), encoding="utf-16")
        self.assert_fails_alone(mien("eval", RUN, "--data", path), path, "line 1: UTF-16 text (wanted UTF-8")

    def test_missing_sets(self):
        self.assert_fails_alone(mien("eval", RUN, "--data", self.folder / "nowhere"), "nowhere")


class Prediction(Case):
    def test_csv(self):
        answer = mien("predict", RUN, TEST)
        self.assert_done(answer)
        rows = list(csv.reader(io.StringIO(answer.out)))
        self.assertEqual(rows[0], ["image", "expression", *CLASSES])
        self.assertEqual(len(rows), 25)
        for row in rows[1:]:
            p = [float(v) for v in row[2:]]
            self.assertAlmostEqual(sum(p), 1, places=4)
            self.assertEqual(row[1], CLASSES[p.index(max(p))])
            for value in row[2:]:
                self.assertRegex(value, r"^[01]\.\d{6}$")

    def test_jsonl_and_json_say_the_same_as_csv(self):

        rows = list(csv.DictReader(io.StringIO(mien("predict", MODEL, TEST / "FEAR").out)))
        lines = [json.loads(line) for line in mien("predict", MODEL, TEST / "FEAR", "--format", "jsonl").out.splitlines()]
        document = mien("predict", MODEL, TEST / "FEAR", "--json").json()
        self.assertEqual(document["predictions"], lines)
        for row, line in zip(rows, lines, strict=True):
            self.assertEqual(list(row), list(line))
            self.assertEqual(row["image"], line["image"])
            self.assertAlmostEqual(float(row["fear"]), line["fear"], places=6)

    def test_inputs_are_files_folders_and_lists(self):
        names = [str(TEST / "ANGER" / "1.png"), str(TEST / "FEAR" / "2.png")]
        (self.folder / "list.txt").write_text("\n".join(names) + "\n")
        for inputs in (names, [self.folder / "list.txt"]):
            rows = list(csv.reader(io.StringIO(mien("predict", RUN, *inputs).out)))
            self.assertEqual([row[0] for row in rows[1:]], names)

    def test_a_folder_is_read_by_content(self):
        faces = self.folder / "faces"
        faces.mkdir()
        for i, name in enumerate(["a.jfif", "b.jpe", "c", "d.JPEG"]):
            shutil.copy(PICTURES / ["grey.jpg", "rgb420.jpg", "rgb8.png", "rgb444.jpg"][i], faces / name)
        (faces / "notes.txt").write_text("no picture")
        answer = mien("predict", RUN, faces)
        self.assert_done(answer)
        self.assertEqual([row.split(",")[0] for row in answer.out.splitlines()[1:]],
                         [str(faces / name) for name in ("a.jfif", "b.jpe", "c", "d.JPEG")])
        self.assertEqual(answer.lines, [f"mien: {faces}: left out 1 files that are no pictures"])

    def test_stdin_holds_a_picture_or_a_list(self):
        picture = TEST / "FEAR" / "1.png"
        wanted = mien("predict", RUN, picture).out

        def piped(data, *inputs):
            done = subprocess.run([MIEN, "predict", RUN, *inputs], input=data, capture_output=True)
            return done.returncode, done.stdout.decode(), done.stderr.decode()

        self.assertEqual(piped(picture.read_bytes(), "-"), (0, wanted.replace(str(picture), "-"), ""))
        self.assertEqual(piped(f"{picture}\n".encode(), "-"), (0, wanted, ""))
        self.assertEqual(piped(b"", "-")[::2], (1, "mien: -: empty (wanted a picture, or a path a line)\n"))
        code, _, err = piped(picture.read_bytes()[:60], "-")
        self.assertEqual((code, err), (1, "mien: -: truncated PNG\n"))
        self.assertEqual(piped(b"\0\1\2\3\0", "-")[2], "mien: -: not text (wanted a path a line)\n")
        script = 'exec "$0" predict "$1" <(cat "$2")'
        done = subprocess.run(["bash", "-c", script, MIEN, RUN, picture], capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(done.stdout.splitlines()[1].split(",")[1:], wanted.splitlines()[1].split(",")[1:])

    def test_waiting_for_a_pipe_can_be_interrupted(self):
        os.mkfifo(self.folder / "pipe")
        for arguments, stdin in (["-"], subprocess.PIPE), ([self.folder / "pipe"], subprocess.DEVNULL):
            process = subprocess.Popen([MIEN, "predict", RUN, *arguments], stdin=stdin, stdout=subprocess.DEVNULL)
            time.sleep(1)  # the model is there, and the list is waited for
            process.send_signal(signal.SIGTERM)
            self.assertEqual(process.wait(timeout=20), 143)
            if process.stdin:
                process.stdin.close()

    def test_out_file_holds_the_same(self):
        path = self.folder / "p.csv"
        answer = mien("predict", RUN, TEST / "FEAR", "--out", path)
        self.assert_done(answer)
        self.assertEqual(answer.out, "")
        self.assertEqual(path.read_text(), mien("predict", RUN, TEST / "FEAR").out)
        self.assert_fails_alone(mien("predict", RUN, TEST / "FEAR", "--out", self.folder / "no" / "p.csv"), "p.csv")
        link = self.folder / "link.csv"
        link.symlink_to("p.csv")
        self.assert_done(mien("predict", RUN, TEST / "ANGER", "--out", link))
        self.assertTrue(link.is_symlink())
        self.assertEqual(path.read_text(), mien("predict", RUN, TEST / "ANGER").out)

    def test_out_may_be_a_device(self):
        self.assertEqual(mien("predict", RUN, TEST / "FEAR", "--out", "/dev/stdout").out, mien("predict", RUN, TEST / "FEAR").out)
        self.assert_done(mien("predict", RUN, TEST / "FEAR", "--out", "/dev/null"))
        self.assertTrue(stat.S_ISCHR(os.stat("/dev/null").st_mode))
        self.assert_fails_alone(mien("predict", RUN, TEST / "FEAR", "--out", "/dev/full"), "/dev/full: No space left")

    def test_a_path_that_is_too_long_is_told(self):
        deep = self.folder
        os.chdir(deep)
        self.addCleanup(os.chdir, "/")
        for _ in range(18):
            os.mkdir("d" * 250)
            os.chdir("d" * 250)
            deep = deep / ("d" * 250)
        shutil.copy(TEST / "FEAR" / "1.png", "1.png")
        os.chdir("/")
        self.assert_fails_alone(mien("predict", RUN, self.folder), self.folder, "File name too long")
        self.assert_fails_alone(mien("predict", RUN, deep / "1.png"), self.folder, "File name too long")

    def test_pictures_of_every_kind(self):
        kinds = ["cmyk.jpg", "ycck.jpg", "grey.jpg", "progressive.jpg", "exif6.jpg", "grey16.png", "rgba16.png", "palette2.png",
                 "animated.webp"]
        one = self.folder / "one.png"

        png(one, 1, 1, lambda x, y: (1, 2, 3))
        answer = mien("predict", RUN, one, *[PICTURES / kind for kind in kinds])
        self.assert_done(answer)
        self.assertEqual(len(answer.out.splitlines()), 2 + len(kinds))

    def test_bad_pictures_are_named_and_have_no_row(self):
        bad = bad_pictures(self.folder)
        good = TEST / "FEAR" / "1.png"
        answer = mien("predict", RUN, good, *[self.folder / name for name in bad], self.folder / "nowhere.jpg", good)
        self.assertEqual(answer.code, 1)
        self.assertEqual([row.split(",")[0] for row in answer.out.splitlines()[1:]], [str(good)] * 2)
        for name, word in {**bad, "nowhere.jpg": "No such file"}.items():
            lines = [line for line in answer.lines if name in line]
            self.assertEqual(len(lines), 1, answer.err)
            self.assertRegex(lines[0], rf"^mien: .*{name}: .*{word}")

    def test_commas_and_quotes_in_names(self):
        odd = self.folder / 'a,"b".png'
        shutil.copy(TEST / "FEAR" / "1.png", odd)
        rows = list(csv.reader(io.StringIO(mien("predict", RUN, odd).out)))
        self.assertEqual(rows[1][0], str(odd))

    def test_names_that_are_no_text(self):
        odd = os.fsencode(self.folder) + b"/\xff\n.png"
        shutil.copy(os.fsencode(TEST / "FEAR" / "1.png"), odd)
        answer = mien("predict", RUN, self.folder, "--json")
        self.assert_done(answer)
        self.assertEqual(answer.json()["predictions"][0]["image"], f"{self.folder}/\ufffd\n.png")
        with open(odd, "wb"):
            pass
        answer = mien("predict", RUN, self.folder)
        self.assert_fails_alone(answer, "empty")

    def test_the_example_program_agrees(self):
        picture = TEST / "FEAR" / "1.png"
        done = subprocess.run([os.environ["EXAMPLE"], RUN, picture], stdout=subprocess.PIPE, text=True, check=True)
        said = {line.split()[0]: float(line.split()[1]) for line in done.stdout.splitlines()}
        row = next(csv.DictReader(io.StringIO(mien("predict", RUN, picture).out)))
        for name in CLASSES:
            self.assertAlmostEqual(said[name], float(row[name]), delta=0.002)


class BrokenModels(Case):
    """A file that is no model, in every command that opens one."""

    def refuse(self, data, *words):
        path = self.folder / "bad.safetensors"
        path.write_bytes(data)
        for arguments in (["info", path], ["eval", path, "--data", TEST], ["predict", path, TEST]):
            with self.subTest(arguments[0]):
                self.assert_fails_alone(mien(*arguments), path, *words)

    def test_cut_short(self):
        data = MODEL.read_bytes()
        for length in (0, 4, 8, 100, len(data) // 2, len(data) - 1):
            self.refuse(data[:length])

    def test_lying_headers(self):
        data = MODEL.read_bytes()
        for length in (2**63, 2**60, len(data), 3):
            self.refuse(struct.pack("<Q", length) + data[8:])
        header = b'{"a":{"dtype":"F32","shape":[1000000000,1000000000],"data_offsets":[0,4]}}'
        self.refuse(struct.pack("<Q", len(header)) + header + b"\0" * 4)

    def test_unknown_version(self):
        data = MODEL.read_bytes()
        length = int.from_bytes(data[:8], "little")
        header = data[8:8 + length].replace(b'\\"version\\":1,', b'\\"version\\":7,')
        self.assertNotEqual(header, data[8:8 + length])
        self.refuse(data[:8] + header + data[8 + length:], "version")

    def test_missing_tensor_is_named_on_stdout(self):
        data = MODEL.read_bytes()
        length = int.from_bytes(data[:8], "little")
        header = data[8:8 + length].replace(b"classifier.1.weight", b"classifier.9.weight")
        self.assertNotEqual(header, data[8:8 + length])
        path = self.folder / "bad.safetensors"
        path.write_bytes(data[:8] + header + data[8 + length:])
        answer = mien("info", path)
        self.assert_fails_alone(answer, path)
        self.assertIn("classifier.1.weight", answer.out)

    def test_not_there_a_folder_no_model(self):
        self.assert_fails_alone(mien("info", self.folder / "nowhere"), "nowhere")
        self.assert_fails_alone(mien("info", self.folder), self.folder)
        self.assert_fails_alone(mien("eval", self.folder / "nowhere", "--data", TEST), "nowhere")
        self.assert_fails_alone(mien("eval", PICTURES / "grey.jpg", "--data", TEST), "grey.jpg")


class Info(Case):
    def test_a_model(self):
        document = mien("info", MODEL, "--json").json()
        self.assertEqual((document["kind"], document["path"]), ("model", str(MODEL)))
        self.assertEqual(document["model"]["classes"], CLASSES)
        self.assertEqual(document["model"]["arch"], "efficientnet_b0")
        self.assertEqual(document["parameters"], 4007548 + 6 * 1281)
        self.assertIn("efficientnet_b0", mien("info", MODEL).out)

    def test_a_run(self):
        document = mien("info", RUN, "--json").json()
        self.assertEqual(document["kind"], "run")
        self.assertEqual([m["model"] for m in document["members"]], ["efficientnet_b0-stage1"])
        self.assertIn("efficientnet_b0-stage1", mien("info", RUN).out)

    def test_any_safetensors_file(self):
        header = b'{"__metadata__":{"by":"a test"},"a":{"dtype":"F16","shape":[2,3],"data_offsets":[0,12]}}'
        path = self.folder / "any.safetensors"
        path.write_bytes(struct.pack("<Q", len(header)) + header + b"\0" * 12)
        document = mien("info", path, "--json").json()
        self.assertEqual(document["kind"], "safetensors")
        self.assertEqual(document["tensors"], [{"name": "a", "dtype": "F16", "shape": [2, 3]}])
        self.assertEqual(document["metadata"], {"by": "a test"})
        self.assertIn("a  F16 [2, 3]", mien("info", path).out)

    def test_graph_shows_the_passes(self):
        text = mien("info", "--graph", "small").out
        for title in ("== described", "== fused", "== differentiated", "== prepared"):
            self.assertIn(title, text)
        self.assert_done(mien("info", "--graph", "resnet50", "--size", 64, "--inference"))
        self.assert_fails_alone(mien("info", "--graph", "lenet"), "lenet")


class Score(Case):
    TRUTH = "image,expression\na.jpg,0\nb.jpg,happiness\nc.jpg,5\nd.jpg,3\n"

    def score(self, truth, predictions, *more):
        (self.folder / "truth.csv").write_bytes(truth.encode())
        (self.folder / "pred.csv").write_bytes(predictions.encode())
        return mien("score", "--task", "lsd", "--truth", self.folder / "truth.csv", "--pred", self.folder / "pred.csv", *more)

    def test_json(self):
        answer = self.score(self.TRUTH, "\ufeffimage, expression\r\nd.jpg, 3\r\nc.jpg, surprise\r\nb.jpg, 3\r\na.jpg, 1\r\n", "--json")
        self.assert_done(answer)
        document = answer.json()
        self.assertEqual(set(document), {"task", "n", "accuracy", "macro_f1", "f1", "confusion"})
        self.assertEqual((document["task"], document["n"], document["accuracy"]), ("lsd", 4, 0.75))
        self.assertEqual(document["f1"], [0, 0, 0, 1, 0, 1])
        self.assertAlmostEqual(document["macro_f1"], 2 / 6)

    def test_table(self):
        rows = self.score(self.TRUTH, self.TRUTH).out.splitlines()
        self.assertEqual(rows[0].split(), ["name", *CLASSES, "average"])
        self.assertEqual(rows[1].split(), ["pred.csv", "1.0000", "0.0000", "0.0000", "1.0000", "0.0000", "1.0000", "0.5000"])

    def test_bad_files(self):
        for predictions, words in [("image,expression\na.jpg,0\nb.jpg,3\nc.jpg,5\n", ["d.jpg"]),
                                   (self.TRUTH + "a.jpg,1\n", ["line 6", "a.jpg"]), (self.TRUTH + "e.jpg,1\n", ["e.jpg"]),
                                   (self.TRUTH.replace("d.jpg,3", "d.jpg,9"), ["line 5", "9"]),
                                   (self.TRUTH.replace("d.jpg,3", '"d.jpg,3'), ["line 5"])]:
            with self.subTest(predictions):
                self.assert_fails_alone(self.score(self.TRUTH, predictions), "pred.csv", *words)


main()
