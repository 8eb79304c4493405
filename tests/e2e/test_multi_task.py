"""Models of several heads in the command: predict, alone and beside models of expressions, and what info says of them."""
import csv
import io
import json
import random
import shutil
import struct
from support import BASE, CLASSES, Case, bad_pictures, main, mien

RUN = BASE / "run"
MODEL = RUN / "efficientnet_b0-stage1" / "best.safetensors"
TEST = BASE / "test"
EIGHT = ["neutral", *CLASSES, "other"]
UNITS = [f"AU{n:02}" for n in (1, 2, 4, 6, 7, 10, 12, 15, 23, 24, 25, 26)]
COLUMNS = ["image", "valence", "arousal", "expression", *EIGHT, *UNITS, *[f"{unit}_c" for unit in UNITS]]
LSD = ["lsd_expression", *[f"lsd_{name}" for name in CLASSES]]
VA = {"name": "va", "kind": "regression", "columns": ["valence", "arousal"]}
EXPRESSION = {"name": "expression", "kind": "class", "columns": EIGHT}
AU = {"name": "au", "kind": "binaries", "columns": UNITS}


def multi_task(path, heads=(VA, EXPRESSION, AU), seed=1):
    """The run's model with drawn heads in its own one's place: its file says all that is needed to run it."""
    data = MODEL.read_bytes()
    length = int.from_bytes(data[:8], "little")
    header, tensors = json.loads(data[8:8 + length]), data[8 + length:]
    about = json.loads(header["__metadata__"]["mien"])
    about.update(task="mtl", heads=list(heads), classes=next((h["columns"] for h in heads if h["kind"] == "class"), []))
    header["__metadata__"]["mien"] = json.dumps(about)
    draw = random.Random(seed)
    for name in ("weight", "bias"):
        del header[f"classifier.1.{name}"]
    kept, offset = b"", 0
    for tensor in (t for name, t in header.items() if name != "__metadata__"):
        begin, end = tensor["data_offsets"]
        tensor["data_offsets"] = [offset, offset + end - begin]
        kept, offset = kept + tensors[begin:end], offset + end - begin
    for head in heads:
        size = len(head["columns"])
        for name, shape in (("weight", [size, 1280]), ("bias", [size])):
            count = size * (1280 if name == "weight" else 1)
            header[f"classifier.{head['name']}.{name}"] = {"dtype": "F32", "shape": shape,
                                                             "data_offsets": [offset, offset + 4 * count]}
            kept += struct.pack(f"<{count}f", *[draw.gauss(0, 0.1) for _ in range(count)])
            offset += 4 * count
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + kept)
    return path


def table(answer):
    return list(csv.DictReader(io.StringIO(answer.out)))


