"""Prediction files for a challenge: what the list says, in its order, whatever its pictures are like."""
import csv
import io
import shutil
from support import BASE, CLASSES, Case, bad_pictures, main, mien

RUN = BASE / "run"
TEST = BASE / "test"
NAMES = [f"{name.upper()}/{i}.png" for i in (3, 1, 4, 2) for name in reversed(CLASSES)]


class Submission(Case):
    def submit(self, text, *more, images=TEST, models=(RUN,)):
        (self.folder / "list.txt").write_bytes(text if isinstance(text, bytes) else text.encode())
        self.out = self.folder / "out.txt"
        return mien("submit", *models, "--list", self.folder / "list.txt", "--images", images, "--out", self.out, *more)

    def rows(self):
        return list(csv.reader(io.StringIO(self.out.read_text())))

    def test_rows_stand_in_the_lists_order_and_say_what_predict_says(self):
        answer = self.submit("\n".join(NAMES))
        self.assert_done(answer)
        self.assertEqual((answer.out, answer.err), ("", ""))
        said = {row["image"]: row["expression"] for row in csv.DictReader(io.StringIO(mien("predict", RUN, TEST).out))}
        wanted = [[name, str(CLASSES.index(said[str(TEST / name)]))] for name in NAMES]
        self.assertEqual(self.rows(), [["image", "expression"], *wanted])
        self.assertEqual(self.out.read_text().splitlines()[0], "image,expression")

    def test_score_takes_it_and_agrees_with_eval(self):
        self.assert_done(self.submit("\n".join(NAMES)))
        truth = self.folder / "truth.csv"
        truth.write_text("".join(f"{name},{name.split('/')[0].lower()}\n" for name in NAMES))
        scored = mien("score", "--task", "lsd", "--truth", truth, "--pred", self.out, "--json").json()
        ensemble = mien("eval", RUN, "--data", TEST, "--json").json()["ensemble"]
        self.assertEqual((scored["f1"], scored["confusion"]), (ensemble["f1"], ensemble["confusion"]))

    def test_lists_as_they_come(self):
        self.assert_done(self.submit("\n".join(NAMES)))
        wanted = self.out.read_bytes()
        for text in ("image\n" + "\n".join(NAMES), "\ufeffimage,expression\r\n" + "\r\n".join(NAMES) + "\r\n\r\n\r\n",
                     "\ufeff" + "\n".join(NAMES) + "\n", "\n".join(f"  {name}\t" for name in ["Image", *NAMES])):
            self.assert_done(self.submit(text))
            self.assertEqual(self.out.read_bytes(), wanted, text)

    def test_unreadable_pictures_are_named_and_get_the_most_frequent_class(self):
        images = self.folder / "images"
        shutil.copytree(TEST, images)
        bad = {**bad_pictures(images), "nowhere.jpg": "No such file"}
        fear = [f"FEAR/{i}.png" for i in (1, 2, 3, 4)]
        names = ["ANGER/1.png", *bad, *fear]
        answer = self.submit("\n".join(names), "--json", images=images)
        self.assertEqual(answer.code, 1)
        self.assertEqual(len(answer.lines), len(bad), answer.err)
        for line, (name, word) in zip(answer.lines, bad.items(), strict=True):
            self.assertRegex(line, rf"^mien: {images}/{name}: .*{word}")
        rows = self.rows()
        self.assertEqual([row[0] for row in rows[1:]], names)
        given = [row[1] for row in rows[1:]]
        said = [label for name, label in zip(names, given, strict=True) if name not in bad]
        most = min(sorted(set(said)), key=lambda label: -said.count(label))
        self.assertEqual([label for name, label in zip(names, given, strict=True) if name in bad], [most] * len(bad))
        document = answer.json()
        self.assertEqual(list(document), ["task", "n", "skipped", "fallback", "out"])
        self.assertEqual((document["task"], document["n"], document["fallback"], document["out"]),
                         ("lsd", len(names), CLASSES[int(most)], str(self.out)))
        self.assertEqual([s["image"] for s in document["skipped"]], list(bad))

    def test_no_picture_at_all_leaves_no_file(self):
        answer = self.submit("a.jpg\nb.jpg\n")
        self.assert_fails(answer, "list.txt", "none of its 2 pictures")
        self.assertFalse(self.out.exists())
        self.assertEqual(list(self.folder.glob("*.part")), [])

    def test_lists_that_are_refused(self):
        for text, words in [("", ["list.txt", "no pictures"]), ("image\n\n", ["no pictures"]),
                            ("a.jpg\n\nb.jpg\na.jpg\n", ["line 4", "a.jpg", "line 1"]),
                            ("image\n../a.jpg\n", ["line 2", "../a.jpg", "leads out"]),
                            ("a/../../b.jpg\n", ["line 1", "leads out"]), ("a/..\n", ["line 1", "leads out"]),
                            ("/etc/a.jpg\n", ["line 1", "leads out"]), (b"a\0b\n", ["not text"])]:
            with self.subTest(text):
                self.assert_fails_alone(self.submit(text), *words)
                self.assertFalse(self.out.exists())

    def test_what_is_not_there(self):
        self.assert_fails_alone(self.submit("a.jpg", images=self.folder / "nowhere"), "nowhere", "no folder")
        self.assert_fails_alone(self.submit("a.jpg", models=(self.folder / "no.safetensors",)), "no.safetensors")
        self.assert_fails_alone(self.submit("a.jpg", models=(self.folder / "kept.npy",)), "kept.npy", "wanted a model")
        (self.folder / "list.txt").unlink()
        answer = mien("submit", RUN, "--list", self.folder / "list.txt", "--images", TEST, "--out", self.folder / "o")
        self.assert_fails_alone(answer, "list.txt", "No such file")
        (self.folder / "list.txt").write_text("ANGER/1.png")
        out = self.folder / "no" / "out.txt"
        answer = mien("submit", RUN, "--list", self.folder / "list.txt", "--images", TEST, "--out", out)
        self.assert_fails_alone(answer, out)

    def test_commas_in_names_are_quoted(self):
        images = self.folder / "images"
        images.mkdir()
        shutil.copy(TEST / "FEAR" / "1.png", images / 'a,"b".png')
        self.assert_done(self.submit('a,"b".png\n', images=images))
        self.assertEqual(self.rows()[1][0], 'a,"b".png')


main()
