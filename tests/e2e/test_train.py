"""Training as a user lives through it: interrupted, resumed, refused, out of disk."""
import json
import re
import resource
import signal
import shutil
import struct
import subprocess
import time
from support import BASE, CLASSES, MIEN, ROOT, Case, bad_pictures, class_set, main, mien, start

STAGE = "efficientnet_b0-stage1"
EVENTS = "events.out.tfevents.mien"


def masked_crc(data):
    """CRC-32C by its definition, as TFRecord masks it."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def records(data):
    """The records of a TFRecord file; every checksum must be right."""
    while data:
        length, length_crc = struct.unpack_from("<QI", data)
        assert length_crc == masked_crc(data[:8]), "the length's checksum"
        record, (crc,) = data[12:12 + length], struct.unpack_from("<I", data, 12 + length)
        assert len(record) == length and crc == masked_crc(record), "the record's checksum"
        yield record
        data = data[16 + length:]


def fields(message):
    """(number, value) of a protocol buffer's fields: whole numbers, bytes, and the bits of fixed ones."""
    def varint(at):
        value = shift = 0
        while True:
            byte = message[at]
            value, shift, at = value | (byte & 0x7F) << shift, shift + 7, at + 1
            if byte < 0x80:
                return value, at

    at = 0
    while at < len(message):
        key, at = varint(at)
        if key & 7 == 0:
            value, at = varint(at)
        else:
            length, at = varint(at) if key & 7 == 2 else ({1: 8, 5: 4}[key & 7], at)
            value, at = message[at:at + length], at + length
        yield key >> 3, value


def scalars(path):
    """What TensorBoard would draw: {tag: [(step, value)]}."""
    events, curves = [dict(fields(record)) for record in records(path.read_bytes())], {}
    assert events[0] == {3: b"brain.Event:2"}, events[0]
    for event in events[1:]:
        assert set(event) == {2, 5}, event
        for number, value in fields(event[5]):
            assert number == 1
            value = dict(fields(value))
            curves.setdefault(value[1].decode(), []).append((event[2], struct.unpack("<f", value[2])[0]))
    return curves