class MultiTask(Case):
    def setUp(self):
        super().setUp()
        self.model = multi_task(self.folder / "mtl.safetensors")

    def test_csv_is_as_promised(self):
        answer = mien("predict", self.model, TEST)
        self.assert_done(answer)
        self.assertEqual(answer.out.splitlines()[0].split(","), COLUMNS)
        rows = table(answer)
        self.assertEqual(len(rows), 24)
        decided = set()
        for row in rows:
            p = [float(row[name]) for name in EIGHT]
            self.assertAlmostEqual(sum(p), 1, places=4)
            self.assertEqual(row["expression"], EIGHT[p.index(max(p))])
            for unit in UNITS:
                self.assertEqual(row[f"{unit}_c"], "1" if float(row[unit]) > 0.5 else "0")
                self.assertRegex(row[unit], r"^[01]\.\d{6}$")
                decided.add(row[f"{unit}_c"])
        self.assertEqual(decided, {"0", "1"})

    def test_jsonl_and_json_say_the_same_as_csv(self):
        rows = table(mien("predict", self.model, TEST / "FEAR"))
        lines = [json.loads(line) for line in mien("predict", self.model, TEST / "FEAR", "--format", "jsonl").out.splitlines()]
        document = mien("predict", self.model, TEST / "FEAR", "--json").json()
        self.assertEqual((document["predictions"], document["classes"]), (lines, EIGHT))
        for row, line in zip(rows, lines, strict=True):
            self.assertEqual((list(line), line["expression"]), (COLUMNS, row["expression"]))
            for name in ("valence", "neutral", "AU26"):
                self.assertAlmostEqual(float(row[name]), line[name], places=6)
            self.assertEqual([line[f"{unit}_c"] for unit in UNITS], [int(row[f"{unit}_c"]) for unit in UNITS])
            self.assertIsInstance(line["AU01_c"], int)

    def test_beside_models_of_expressions_both_are_printed(self):
        alone, faces = table(mien("predict", self.model, TEST)), table(mien("predict", RUN, TEST))
        for models in ((self.model, RUN), (RUN, self.model)):
            answer = mien("predict", *models, TEST)
            self.assert_done(answer)
            self.assertEqual(answer.out.splitlines()[0].split(","), [*COLUMNS, *LSD])
            for row, one, other in zip(table(answer), alone, faces, strict=True):
                self.assertEqual({name: row[name] for name in COLUMNS}, one)
                self.assertEqual([row[name] for name in LSD], list(other.values())[1:])
        document = mien("predict", RUN, self.model, TEST / "FEAR", "--json").json()
        self.assertEqual((document["classes"], list(document["predictions"][0])), (EIGHT, [*COLUMNS, *LSD]))

    def test_both_are_smoothed_head_by_head(self):
        def smoothed(how, *models):
            answer = mien("predict", *models, TEST / "FEAR", *(["--smooth", how] if how else []))
            self.assert_done(answer)
            return table(answer)

        for how, mtl, lsd in (("gaussian:2", "gaussian:2", "gaussian:2"), ("box:au=1", "box:au=1", None),
                              ("exponential:lsd_expression=3", None, "exponential:expression=3")):
            for row, one, other in zip(smoothed(how, RUN, self.model), smoothed(mtl, self.model), smoothed(lsd, RUN), strict=True):
                self.assertEqual({name: row[name] for name in COLUMNS}, one, how)
                self.assertEqual([row[name] for name in LSD], list(other.values())[1:], how)
        self.assertNotEqual(smoothed("box:au=1", self.model), smoothed(None, self.model))
        self.assert_fails_alone(mien("predict", RUN, self.model, TEST, "--smooth", "box:gaze=1"), "no head gaze", "lsd_expression")

    def test_bad_pictures_among_them_are_told_once(self):
        bad = bad_pictures(self.folder)
        answer = mien("predict", RUN, self.model, *[self.folder / name for name in bad], TEST / "FEAR" / "1.png")
        self.assertEqual((answer.code, len(answer.lines), len(table(answer))), (1, len(bad), 1), answer.err)
        for line, (name, word) in zip(answer.lines, bad.items(), strict=True):
            self.assertRegex(line, rf"^mien: {self.folder}/{name}: .*{word}")

    def test_two_of_one_task_are_their_mean(self):
        other = multi_task(self.folder / "other.safetensors", seed=2)
        picture = TEST / "FEAR" / "1.png"
        one, two, both = (table(mien("predict", *models, picture))[0]
                          for models in ((self.model,), (other,), (self.model, other)))
        for name in ("valence", "anger", "AU12"):
            self.assertAlmostEqual((float(one[name]) + float(two[name])) / 2, float(both[name]), delta=2e-6)

    def test_members_of_other_heads_are_refused(self):
        less = multi_task(self.folder / "less.safetensors", heads=(VA, EXPRESSION))
        answer = mien("predict", self.model, less, TEST)
        self.assert_fails_alone(answer, "less.safetensors: classes differ from those of", self.model)

    def test_fewer_heads_have_fewer_columns(self):
        less = multi_task(self.folder / "less.safetensors", heads=(VA, EXPRESSION))
        self.assertEqual(mien("predict", less, TEST).out.splitlines()[0].split(","), COLUMNS[:4 + len(EIGHT)])

    def test_info_names_the_heads(self):
        lines = mien("info", self.model).out.splitlines()
        at = [line.strip() for line in lines].index("heads")
        self.assertEqual([line.split() for line in lines[at + 1:at + 4]],
                         [["name", "va"], ["kind", "regression"], ["columns", "valence", "arousal"]])
        self.assertEqual(mien("info", self.model, "--json").json()["model"]["heads"][2]["columns"], UNITS)


