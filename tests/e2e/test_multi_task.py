"""Models of several heads in the command: predict, alone and beside models of expressions, and what info says of them."""
import csv
import io
import json
import random
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


main()
