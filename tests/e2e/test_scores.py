"""Scores kept by eval, and what takes them for models."""
import shutil
import struct
from support import BASE, CLASSES, Case, bad_pictures, main, mien

RUN = BASE / "run"
TEST = BASE / "test"
NAN = float("nan")


def read_npy(path):
    """Shape and numbers of a NumPy file, read as its format's description says."""
    data = path.read_bytes()
    assert data[:8] == b"\x93NUMPY\1\0", data[:8]
    length, = struct.unpack_from("<H", data, 8)
    assert (10 + length) % 64 == 0
    header = eval(data[10:10 + length].decode())  # a dict, by definition
    assert header["descr"] == "<f4" and header["fortran_order"] is False
    values = struct.unpack(f"<{(len(data) - 10 - length) // 4}f", data[10 + length:])
    return header["shape"], values


def write_npy(path, shape, values):
    header = repr({"descr": "<f4", "fortran_order": False, "shape": tuple(shape)}).encode() + b"\n"
    path.write_bytes(b"\x93NUMPY\1\0" + struct.pack("<H", len(header)) + header + struct.pack(f"<{len(values)}f", *values))


def rows_of(values, columns=6):
    return [values[i:i + columns] for i in range(0, len(values), columns)]


class Scores(Case):
    def keep(self, *models, data=TEST, name="kept.npy", code=0):
        answer = mien("eval", *models, "--data", data, "--scores", self.folder / name)
        self.assertEqual(answer.code, code, answer.err)
        return self.folder / name

    def evaluate(self, *models, data=TEST):
        return mien("eval", *models, "--data", data, "--json").json()

    def test_one_member_is_kept_as_rows_in_the_sets_order(self):
        shape, values = read_npy(self.keep(RUN))
        self.assertEqual(shape, (24, 6))
        said = [[float(v) for v in line.split(",")[2:]] for line in mien("predict", RUN, TEST).out.splitlines()[1:]]
        for row, wanted in zip(rows_of(values), said, strict=True):
            for value, other in zip(row, wanted, strict=True):
                self.assertAlmostEqual(value, other, delta=0.003)  # another batch size may round otherwise
        self.assertEqual(list(self.folder.glob("*.part")), [])

    def test_kept_scores_say_what_their_model_says(self):
        kept = self.keep(RUN)
        wanted, got = self.evaluate(RUN), self.evaluate(kept)
        self.assertEqual([m["model"] for m in got["members"]], ["kept.npy"])
        self.assertEqual(got["ensemble"], wanted["ensemble"])
        self.assertEqual((got["n"], got["classes"]), (24, CLASSES))

    def test_several_members_and_their_mean(self):
        sure = [1 / 3 if c == i // 4 else 2 / 15 for i in range(24) for c in range(6)]
        write_npy(self.folder / "sure.npy", (24, 6), sure)
        kept = self.keep(RUN, self.folder / "sure.npy")
        shape, values = read_npy(kept)
        self.assertEqual(shape, (2, 24, 6))
        self.assertEqual(values[144:], struct.unpack("<144f", struct.pack("<144f", *sure)))
        both, again = self.evaluate(RUN, self.folder / "sure.npy"), self.evaluate(kept)
        self.assertEqual([m["model"] for m in again["members"]], ["kept.npy#1", "kept.npy#2"])
        self.assertEqual(again["ensemble"], both["ensemble"])
        mean = [(a + b) / 2 for a, b in zip(values[:144], values[144:], strict=True)]
        right = sum(max(range(6), key=row.__getitem__) == i // 4 for i, row in enumerate(rows_of(mean)))
        self.assertAlmostEqual(both["ensemble"]["accuracy"], right / 24)

    def test_pictures_that_cannot_be_read_are_rows_of_nan_and_skipped_for_all(self):
        data = self.folder / "data"
        shutil.copytree(TEST, data)
        bad = bad_pictures(data / "FEAR")
        kept = self.keep(RUN, data=data, code=1)
        shape, values = read_npy(kept)
        self.assertEqual(shape, (24 + len(bad), 6))
        missing = [i for i, row in enumerate(rows_of(values)) if all(v != v for v in row)]
        self.assertEqual(len(missing), len(bad))
        self.assertEqual(sum(v != v for v in values), 6 * len(bad))
        answer = mien("eval", kept, "--data", data, "--json")
        self.assertEqual(answer.code, 1)
        document = answer.json()
        self.assertEqual(document["n"], 24)
        self.assertEqual(sorted(s["image"].split("/")[-1] for s in document["skipped"]), sorted(bad))
        self.assertIn("kept.npy: no scores", document["skipped"][0]["why"])
        self.assertEqual(document["ensemble"], self.evaluate(RUN)["ensemble"])

    def test_scores_that_do_not_fit_are_refused(self):
        flat = [1 / 6] * 144
        path = self.folder / "scores.npy"
        for shape, values, words in [((23, 6), flat[:138], ["23 rows", "wanted 24", "the pictures of", TEST]),
                                     ((36, 4), [0.25] * 144, ["4 classes", "6"]),
                                     ((24, 6), [0.3] + flat[1:], ["row 0", "sum"]),
                                     ((24, 6), flat[:6] + [-1, 2] + flat[8:], ["row 1", "-1"]),
                                     ((24, 6), flat[:143] + [NAN], ["row 23", "NaN"]),
                                     ((144,), flat, ["1 dimensions"]), ((24, 6), flat[:100], ["400 bytes", "24x6"])]:
            with self.subTest(words):
                write_npy(path, shape, values)
                for models in ([path], [RUN, path]):
                    self.assert_fails_alone(mien("eval", *models, "--data", TEST), path, *words)
        path.write_bytes(b"no array")
        self.assert_fails_alone(mien("eval", path, "--data", TEST), path, "not a NumPy array")
        self.assert_fails_alone(mien("eval", self.folder / "no.npy", "--data", TEST), "no.npy", "No such file")

    def test_where_scores_cannot_be_written(self):
        answer = mien("eval", RUN, "--data", TEST, "--scores", self.folder / "no" / "s.npy")
        self.assert_fails_alone(answer, self.folder / "no" / "s.npy")
        self.assertEqual(answer.out, "")


main()