class Training(Case):
    def train(self, out, *more, recipe=BASE / "recipe.yaml", data=BASE / "train", **options):
        return mien("train", recipe, "--data", data, "--out", out, "--threads", 1, *more, **options)

    def wait_for(self, path, process=None, seconds=120):
        end = time.monotonic() + seconds
        while not path.exists():
            self.assertLess(time.monotonic(), end, f"{path} never came")
            if process:
                self.assertIsNone(process.poll(), "the run ended before it was to be stopped")
            time.sleep(0.01)

    def assert_same_result(self, run):
        """The bits of the run that nobody interrupted."""
        for name in ("best.safetensors", "validation.csv"):
            ours, theirs = (folder / STAGE / name for folder in (run, BASE / "run"))
            self.assertEqual(ours.read_bytes(), theirs.read_bytes(), name)
        self.assertEqual((run / EVENTS).read_bytes(), (BASE / "run" / EVENTS).read_bytes())

    def test_a_finished_run_holds_what_was_promised(self):
        run = BASE / "run"
        for name in ("recipe.yaml", "log.jsonl", EVENTS, f"{STAGE}/last.ckpt", f"{STAGE}/best.safetensors",
                     f"{STAGE}/validation.csv", f"{STAGE}/done"):
            self.assertTrue((run / name).exists(), name)
        self.assertEqual(list(run.rglob("*.part")), [])
        for line in (run / "log.jsonl").read_text().splitlines():
            json.loads(line)

    def test_tensorboard_events_say_what_the_log_says(self):
        wanted = {}
        keys = {"step": {"loss": "step_loss", "lr": "lr"},
                "epoch": {key: key for key in ("train_loss", "val_loss", "val_macro_f1", "val_accuracy")}}
        for line in map(json.loads, (BASE / "run" / "log.jsonl").read_text().splitlines()):
            for key, curve in keys.get(line["event"], {}).items():
                value = struct.unpack("<f", struct.pack("<f", line[key]))[0]
                wanted.setdefault(f"{curve}/{STAGE}", []).append((line["step"], value))
        self.assertEqual(scalars(BASE / "run" / EVENTS), wanted)
        self.assertEqual(len(wanted), 6)
        self.assertEqual(len(wanted[f"val_loss/{STAGE}"]), 8)

    def test_finished_models_hold_no_paths_or_dates(self):
        data = (BASE / "run" / STAGE / "best.safetensors").read_bytes()
        header = data[8:8 + int.from_bytes(data[:8], "little")].decode()
        self.assertNotIn(str(BASE), header)
        self.assertIsNone(re.search(r"20\d\d-\d\d-\d\d", header))

    def test_same_recipe_gives_the_same_bits_and_reports_the_models(self):
        answer = self.train(self.folder / "run", "--json")
        self.assert_done(answer)
        members = answer.json()["members"]
        self.assertEqual([m["model"] for m in members], [STAGE])
        self.assert_same_result(self.folder / "run")

    def test_killed_at_any_moment_resumes_to_the_same_bits(self):
        run = self.folder / "run"
        for delay in (0.02, 0.4, 0.9):
            process = start("train", BASE / "recipe.yaml", "--data", BASE / "train", "--out", run, "--threads", 1, "--resume")
            self.wait_for(run / "log.jsonl", process)
            time.sleep(delay)
            process.kill()
            process.communicate()
        self.assert_done(self.train(run, "--resume"))
        self.assert_same_result(run)

    def test_interrupted_saves_says_so_and_exits_with_the_signal(self):
        for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)):
            with self.subTest(number):
                run = self.folder / f"run{code}"
                process = start("train", BASE / "recipe.yaml", "--data", BASE / "train", "--out", run, "--threads", 1)
                self.wait_for(run / "log.jsonl", process)
                time.sleep(0.3)
                process.send_signal(number)
                if number != signal.SIGINT:  # sent again, as sessions that end do, it changes nothing
                    process.send_signal(signal.SIGHUP)
                    process.send_signal(signal.SIGTERM)
                _, err = process.communicate(timeout=60)
                self.assertIn(process.returncode, (code, 143, 129) if code != 130 else (130,), err)
                self.assertRegex(err.splitlines()[-1], r"^mien: .*interrupted .*saved; --resume")
                self.assertTrue((run / STAGE / "last.ckpt").exists())
                self.assert_done(self.train(run, "--resume"))
                self.assert_same_result(run)

    def test_nohup_is_respected(self):
        run = self.folder / "run"
        process = start("train", BASE / "recipe.yaml", "--data", BASE / "train", "--out", run, "--threads", 1,
                        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
        self.wait_for(run / "log.jsonl", process)
        process.send_signal(signal.SIGHUP)
        _, err = process.communicate(timeout=100)
        self.assertEqual(process.returncode, 0, err)
        self.assert_same_result(run)

    def test_without_standard_descriptors_results_stay_whole(self):
        run = self.folder / "run"
        script = 'exec "$0" train "$1" --data "$2" --out "$3" --threads 1 <&- >&- 2>&-'
        done = subprocess.run(["sh", "-c", script, MIEN, BASE / "recipe.yaml", BASE / "train", run])
        self.assertEqual(done.returncode, 0)
        self.assert_same_result(run)
        self.assertEqual(len((run / "log.jsonl").read_text().splitlines()), len((BASE / "run" / "log.jsonl").read_text().splitlines()))

    def test_more_epochs_with_resume(self):
        run, whole = self.folder / "run", self.folder / "whole"
        steady = ["--set", "stage1.schedule.name=constant", "--set"]
        self.assert_done(self.train(whole, *steady, "stage1.epochs=3"))
        self.assert_done(self.train(run, *steady, "stage1.epochs=2"))
        self.assert_done(self.train(run, *steady, "stage1.epochs=3", "--resume"))
        for name in ("recipe.yaml", EVENTS, f"{STAGE}/best.safetensors", f"{STAGE}/done"):
            self.assertEqual((run / name).read_bytes(), (whole / name).read_bytes(), name)
        falling = [*steady[:1], "stage1.schedule.name=cosine", "--set"]
        self.assert_done(self.train(self.folder / "cosine", *falling, "stage1.epochs=1"))
        self.assert_fails_alone(self.train(self.folder / "cosine", *falling, "stage1.epochs=2", "--resume"), "stage1.epochs: 2",
                                "learning rate falls")

    def test_other_pictures_under_the_same_names_are_noticed(self):
        data, run = self.folder / "data", self.folder / "run"
        shutil.copytree(BASE / "train", data)
        self.assert_done(self.train(run, "--set", "stage1.epochs=1", data=data))
        again = ["--set", "stage1.epochs=1", "--resume"]
        self.assertEqual(self.train(run, *again, data=data).err, "")
        shutil.copy(data / "ANGER" / "1.png", data / "FEAR" / "7.png")
        (data / "FEAR" / "7.png").write_bytes((data / "ANGER" / "1.png").read_bytes() + b"more")
        self.assert_fails_alone(self.train(run, *again, data=data), data, "not the pictures", run, "FEAR/7.png")

    def test_classes_that_nothing_selects_on_are_named(self):
        val = self.folder / "val"
        shutil.copytree(BASE / "test", val)
        shutil.rmtree(val / "FEAR")
        answer = self.train(self.folder / "run", "--set", "stage1.epochs=1", "--val", val)
        self.assert_done(answer)
        self.assertEqual(answer.lines, [f"mien: {val}: no picture of fear: F1 is 0 there, and counts in the average"])

    def test_resume_of_an_empty_folder_starts_and_of_a_finished_one_ends(self):
        run = self.folder / "run"
        run.mkdir()
        self.assert_done(self.train(run, "--resume"))
        self.assert_same_result(run)
        self.assert_done(self.train(run, "--resume"))
        self.assert_same_result(run)

    def test_a_used_folder_is_refused_without_resume(self):
        before = sorted(p.stat().st_mtime_ns for p in (BASE / "run").rglob("*"))
        self.assert_fails_alone(self.train(BASE / "run"), BASE / "run", "resume")
        self.assertEqual(before, sorted(p.stat().st_mtime_ns for p in (BASE / "run").rglob("*")))

    def test_another_recipe_is_refused_and_the_key_named(self):
        self.assert_fails_alone(self.train(BASE / "run", "--resume", "--set", "stage1.lr=0.01"), "stage1.lr")

    def test_another_precision_is_refused(self):
        log = (BASE / "run" / "log.jsonl").read_text()
        other = "f32" if "bf16" in log else "bf16"
        if other == "bf16":
            probe = mien("bench", "infer", "--precision", "bf16", "--arch", "efficientnet_b0", "--size", 32, "--batch", 1)
            if probe.code:
                self.skipTest("skipped: this machine computes in f32 alone")
        run = self.folder / "run"
        shutil.copytree(BASE / "run", run)
        (run / STAGE / "done").unlink()
        self.assert_fails_alone(self.train(run, "--resume", "--precision", other), "precision")

    def test_a_locked_folder_is_refused(self):
        run = self.folder / "run"
        process = start("train", BASE / "recipe.yaml", "--data", BASE / "train", "--out", run, "--threads", 1)
        self.wait_for(run / "log.jsonl", process)
        answer = self.train(run, "--resume")
        process.kill()
        process.communicate()
        self.assert_fails_alone(answer, run)

    def test_loss_that_is_no_number_names_step_and_files(self):
        run = self.folder / "run"
        answer = self.train(run, "--set", "stage1.lr=1e30")
        self.assert_fails(answer, "step")
        self.assertRegex(answer.err, r"\.png")
        self.assertFalse((run / STAGE / "done").exists())

    def test_a_disk_that_fills_up_leaves_the_last_good_checkpoint(self):
        run = self.folder / "run"
        process = start("train", BASE / "recipe.yaml", "--data", BASE / "train", "--out", run, "--threads", 1)
        self.wait_for(run / STAGE / "last.ckpt", process)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        before = (run / STAGE / "last.ckpt").read_bytes()

        def small_files():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))

        done = subprocess.run([MIEN, "train", BASE / "recipe.yaml", "--data", BASE / "train", "--out", run, "--threads", "1", "--resume"],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=small_files)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertRegex(done.stderr.splitlines()[-1], r"^mien: .*(ckpt|safetensors)")
        self.assertEqual((run / STAGE / "last.ckpt").read_bytes(), before)
        self.assertEqual(list(run.rglob("*.part")), [])
        self.assert_done(self.train(run, "--resume"))
        self.assert_same_result(run)

    def test_a_few_bad_pictures_are_skipped_and_many_are_fatal(self):
        data = self.folder / "data"
        shutil.copytree(BASE / "train", data)
        bad_pictures(data / "ANGER")
        answer = self.train(self.folder / "a", data=data)
        self.assert_fails(answer, "max_bad_share")
        answer = self.train(self.folder / "b", "--set", "data.max_bad_share=0.2", "--set", "stage1.epochs=1", data=data)
        self.assert_done(answer)
        for name in ("cut.jpg", "text.jpg", "zero.png", "huge.png"):
            self.assertEqual(sum(name in line for line in answer.lines), 1, answer.err)


