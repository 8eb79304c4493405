"""Faces drawn by the command: packed, labelled, the same on any number of threads."""
import csv
import hashlib
import os
import shutil
import subprocess
import unittest
from pathlib import Path
from support import MIEN, Case, find_wheel, main, mien


def digest(folder):
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(Path(folder).rglob("*"))
            if p.is_file()}


class Synth(Case):
    @classmethod
    def setUpClass(cls):
        cls.face = Path(os.environ["E2E_FOLDER"]) / "face.safetensors"
        if not find_wheel():
            raise unittest.SkipTest("skipped: the wheel of faces is not there (tools/setup fetches it)")
        answer = mien("face", find_wheel(), "--out", cls.face)
        assert answer.code == 0, answer.err

    def synth(self, name, *more, count=24):
        return mien("synth", "--face", self.face, "--out", self.folder / name, "--count", count, "--size", 48, *more)

    def test_packing_twice_gives_the_same_file_of_a_few_megabytes(self):
        self.assert_done(mien("face", find_wheel(), "--out", self.folder / "again.safetensors"))
        self.assertEqual((self.folder / "again.safetensors").read_bytes(), self.face.read_bytes())
        self.assertLess(self.face.stat().st_size, 8 << 20)

    def test_one_labelled_file_a_row(self):
        self.assert_done(self.synth("a"))
        with open(self.folder / "a" / "labels.csv", newline="") as f:
            rows = list(csv.DictReader(f))
        self.assertEqual(len(rows), 24)
        for row in rows:
            self.assertTrue((self.folder / "a" / row["image"]).is_file(), row)
        self.assertEqual({row["expression"] for row in rows}, {"anger", "disgust", "fear", "happiness", "sadness", "surprise"})
        for column in ("identity", "intensity", "valence", "arousal", "AU12", "AU12_i", "yaw", "pitch", "roll"):
            self.assertIn(column, rows[0])

    def test_labels_are_left_out_a_task_at_a_time(self):
        self.assert_done(self.synth("a", "--task", "mtl", "--missing", "aff-wild2"))
        with open(self.folder / "a" / "labels.csv", newline="") as f:
            rows = list(csv.DictReader(f))
        missing = {column: sum(row[column] == marker for row in rows)
                   for column, marker in (("valence", "-5"), ("expression", "-1"), ("AU12", "-1"), ("jawOpen", "-1"))}
        self.assertTrue(all(0 < n < len(rows) for n in missing.values()), missing)
        self.assertEqual(missing["AU12"], missing["jawOpen"])
        self.assert_fails_alone(self.synth("b", "--missing", "aff-wild2"), "missing")
        self.assert_fails(self.synth("b", "--task", "mtl", "--missing", "some"), "none or aff-wild2", code=2)

    def test_threads_change_no_byte_and_seeds_do(self):
        self.assert_done(self.synth("a", "--threads", 1))
        self.assert_done(self.synth("b", "--threads", 3))
        self.assert_done(self.synth("c", "--seed", 5))
        self.assertEqual(digest(self.folder / "a"), digest(self.folder / "b"))
        self.assertNotEqual(digest(self.folder / "a"), digest(self.folder / "c"))

    def test_a_used_folder_wants_resume_or_force(self):
        self.assert_done(self.synth("a"))
        before = digest(self.folder / "a")
        self.assert_fails_alone(self.synth("a"), "a")
        self.assert_fails_alone(self.synth("a", "--resume", "--seed", 9), "seed")
        (self.folder / "a" / "labels.csv").unlink()
        self.assert_done(self.synth("a", "--resume"))
        self.assertEqual(digest(self.folder / "a"), before)
        self.assert_done(self.synth("a", "--force", "--seed", 9))
        self.assertNotEqual(digest(self.folder / "a"), before)

    def test_a_sheet_alone(self):
        self.assert_done(mien("synth", "--face", self.face, "--sheet", self.folder / "s.png"))
        self.assertEqual((self.folder / "s.png").read_bytes()[:4], b"\x89PNG")

    def rows(self, name, table="labels.csv"):
        with open(self.folder / name / table, newline="") as f:
            return list(csv.DictReader(f))

    def test_landmarks_lie_in_the_face(self):
        self.assert_done(self.synth("a", "--studio"))
        labels, marks = self.rows("a"), self.rows("a", "landmarks.csv")
        self.assertEqual([row["image"] for row in labels], [row["image"] for row in marks])
        for row, mark in zip(labels, marks):
            left, top, right, bottom = (float(row["face_" + side]) for side in ("left", "top", "right", "bottom"))
            for i in range(1, 69):
                self.assertTrue(left - 0.1 <= float(mark[f"x{i}"]) <= right + 0.1, (i, mark))
                self.assertTrue(top - 0.1 <= float(mark[f"y{i}"]) <= bottom + 0.1, (i, mark))
            self.assertLess(float(mark["right_eye_x"]), float(mark["left_eye_x"]))
            self.assertAlmostEqual(sum(float(row[c]) for c in row if c.startswith("p_")), 1, places=3)

    def test_a_folder_a_person(self):
        self.assert_done(self.synth("a", "--task", "identity", "--identities", 3))
        for who in ("000000", "000001", "000002"):
            self.assertEqual(len(list((self.folder / "a" / who).glob("*.jpg"))), 8)
        for row in self.rows("a"):
            self.assertEqual(row["image"].split("/")[0], f"{int(row['identity']):06d}")
        self.assert_fails_alone(self.synth("b", "--task", "identity", "--identities", 5), "multiple of the 5 identities")

    def test_clips_are_folders_of_frames(self):
        self.assert_done(self.synth("a", "--clip", 12))
        rows = self.rows("a")
        self.assertEqual([row["image"] for row in rows], [f"clip_{c:06d}/{f:06d}.jpg" for c in (1, 2) for f in range(1, 13)])
        self.assertEqual([float(row["timestamp"]) for row in rows[:3]], [0, 0.04, 0.08])
        self.assert_fails_alone(self.synth("b", "--clip", 7), "multiple of a clip's 7 frames")
        self.assert_fails(self.synth("b", "--clip", 1), "clip", code=2)
        self.assert_fails_alone(self.synth("b", "--clip", 12, "--crowd", 3), "exclude each other")

    def test_crowds_have_a_row_a_head(self):
        self.assert_done(self.synth("a", "--crowd", 4, count=6))
        rows = self.rows("a")
        self.assertEqual(len({row["image"] for row in rows}), 6)
        self.assertTrue(12 <= len(rows) <= 24)
        self.assert_fails(self.synth("b", "--crowd", 99), "crowd", code=2)
        self.assert_fails_alone(self.synth("b", "--crowd", 4, "--identities", 2), "identities: 2")

    def test_sheets_and_a_quiz(self):
        kinds = ("expressions", "intensity", "units", "pose", "gaze", "light", "tones", "ages", "worn", "degradations", "landmarks", "set")
        for kind in kinds[1:4]:
            self.assert_done(mien("synth", "--face", self.face, "--sheet", self.folder / f"{kind}.png", "--sheet-of", kind))
            self.assertEqual((self.folder / f"{kind}.png").read_bytes()[:4], b"\x89PNG")
        answer = mien("synth", "--face", self.face, "--sheet", self.folder / "s.png", "--sheet-of", "moods")
        for kind in kinds:
            self.assert_fails(answer, kind, code=2)
        self.assert_fails(mien("synth", "--face", self.face, "--out", self.folder / "x", "--count", 6, "--sheet-of", "pose"),
                          "--sheet", code=2)
        self.assert_done(mien("synth", "--face", self.face, "--quiz", self.folder / "q.png"))
        question, answers = ((self.folder / name).read_bytes() for name in ("q.png", "q-answers.png"))
        self.assertTrue(question[:4] == answers[:4] == b"\x89PNG" and question != answers)

    def test_the_packed_model_is_found_beside_the_binary(self):
        place = self.folder / "bin"
        place.mkdir()
        shutil.copy(MIEN, place / "mien")
        library = Path(MIEN).parent
        environment = {**os.environ, "LD_LIBRARY_PATH": str(library)}
        arguments = [place / "mien", "synth", "--out", self.folder / "d", "--count", "6", "--size", "32"]
        done = subprocess.run(arguments, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
        self.assertEqual(done.returncode, 1)
        self.assertIn("--face", done.stderr)
        shutil.copy(self.face, place / "face.safetensors")
        done = subprocess.run(arguments, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment, cwd="/")
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_bad_sources_and_faces(self):
        (self.folder / "text").write_text("no wheel")
        self.assert_fails_alone(mien("face", self.folder / "text", "--out", self.folder / "f"), "text")
        self.assert_fails_alone(mien("face", self.folder / "nowhere.whl", "--out", self.folder / "f"), "nowhere.whl")
        self.assertFalse((self.folder / "f").exists())
        (self.folder / "cut.safetensors").write_bytes(self.face.read_bytes()[:5000])
        answer = mien("synth", "--face", self.folder / "cut.safetensors", "--out", self.folder / "d", "--count", 3)
        self.assert_fails_alone(answer, "cut.safetensors")


main()
