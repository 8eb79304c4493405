#!/usr/bin/env python3
"""What `mien export` writes, run by ONNX Runtime and read by PyTorch: check_export.py [NAME...]

For networks of random weights, ONNX Runtime's probabilities are those of `mien predict` in f32 to 1e-4, for one picture and for three, in
every form of input; for another picture, and with one weight in the file moved by a hundredth, they are not. The .safetensors of each
loads into torchvision's network with strict=True. Environment: MIEN the command. Exit code 77 where there is no python3 with torch and
torchvision, or no onnxruntime and safetensors beside it (tools/setup --tests puts both into build/deps/python).
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

from check_import import CASES, CLASSES, settle, torch, torchvision, torchvision_model

try:
    import numpy
    import onnxruntime
    import safetensors
    import safetensors.torch
    from PIL import Image
except ImportError as error:
    print(f"skipped: {error} (tools/setup --tests installs onnxruntime and safetensors)")
    sys.exit(77)

TOLERANCE, PICTURES = 1e-4, 3
SPREAD = 0.3  # deviation of logits: enough to tell pictures apart, and no more than rounding can be told from
NAMES = ["anger", "disgust", "fear", "happiness", "sadness", "surprise"]
# Three sizes of input, two normalisations, two plain ones of one architecture and a deviation model of it.
TOGETHER = ["efficientnet_b0", "deviation", "googlenet", "tf_efficientnet_b0"]
FORMS = {"uint8": [], "float": ["--input", "float"], "raw": ["--raw"]}
# Sizes are small where a network allows it, and odd ones where its pools round.
# The variant's padding is lopsided only where sides are even.
SIZES = {"resnet50": 64, "efficientnet_b0": 65, "tf_efficientnet_b0": 64, "googlenet": 70, "inception_v3": 107, "vit_b_16": 48}


def mien(*arguments):
    done = subprocess.run([os.environ["MIEN"], *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == 0 and not done.stderr, f"mien {arguments}: {done.stdout}{done.stderr}"
    return done.stdout


def draw(number, size):
    """A picture of blotches as large as a fifth of it: noise of pixels would be grey to a network."""
    random = numpy.random.default_rng(number)
    return Image.fromarray(random.integers(0, 256, (5, 5, 3), dtype=numpy.uint8)).resize((size, size), Image.BICUBIC)


class Pictures:
    """PNG files, and what a user makes of them for an input of the ONNX file."""

    def __init__(self, folder, size, first=0):
        self.images = [draw(first + i, size) for i in range(PICTURES)]
        self.paths = [folder / f"{size}-{first + i}.png" for i in range(PICTURES)]
        for image, path in zip(self.images, self.paths):
            image.save(path)

    def input(self, form, size, mean, std):
        x = numpy.stack([numpy.asarray(image.resize((size, size), Image.BILINEAR)) for image in self.images])
        if form == "uint8":
            return x
        x = x.astype(numpy.float32)
        return x if form == "float" else ((x / 255 - numpy.float32(mean)) / numpy.float32(std)).transpose(0, 3, 1, 2)


def as_tensorflow(network):
    """EfficientNet-B0 with TensorFlow's "same" padding and epsilon, so that its statistics are those of the variant."""
    def pad(conv, inputs):
        x, sides = inputs[0], []
        for size, kernel, stride in zip(x.shape[:1:-1], conv.kernel_size[::-1], conv.stride[::-1]):
            least = max((-(-size // stride) - 1) * stride + kernel - size, 0)
            sides += [least // 2, least - least // 2]
        return torch.nn.functional.pad(x, sides)

    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d):
            module.padding = (0, 0)
            module.register_forward_pre_hook(pad)
        elif isinstance(module, torch.nn.BatchNorm2d):
            module.eps = 1e-3
    return network


def make(name, folder, seed=11):
    """(model file, torchvision's network): random weights, settled on such pictures, whose answers are SPREAD apart."""
    size, is_tensorflow = SIZES[name], name.startswith("tf_")
    network = name.removeprefix("tf_")
    torch.manual_seed(seed)
    mean, std = CASES[network][3]
    pictures = numpy.stack([numpy.asarray(draw(100 + i, size)) for i in range(8)])
    x = ((torch.from_numpy(pictures).float() / 255 - torch.tensor(mean)) / torch.tensor(std)).permute(0, 3, 1, 2)
    network = torchvision_model(network, size)
    network = settle(as_tensorflow(network) if is_tensorflow else network, size, x)
    head = [m for m in network.modules() if isinstance(m, torch.nn.Linear) and m.out_features == CLASSES][-1]
    head.reset_parameters()  # a ViT's begins at 0
    with torch.no_grad():  # what all pictures have in common goes, what tells them apart is brought to SPREAD
        logits = network(x)
        scale = (logits - logits.mean(0)).std() / SPREAD
        head.bias.copy_((head.bias - logits.mean(0)) / scale)
        head.weight /= scale
    torch.save(network.state_dict(), folder / "weights.pth")
    path = folder / f"{name}-{seed}.safetensors"
    mien("import", folder / "weights.pth", "--arch", name, "--size", size, "--out", path)
    return path, network


def make_deviation(name, folder):
    """A deviation model of two copies that differ, with the head of the second one."""
    (first, _), (second, network) = make(name, folder, 11), make(name, folder, 12)
    head = [n for n, m in network.named_modules() if isinstance(m, torch.nn.Linear) and m.out_features == CLASSES][-1]
    identity, face = safetensors.torch.load_file(first), safetensors.torch.load_file(second)
    tensors = {"head" + n[len(head):]: t for n, t in face.items() if n.startswith(head + ".")}
    for root, copy in (("identity.", identity), ("face.", face)):
        tensors.update({root + n: t for n, t in copy.items() if not n.startswith(head + ".")})
    with safetensors.safe_open(second, "pt") as f:
        about = json.loads(f.metadata()["mien"])
    about["kind"] = "deviation"
    path = folder / f"{name}-deviation.safetensors"
    safetensors.torch.save_file(tensors, path, {"mien": json.dumps(about)})
    return path, None


def open_file(file):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 2
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # tests share the machine
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])


def run(file, inputs):
    session = open_file(file)
    return [session.run(["probabilities"], {name: x[:count] for name, x in inputs.items()})[0] for count in (PICTURES, 1)]


def predict(models, pictures):
    rows = mien("predict", *models, *pictures.paths, "--precision", "f32", "--threads", 2, "--format", "jsonl").splitlines()
    return numpy.array([[json.loads(row)[name] for name in NAMES] for row in rows])


def move_a_weight(file, member):
    """The first convolution's weight, where it lies in the file, times 1.01."""
    weights = [t for t in safetensors.torch.load_file(member).values() if t.dim() == 4]
    raw = weights[0].numpy().tobytes()
    data = file.read_bytes()
    assert data.count(raw) >= 1, "weights lie in the file as they are"
    file.write_bytes(data.replace(raw, (weights[0] * 1.01).numpy().tobytes(), 1))


def inputs_of(report, form, pictures):
    """{name: array} as the file's own metadata asks for"""
    members = report["metadata"]["members"]
    assert {m["input"] for m in members} == {i["name"] for i in report["inputs"]}
    return {m["input"]: pictures.input(form, m["image_size"], m["mean"], m["std"]) for m in members}


def check(name, models, folder, size):
    pictures, others = Pictures(folder, size), Pictures(folder, size, PICTURES)
    wanted, other = predict(models, pictures), predict(models, others)
    spread = numpy.abs(wanted[:, None] - wanted[None]).max()
    error, file = {}, folder / "model.onnx"
    for form, options in FORMS.items():
        report = json.loads(mien("export", *models, "--out", file, *options, "--json"))
        assert report["output"] == {"name": "probabilities", "type": "float32", "shape": ["batch", CLASSES]}
        three, one = run(file, inputs_of(report, form, pictures))
        error[form] = max(numpy.abs(three - wanted).max(), numpy.abs(one - wanted[:1]).max())
        error["another picture"] = numpy.abs(three - other).max()
    move_a_weight(file, models[0])
    error["weight moved"] = numpy.abs(run(file, inputs_of(report, form, pictures))[0] - wanted).max()
    is_good = max(error[form] for form in FORMS) <= TOLERANCE < min(error["another picture"], error["weight moved"])
    is_good &= spread > 100 * TOLERANCE  # or pictures would be all alike to the network
    print(f"{name:24} {'  '.join(f'{what} {value:.1e}' for what, value in error.items())}  {'ok' if is_good else 'FAILED'}", flush=True)
    return is_good


def check_state_dict(name, model, network, folder):
    """The .safetensors, read by the safetensors package, is the network's state dict."""
    out = folder / "state.safetensors"
    mien("export", model, "--out", out)
    state = safetensors.torch.load_file(out)
    with safetensors.safe_open(out, "pt") as f:
        assert f.metadata()["format"] == "pt" and all(isinstance(v, str) for v in f.metadata().values())
    if network is None:
        assert {n.split(".")[0] for n in state} == {"identity", "face", "head"}, "a deviation model keeps its roots"
        return True
    options = {"googlenet": {"aux_logits": False, "init_weights": False}, "inception_v3": {"aux_logits": False, "init_weights": False},
               "vit_b_16": {"image_size": SIZES["vit_b_16"]}}.get(name, {})
    fresh = getattr(torchvision.models, name.removeprefix("tf_"))(num_classes=CLASSES, **options)
    fresh.load_state_dict(state, strict=True)
    given = network.state_dict()
    return all(t.dtype == given[n].dtype and torch.equal(t, given[n]) for n, t in fresh.state_dict().items())


def main():
    print(f"ONNX Runtime {onnxruntime.__version__}, safetensors {safetensors.__version__}, PyTorch {torch.__version__}")
    asked, failed, begin = sys.argv[1:], 0, time.time()
    with tempfile.TemporaryDirectory() as folder:
        folder, made = pathlib.Path(folder), {}
        for name in SIZES:
            if not asked or name in asked:
                made[name], network = make(name, folder)
                failed += not check(name, [made[name]], folder, SIZES[name])
                failed += not check_state_dict(name, made[name], network, folder)
                if name not in TOGETHER:
                    made.pop(name).unlink()  # hundreds of megabytes
        if not asked or "deviation" in asked:
            made["deviation"], _ = make_deviation("efficientnet_b0", folder)
            failed += not check("deviation", [made["deviation"]], folder, SIZES["efficientnet_b0"])
            failed += not check_state_dict("efficientnet_b0", made["deviation"], None, folder)
        if not asked:
            failed += not check("ensemble", [made[name] for name in TOGETHER], folder, 91)
    print(f"{failed} failed, {time.time() - begin:.0f} s")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