class Sets(Case):
    """What --data refuses, before anything is trained."""

    def train(self, data, *more):
        return mien("train", self.recipe(), "--data", data, "--out", self.folder / "run", "--threads", 1, *more)

    def test_empty_class_folder(self):
        data = class_set(self.folder / "data", 2)
        (data / "FEAR" / "1.png").unlink()
        (data / "FEAR" / "2.png").unlink()
        self.assert_fails_alone(self.train(data), "FEAR")

    def test_a_class_without_folder_or_row(self):
        data = class_set(self.folder / "data", 2, classes=[c for c in CLASSES if c != "fear"])
        self.assert_fails_alone(self.train(data), data, "fear")
        rows = [f"data/{name.upper()}/{i}.png,{name}" for name in CLASSES if name != "fear" for i in (1, 2)]
        (self.folder / "set.csv").write_text("\n".join(rows) + "\n")
        self.assert_fails_alone(self.train(self.folder / "set.csv"), "set.csv", "fear")

    def test_a_class_whose_every_picture_is_broken(self):
        data = class_set(self.folder / "data", 4)
        for i in range(1, 5):
            (data / "FEAR" / f"{i}.png").write_text("no picture")
        for balance in ("none", "randaugment"):
            answer = self.train(data, "--set", "data.max_bad_share=1", "--set", f"data.balance={balance}")
            self.assert_fails(answer, data, "class fear has no readable picture")
            shutil.rmtree(self.folder / "run")
        self.assert_fails(self.train(data), data, "too many unreadable pictures", "max_bad_share")

    def test_a_batch_larger_than_the_set(self):
        data = class_set(self.folder / "data", 2)
        for more in ([], ["--set", "data.balance=randaugment"]):
            answer = self.train(data, "--set", "stage1.batch=7", *more)
            self.assert_fails_alone(answer, data, "6 pictures to train on", "stage1.batch, 7")

    def test_impossible_augmentation(self):
        data = class_set(self.folder / "data", 2)
        for setting, word in [("randaugment.ops=-1", "0 to 16"), ("randaugment.magnitude=31", "0 to 30"), ("mixup=-1", "0 to 1000"),
                              ("cutmix=-0.1", "0 to 1000"), ("randaugment.equalize=2", "true or false")]:
            with self.subTest(setting):
                self.assert_fails_alone(self.train(data, "--set", "augment." + setting), "augment." + setting.split("=")[0], word)

    def test_no_class_folder_at_all(self):
        data = class_set(self.folder / "data", 1, classes=["cats", "dogs"])
        self.assert_fails(self.train(data), data)

    def test_missing_and_empty_sets(self):
        self.assert_fails_alone(self.train(self.folder / "nowhere"), "nowhere")
        (self.folder / "empty").mkdir()
        self.assert_fails_alone(self.train(self.folder / "empty"), "empty")

    def test_csv_faults_name_their_line(self):
        class_set(self.folder / "data", 1)
        good = "path,label\ndata/ANGER/1.png,anger\n"
        for text, words in [(good + "data/FEAR/1.png,9\n", ["line 3", "9"]), (good + '"data/FEAR/1.png,2\n', ["line 3"]),
                            (good + "data/FEAR/1.png\n", ["line 3"]), (good + "data/FEAR/1.png,\n", ["line 3", "wanted 0..5, or anger"]),
                            (good + "data/ANGER/1.png,fear\n", ["line 3", "is fear here and anger on line 2"]),
                            ("", ["set.csv"])]:
            with self.subTest(text):
                path = self.folder / "set.csv"
                path.write_text(text)
                self.assert_fails_alone(self.train(path), "set.csv", *words)

    def test_csv_with_a_missing_file(self):
        class_set(self.folder / "data", 4)
        rows = [f"data/{name}/{i}.png,{name}" for name in ("ANGER", "DISGUST", "FEAR", "HAPPINESS", "SADNESS", "SURPRISE")
                for i in (1, 2, 3, 4)]
        path = self.folder / "set.csv"
        path.write_text("\n".join(rows + ["data/FEAR/nowhere.png,fear"]) + "\n")
        self.assert_fails(self.train(path), "nowhere.png")

    def test_csv_whose_pictures_lie_elsewhere(self):
        class_set(self.folder / "faces", 3)
        faces, unaligned, lists = (self.folder / name for name in ("faces", "unaligned", "lists"))
        (unaligned / "FEAR").mkdir(parents=True)
        (faces / "FEAR" / "3.png").rename(unaligned / "FEAR" / "3.png")
        lists.mkdir()
        lists.joinpath("set.csv").write_text("".join(f"{name.upper()}/{i}.png,{name}\n" for name in CLASSES for i in (1, 2, 3)))
        recipe = self.recipe()

        def train(out, *more):
            return mien("train", recipe, "--out", self.folder / out, "--threads", 1, "--set", "stage1={epochs: 1, batch: 4}",
                        "--set", "data.val_share=0.3", *more)

        listed, places = ("--data", lists / "set.csv"), ("--images", faces, "--images-fallback", unaligned)
        self.assert_done(train("first", *listed, *places))
        sets = f"data.sets=[{{data: {lists}/set.csv, images: {faces}, fallback: {unaligned}}}]"
        self.assert_done(train("second", "--set", sets))
        first, second = ((self.folder / run / STAGE / "best.safetensors").read_bytes() for run in ("first", "second"))
        self.assertEqual(first, second)
        answer = mien("eval", self.folder / "first", *listed, *places, "--json")
        self.assert_done(answer)
        self.assertEqual(answer.json()["n"], 18)
        self.assert_fails(mien("eval", self.folder / "first", *listed, "--images", faces), faces / "FEAR" / "3.png")
        self.assert_fails_alone(train("third", "--data", faces, "--images", unaligned), faces, "class folders hold")
        self.assert_fails_alone(train("third", "--data", faces, "--data", lists), lists, "a second set")
        self.assert_fails_alone(train("third"), "data.sets: none")

    def test_strict_refuses_what_would_be_left_out(self):
        data = class_set(self.folder / "data", 2)
        (data / "NEUTRAL").mkdir()
        self.assert_fails_alone(self.train(data, "--strict"), data / "NEUTRAL", "anger")
        shutil.rmtree(data / "NEUTRAL")
        val = class_set(self.folder / "val", 2)
        (val / "NEUTRAL").mkdir()
        self.assert_fails_alone(self.train(data, "--val", val, "--strict"), val / "NEUTRAL", "anger")
        rows = [f"data/{name.upper()}/{i}.png,{name}" for name in CLASSES for i in (1, 2)]
        (self.folder / "set.csv").write_text("\n".join([*rows, "data/FEAR/1.png,joy"]) + "\n")
        self.assert_fails_alone(self.train(self.folder / "set.csv", "--strict"), "set.csv: line 13: label joy", *CLASSES)
        self.assert_fails(self.train(self.folder / "set.csv"), "6 pictures to train on")

    def test_folders_that_are_no_class_are_left_out_with_a_notice(self):
        data = class_set(self.folder / "data", 4)
        (data / "NEUTRAL").mkdir()
        (data / "NEUTRAL" / "1.png").write_bytes((data / "FEAR" / "1.png").read_bytes())
        answer = self.train(data, "--set", "stage1.epochs=1")
        self.assert_done(answer)
        self.assertEqual(sum("NEUTRAL" in line for line in answer.lines), 1, answer.err)