NAMES = [f"{name.upper()}/{i}.png" for i in (3, 1, 4) for name in reversed(CLASSES)]
HEADER = "image,valence,arousal,expression,aus"


class Challenge(Case):
    def setUp(self):
        super().setUp()
        self.model = multi_task(self.folder / "mtl.safetensors")
        self.out = self.folder / "out.txt"

    def submit(self, names, *more, images=TEST, models=None):
        (self.folder / "list.txt").write_text("\n".join(["image", *names]))
        return mien("submit", *(models or [self.model]), "--task", "mtl", "--list", self.folder / "list.txt", "--images", images,
                    "--out", self.out, *more)

    def score(self, truth, *more):
        (self.folder / "truth.txt").write_text("\n".join([HEADER, *truth, ""]))
        return mien("score", "--task", "mtl", "--truth", self.folder / "truth.txt", "--pred", self.out, *more)

    def truth(self):
        """Labels of all pictures, some missing as in s-Aff-Wild2."""
        draw = random.Random(7)
        rows = []
        for i, name in enumerate(NAMES):
            va = [f"{draw.uniform(-1, 1):.3f}" for _ in range(2)] if i % 4 else ["-5", "-5"]
            expression = EIGHT.index(name.split("/")[0].lower()) if i % 3 else -1
            units = [str(draw.randrange(2)) if i % 5 else "-1" for _ in UNITS]
            rows.append(",".join([name, *va, str(expression), *units]))
        return rows

    def test_submission_says_what_predict_says(self):
        answer = self.submit(NAMES)
        self.assert_done(answer)
        self.assertEqual((answer.out, answer.err), ("", ""))
        said = {row["image"]: row for row in table(mien("predict", self.model, TEST))}
        lines = self.out.read_text().splitlines()
        self.assertEqual((lines[0], [line.split(",")[0] for line in lines[1:]]), (HEADER, NAMES))
        for line in lines[1:]:
            name, *va, expression = line.split(",")[:4]
            row = said[str(TEST / name)]
            for value, key in zip(va, ("valence", "arousal"), strict=True):
                self.assertAlmostEqual(float(value), min(max(float(row[key]), -1), 1), delta=0.003)
            self.assertEqual(expression, str(EIGHT.index(row["expression"])))
            self.assertEqual(line.split(",")[4:], [row[f"{unit}_c"] for unit in UNITS])

    def test_unreadable_pictures_get_zeros_and_the_most_frequent_class(self):
        images = self.folder / "images"
        shutil.copytree(TEST, images)
        bad = bad_pictures(images)
        answer = self.submit([*bad, *NAMES], "--json", images=images)
        self.assertEqual((answer.code, len(answer.lines)), (1, len(bad)), answer.err)
        rows = [line.split(",") for line in self.out.read_text().splitlines()[1:]]
        given = [row[3] for row in rows[len(bad):]]
        most = min(sorted(set(given)), key=lambda label: -given.count(label))
        self.assertEqual([row[1:] for row in rows[:len(bad)]], [["0.000000", "0.000000", most, *["0"] * 12]] * len(bad))
        document = answer.json()
        self.assertEqual((document["task"], document["n"], document["fallback"]), ("mtl", len(rows), EIGHT[int(most)]))

    def test_pictures_are_looked_for_in_a_second_place(self):
        self.assert_done(self.submit(NAMES))
        wanted = self.out.read_text()
        first, second = self.folder / "aligned", self.folder / "whole"
        shutil.copytree(TEST, first)
        shutil.copytree(TEST / "FEAR", second / "FEAR")
        shutil.rmtree(first / "FEAR")
        (first / "ANGER" / "1.png").write_bytes(b"")
        answer = self.submit(NAMES, "--images-fallback", second, images=first)
        self.assertEqual((answer.code, len(answer.lines)), (1, 1), answer.err)
        self.assertIn(f"{first}/ANGER/1.png: empty", answer.lines[0])  # broken there, which says more than missing elsewhere
        (second / "ANGER").mkdir()
        shutil.copy(TEST / "ANGER" / "1.png", second / "ANGER")
        self.assert_done(self.submit(NAMES, "--images-fallback", second, images=first))
        self.assertEqual(self.out.read_text(), wanted)
        self.assert_fails_alone(self.submit(NAMES, "--images-fallback", self.folder / "no"), self.folder / "no", "no folder")

    def test_models_that_cannot_answer_are_refused(self):
        less = multi_task(self.folder / "less.safetensors", heads=(VA, EXPRESSION))
        for models, words in [([less], [less, "no head au", "wanted va or expression"]), ([RUN], ["of task lsd (wanted mtl"]),
                              ([RUN, self.model], ["of tasks mtl and lsd"])]:
            self.assert_fails_alone(self.submit(NAMES, models=models), *words)
            self.assertFalse(self.out.exists())

    def test_score_is_as_promised(self):
        self.assert_done(self.submit(NAMES))
        answer = self.score(self.truth(), "--json")
        self.assertEqual(answer.code, 0, answer.err)
        document = answer.json()
        self.assertEqual(set(document), {"task", "n", "ccc_v", "ccc_a", "p_va", "f1_expr", "p_expr", "accuracy", "macro_f1", "f1_au",
                                         "p_au", "p_mtl", "n_va", "n_expr", "n_au"})
        counts = {"n": len(NAMES), "n_va": 13, "n_expr": 12, "n_au": 14}
        for name, count in counts.items():
            self.assertEqual((document[name], type(document[name])), (count, int), name)
        self.assertEqual((len(document["f1_expr"]), len(document["f1_au"])), (8, 12))
        self.assertAlmostEqual(document["p_mtl"], document["p_va"] + document["p_expr"] + document["p_au"])
        rows = [line.split() for line in self.score(self.truth()).out.splitlines()]
        self.assertEqual(rows[0], ["name", "ccc_v", "ccc_a", *EIGHT, *UNITS, "p_va", "p_expr", "p_au", "p_mtl"])
        self.assertEqual((rows[1][0], len(rows[1])), ("out.txt", len(rows[0])))

    def test_eval_agrees_with_score(self):
        self.assert_done(self.submit(NAMES))
        scored = self.score(self.truth(), "--json").json()
        shutil.copytree(TEST, self.folder / "set")
        (self.folder / "set" / "truth.txt").write_text("\n".join([HEADER, *self.truth(), ""]))
        other = multi_task(self.folder / "other.safetensors", seed=2)
        document = mien("eval", self.model, "--data", self.folder / "set" / "truth.txt", "--json").json()
        self.assertEqual((document["task"], document["n"], document["classes"]), ("mtl", len(NAMES), EIGHT))
        for name, value in scored.items():
            if name.startswith("n_") or name in ("f1_expr", "f1_au"):
                self.assertEqual(document["ensemble"][name], value, name)
        self.assertEqual(len(document["ensemble"]["auc_au"]), 12)
        both = mien("eval", self.model, other, "--data", self.folder / "set" / "truth.txt")
        self.assert_done(both)
        rows = [line.split() for line in both.out.splitlines()]
        self.assertEqual([row[0] for row in rows], ["name", "mtl.safetensors", "other.safetensors", "ensemble"])
        self.assertEqual({len(row) for row in rows}, {1 + 2 + 8 + 12 + 4})

    def test_class_folders_are_scored_by_the_expression_alone(self):
        data = self.folder / "data"
        shutil.copytree(TEST, data)
        shutil.copytree(TEST / "FEAR", data / "CALM")
        answer = mien("eval", self.model, "--data", data, "--json")
        self.assert_done(answer)
        document = answer.json()
        self.assertEqual((document["n"], document["classes"], document["ignored"]), (24, EIGHT, {"CALM": 4}))
        self.assertNotIn("p_va", document["ensemble"])
        self.assertEqual((document["ensemble"]["n_expr"], document["ensemble"]["n_au"]), (24, 0))
        bad = bad_pictures(data / "FEAR")
        answer = mien("eval", self.model, "--data", data, "--json")
        self.assertEqual((answer.code, sorted(s["image"].split("/")[-1] for s in answer.json()["skipped"])), (1, sorted(bad)))
        self.assert_fails_alone(mien("eval", self.model, RUN, "--data", data), "task lsd (wanted mtl, as of")


main()
