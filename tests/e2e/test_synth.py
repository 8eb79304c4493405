"""Faces drawn by the command: packed, labelled, the same on any number of threads."""
import csv
import hashlib
import os
import resource
import shutil
import signal
import subprocess
import time
import unittest
from pathlib import Path
from support import MIEN, ROOT, Case, find_wheel, main, mien, start


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

    def test_scenes(self):
        self.assertEqual(mien("synth", "--list-keys").out, (ROOT / "docs" / "scene.md").read_text())
        scene = self.folder / "scene.yaml"
        scene.write_text("preset: wild\npose: {yaw: 12, pitch: 0, manner: 0}\nage: {children: 1, child: [3, 9]}\n")
        self.assert_done(self.synth("a", "--scene", scene))
        with open(self.folder / "a" / "labels.csv", newline="") as f:
            rows = list(csv.DictReader(f))
        self.assertTrue(all(float(row["yaw"]) == 12 and 3 <= float(row["age"]) < 9 for row in rows), rows[0])
        kept = self.folder / "a" / "scene.yaml"
        self.assertIn("preset: wild\n", kept.read_text())
        self.assert_done(self.synth("b", "--scene", kept))  # the scene that a set keeps draws it again
        self.assertEqual(digest(self.folder / "a"), digest(self.folder / "b"))
        self.assert_fails_alone(self.synth("a", "--resume", "--scene", "wild"), "scene.yaml")
        self.assert_done(self.synth("c", "--studio"))
        self.assert_done(self.synth("d", "--scene", "studio"))
        self.assertEqual(digest(self.folder / "c"), digest(self.folder / "d"))
        self.assert_fails(self.synth("e", "--scene", "studio", "--studio"), "--studio", code=2)
        scene.write_text("pose: {yaw: [20, 10]}\n")
        self.assert_fails_alone(self.synth("e", "--scene", scene), "scene.yaml: line 1: pose.yaw: [20, 10] is an empty range")
        scene.write_text("gaze: {blink_share: 0.5}\n")
        self.assert_fails_alone(self.synth("e", "--scene", scene), "gaze.blink_share: unknown key (wanted blink")
        self.assert_fails_alone(self.synth("e", "--scene", "no_such"), "no_such")
        self.assertFalse((self.folder / "e").exists())

    def test_impossible_numbers_are_refused(self):
        self.assert_fails(self.synth("a", count=0), "--count", code=2)
        for size in (0, 15, 2049):
            answer = mien("synth", "--face", self.face, "--out", self.folder / "a", "--count", 2, "--size", size)
            self.assert_fails(answer, "--size", code=2)
        self.assert_fails_alone(self.synth("a", "--identities", 25), "identities: 25 (wanted at most the count, 24)")
        self.assertFalse((self.folder / "a").exists())

    def wait_for_pictures(self, folder, count):
        end = time.monotonic() + 60
        while sum(1 for _ in folder.glob("*/*.jpg")) < count:
            self.assertLess(time.monotonic(), end, "no picture appears")
            time.sleep(0.001)

    def assert_all_whole(self, folder, whole):
        """What lies in the folder under a finished set's names is as there."""
        found = {name: sum_ for name, sum_ in digest(folder).items() if not name.endswith(".part")}
        self.assertEqual(found, {name: whole[name] for name in found})

    def test_killed_at_any_time_it_goes_on_to_the_same_bits(self):
        self.assert_done(self.synth("whole", count=240))
        whole = digest(self.folder / "whole")
        cut = self.folder / "cut"
        arguments = ["synth", "--face", self.face, "--out", cut, "--count", 240, "--size", 48]
        kills = 0
        for pictures in (0, 1, 60, 150):
            running = start(*arguments, "--resume", "--threads", 2)
            if pictures:
                self.wait_for_pictures(cut, pictures)
            running.kill()
            running.communicate()
            kills += running.returncode == -9
            if cut.exists():
                self.assert_all_whole(cut, whole)
        self.assertGreaterEqual(kills, 2)  # a fast machine may be done before the last ones
        self.assert_done(mien(*arguments, "--resume"))
        self.assertEqual({k: v for k, v in digest(cut).items() if not k.endswith(".part")}, whole)

    def test_a_full_disk_leaves_whole_files_and_can_be_gone_on_from(self):
        self.assert_done(self.synth("whole"))
        whole = digest(self.folder / "whole")
        sizes = sorted(path.stat().st_size for path in (self.folder / "whole").rglob("*.jpg"))
        labels = (self.folder / "whole" / "labels.csv").stat().st_size
        scene = (self.folder / "whole" / "scene.yaml").stat().st_size
        self.assertLess(sizes[-1], labels)
        for place, most in (("scene.yaml", 100), ("jpg", sizes[12]), ("labels.csv", labels - 1)):
            def limit(most=most):
                signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
                resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
            if place == "jpg" and most < scene:
                continue  # the scene would not fit either
            name = f"full-{place}"
            answer = mien("synth", "--face", self.face, "--out", self.folder / name, "--count", 24, "--size", 48,
                          preexec_fn=limit)
            self.assert_fails_alone(answer, place)
            self.assertFalse((self.folder / name / "labels.csv").exists())
            self.assert_all_whole(self.folder / name, whole)
            self.assert_done(self.synth(name, "--resume"))
            self.assertEqual({k: v for k, v in digest(self.folder / name).items() if not k.endswith(".part")}, whole)

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