class Recipes(Case):
    def refuse(self, text, *words, data=None):
        path = self.folder / "r.yaml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        answer = mien("train", path, "--data", data or BASE / "train", "--out", self.folder / "run")
        self.assert_fails_alone(answer, "r.yaml", *words)
        self.assertFalse((self.folder / "run").exists())

    def test_files_that_are_no_recipe(self):
        self.refuse("")
        self.refuse(bytes(range(256)) * 8)
        self.refuse("task: lsd\n" + "# padding\n" * 1_100_000)
        self.refuse("[1, 2]\n")

    def test_keys_and_values(self):
        self.refuse("seed: 1\n", "task")
        self.refuse("task: lsd\nseed: 1\nseed: 2\n", "line 3", "seed")
        self.refuse("task: lsd\nlearning_rate: 1\n", "line 2", "learning_rate")
        self.refuse("task: lsd\nstage1: {lr: .nan}\n", "line 2", "lr")
        self.refuse("task: lsd\nstage1: {epochs: many}\n", "line 2", "epochs")
        self.refuse("task: lsd\nmtl: {enabled: true}\n", "line 2", "mtl")
        self.refuse("task: lsd\nstage1: {enabled: false}\nstage2: {enabled: false}\n", "line 2", "stage1.enabled")
        self.refuse("task: lsd\nstage1: {enabled: false}\n", "line 2", "stage2.init: pretrained")
        self.refuse("task: lsd\nmodels: [resnet50]\nstage2: {init: pretrained}\n", "line 3", "init.resnet50")
        self.refuse("task: chess\n", "line 1", "chess")

    def test_alias_bomb(self):
        bomb = "a: &a [x, x]\n" + "".join(f"{chr(98 + i)}: &{chr(98 + i)} [*{chr(97 + i)}, *{chr(97 + i)}]\n" for i in range(20))
        self.refuse("task: lsd\n" + bomb, "line")

    def test_settings(self):
        for setting in ("nosuch=1", "stage1.lr=fast", "stage1.lr", "stage1.epochs=0"):
            answer = mien("train", BASE / "recipe.yaml", "--set", setting, "--data", BASE / "train", "--out", self.folder / "run")
            self.assert_fails_alone(answer, "--set")

    def test_the_reference_page_is_the_programs(self):
        self.assertEqual(mien("train", "--list-keys").out, (ROOT / "docs" / "recipe.md").read_text())

    def test_committed_recipes_are_read(self):
        for path in sorted((ROOT / "recipes").glob("*.yaml")):
            needed = ["--set", "stage2.init=stage1"] if path.name == "lsd.yaml" else []  # else it wants files of weights
            answer = mien("train", path, *needed, "--data", self.folder / "nowhere", "--out", self.folder / "run")
            self.assert_fails_alone(answer, "nowhere")

    def test_the_papers_recipe_wants_pretrained_weights(self):
        answer = mien("train", ROOT / "recipes" / "lsd.yaml", "--data", BASE / "train", "--out", self.folder / "run")
        self.assert_fails_alone(answer, "lsd.yaml: line", "stage2.init", "init.vit_b_16")


main()
