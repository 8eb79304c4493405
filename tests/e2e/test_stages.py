"""Two stages from the command: fine-tuning, then the deviation module, killed between and within them, scored, run alone."""
import json
import struct
import time
from support import BASE, PICTURES, RECIPE, Case, main, mien, start

TWO = RECIPE.replace("epochs: 8", "epochs: 2").replace("augment: {flip: true, crop: 2}\n", "").replace(
    "stage2: {enabled: false}", "stage2: {epochs: 2, batch: 8, lr: 0.001, class_weights: [1, 3, 5, 1, 1, 1]}")
STAGES = ["efficientnet_b0-stage1", "efficientnet_b0-stage2"]


def read_model(path):
    """Header and tensor bytes of a safetensors file."""
    data = path.read_bytes()
    length = struct.unpack("<Q", data[:8])[0]
    return json.loads(data[8:8 + length]), data[8 + length:]


class Stages(Case):
    def train(self, out, *more, recipe=None):
        return mien("train", recipe or self.recipe(TWO), "--data", BASE / "train", "--out", out, "--threads", 1, *more)

    def test_both_are_trained_scored_and_resumed_to_the_same_bits(self):
        whole, killed = self.folder / "whole", self.folder / "killed"
        self.assert_done(self.train(whole))
        kinds = [mien("info", whole / stage / "best.safetensors", "--json").json()["model"]["kind"] for stage in STAGES]
        self.assertEqual(kinds, ["plain", "deviation"])
        starts = [json.loads(line) for line in (whole / "log.jsonl").read_text().splitlines() if '"start"' in line]
        self.assertEqual([(s["stage"], s.get("cached_features")) for s in starts], [("stage1", None), ("stage2", True)])

        document = mien("eval", whole, "--data", BASE / "test", "--json").json()
        self.assertEqual([m["model"] for m in document["members"]], STAGES)
        last = mien("eval", whole / STAGES[1] / "best.safetensors", "--data", BASE / "test", "--json").json()
        self.assertEqual(document["ensemble"]["confusion"], last["ensemble"]["confusion"])  # the last stage alone counts
        self.assert_done(mien("predict", whole, PICTURES / "rgb420.jpg"))
        kept = self.folder / "kept.npy"
        self.assert_done(mien("eval", whole, "--data", BASE / "test", "--scores", kept))
        again = mien("eval", kept, "--data", BASE / "test", "--json").json()
        self.assertEqual([m["model"] for m in again["members"]], ["kept.npy"])  # what the ensemble was made of
        self.assertEqual(again["ensemble"], document["ensemble"])

        for stage in STAGES:  # killed soon after each stage has begun
            process = start("train", self.recipe(TWO), "--data", BASE / "train", "--out", killed, "--threads", 1, "--resume")
            end = time.monotonic() + 200
            while not (killed / stage / "last.ckpt").exists():
                self.assertLess(time.monotonic(), end, f"{stage} never began")
                self.assertIsNone(process.poll(), "the run ended before it was to be stopped")
                time.sleep(0.01)
            process.kill()
            process.communicate()
        self.assert_done(self.train(killed, "--resume"))
        for stage in STAGES:
            for name in ("best.safetensors", "validation.csv", "done"):
                self.assertEqual((killed / stage / name).read_bytes(), (whole / stage / name).read_bytes(), (stage, name))

        self.check_half(whole / STAGES[1] / "best.safetensors")

    def check_half(self, path):
        """A stage-2 model without its frozen copy names what is missing."""
        header, data = read_model(path)
        kept = {name: entry for name, entry in header.items() if not name.startswith("identity.")}
        body = b""
        for entry in kept.values():
            if "data_offsets" in entry:
                begin, end = entry["data_offsets"]
                entry["data_offsets"] = [len(body), len(body) + end - begin]
                body += data[begin:end]
        text = json.dumps(kept).encode()
        half = self.folder / "half.safetensors"
        half.write_bytes(struct.pack("<Q", len(text)) + text + body)
        for answer in (mien("predict", half, PICTURES / "rgb420.jpg"), mien("info", half)):
            self.assert_fails(answer, "half.safetensors", "missing")
            self.assertIn("missing: identity.features.0.0.weight", answer.out + answer.err)

    def test_stage2_alone_begins_with_the_init_file(self):
        init = BASE / "run" / STAGES[0] / "best.safetensors"
        recipe = self.recipe(TWO.replace("stage1: {", "stage1: {enabled: false, ").replace(
            "stage2: {epochs: 2", f"init: {{efficientnet_b0: '{init}'}}\nstage2: {{init: pretrained, epochs: 1"))
        self.assert_done(self.train(self.folder / "run", recipe=recipe))
        header, data = read_model(self.folder / "run" / STAGES[1] / "best.safetensors")
        wanted, wanted_data = read_model(init)
        name = "features.4.1.block.0.0.weight"
        begin, end = header[f"identity.{name}"]["data_offsets"]
        wanted_begin, wanted_end = wanted[name]["data_offsets"]
        self.assertEqual(data[begin:end], wanted_data[wanted_begin:wanted_end])
        self.assertFalse((self.folder / "run" / STAGES[0]).exists())

    def test_what_a_stage_cannot_begin_with_is_refused_before_anything_starts(self):
        for lines, words in [("stage2: {init: pretrained}", ["line 5", "stage2.init", "init.efficientnet_b0"]),
                             ("stage1: {enabled: false}", ["line 5", "stage1.enabled"]),
                             ("stage2: {init: imagenet}", ["line 5", "stage2.init", "stage1 or pretrained"])]:
            with self.subTest(lines):
                recipe = self.recipe("\n".join(RECIPE.splitlines()[:4]) + "\n" + lines + "\n")
                self.assert_fails_alone(self.train(self.folder / "run", recipe=recipe), "recipe.yaml", *words)
                self.assertFalse((self.folder / "run").exists())

    def test_bench_and_graph_know_the_module(self):
        answer = mien("bench", "train", "--arch", "efficientnet_b0", "--deviation", "--batch", 2, "--size", 32, "--threads", 1,
                      "--json")
        self.assert_done(answer)
        self.assertTrue(answer.json()["deviation"])
        answer = mien("info", "--graph", "efficientnet_b0+deviation", "--size", 32)
        self.assert_done(answer)
        self.assertIn("deviation = sub + 1e-06 (", answer.out)
        backward = [line for line in answer.out.splitlines() if line.startswith("backward")]
        self.assertTrue(backward)
        self.assertFalse([line for line in backward if " identity." in line.split("=")[0]])
        self.assert_fails_alone(mien("info", "--graph", "vgg+deviation"), "vgg")

    def test_graph_knows_the_networks_over_a_map(self):
        for kind, node in [("smm", "sign.self_attn = attention"), ("baseline", "largest = reshape")]:
            with self.subTest(kind):
                for mode in [], ["--inference"]:
                    answer = mien("info", "--graph", f"efficientnet_b0+{kind}", "--size", 64, *mode)
                    self.assert_done(answer)
                    self.assertIn(node, answer.out)
                    self.assertEqual("total = total (" in answer.out, not mode)
                    self.assertEqual("heads.va:clipped = activation" in answer.out, bool(mode))


main()
