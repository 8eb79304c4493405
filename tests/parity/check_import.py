#!/usr/bin/env python3
"""Random weights of torchvision (and, where it is installed, timm), saved by torch.save, imported, and asked: check_import.py [NAME...]

Logits, up to the constant that softmax drops, must equal PyTorch's of float64 to 1e-4 of their norm, or twice what PyTorch's own
float32 is off; the model file's tensors must load into torchvision's network with strict=True; and one weight moved by a hundredth
must be noticed. Beside the weights lies what research code keeps there. Environment: MIEN the command, MIEN_LIBRARY the shared library. Exit code 77 where no python3 has torch and torchvision.
"""
import argparse
import ctypes
import os
import pathlib
import subprocess
import sys
import tempfile

from needs import torch, torchvision
import numpy
import lite0
from reference import read

try:
    import timm
except ImportError:
    timm = None

CLASSES, TOLERANCE = 6, 1e-4
IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
HALF = (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)


class Compute(ctypes.Structure):
    _fields_ = [("size", ctypes.c_size_t), ("device", ctypes.c_char_p), ("precision", ctypes.c_int), ("threads", ctypes.c_int), ("progress", ctypes.c_void_p),
                ("payload", ctypes.c_void_p)]


def torchvision_model(name, size):
    options = {"image_size": size} if name == "vit_b_16" else {}
    if name in ("googlenet", "inception_v3"):  # as the published weights are used: with auxiliary heads and transform_input
        options = {"transform_input": True, "aux_logits": True, "init_weights": False}
    return getattr(torchvision.models, name)(num_classes=CLASSES, **options)


def lite0_model(name, size):
    return getattr(lite0, name)(CLASSES)


def ported_model(name, size):
    """tf_efficientnet_lite0, whose state dict has the names of the port to PyTorch that the wheel of ImageNet weights holds."""
    return lite0.tf_efficientnet_lite0(CLASSES)


def ported_names(state):
    """timm's names of Lite0 written as lukemelas' port has them, the other way round than src/nn/import_names.c."""
    number = {f"{stage}.{i}": str(k) for k, (stage, i) in enumerate(
        (stage, i) for stage, row in enumerate(lite0.STAGES) for i in range(row[-1]))}
    first = {"conv_dw": "_depthwise_conv", "bn1": "_bn1", "conv_pw": "_project_conv", "bn2": "_bn2"}
    later = {"conv_pw": "_expand_conv", "bn1": "_bn0", "conv_dw": "_depthwise_conv", "bn2": "_bn1", "conv_pwl": "_project_conv", "bn3": "_bn2"}
    outside = {"conv_stem": "_conv_stem", "bn1": "_bn0", "conv_head": "_conv_head", "bn2": "_bn1", "classifier": "_fc"}
    renamed = {}
    for name, t in state.items():
        part = name.split(".")
        if part[0] == "blocks":
            at = f"{part[1]}.{part[2]}"
            renamed[".".join(["_blocks", number[at], (first if at == "0.0" else later)[part[3]], *part[4:]])] = t
        else:
            renamed[".".join([outside[part[0]], *part[1:]])] = t
    return renamed


# NAME: (how it is made, what --arch is, side, the normalisation its input has had)
CASES = {
    "resnet50": (torchvision_model, "resnet50", 64, IMAGENET),
    "efficientnet_b0": (torchvision_model, "efficientnet_b0", 64, IMAGENET),
    "efficientnet_lite0": (lite0_model, "efficientnet_lite0", 64, IMAGENET),
    "tf_efficientnet_lite0": (lite0_model, "tf_efficientnet_lite0", 75, HALF),
    "ported_efficientnet_lite0": (ported_model, "tf_efficientnet_lite0", 64, HALF),
    "googlenet": (torchvision_model, "googlenet", 64, IMAGENET),
    "inception_v3": (torchvision_model, "inception_v3", 128, IMAGENET),
    "vit_b_16": (torchvision_model, "vit_b_16", 32, IMAGENET),
}
if timm:
    def timm_model(name, size):
        options = {"img_size": size} if name[5:].startswith("vit") else {}
        return timm.create_model(name[5:], num_classes=CLASSES, **options)

    CASES.update({
        "timm_resnet50": (timm_model, "resnet50", 64, IMAGENET),
        "timm_efficientnet_b0": (timm_model, "efficientnet_b0", 64, IMAGENET),
        "timm_tf_efficientnet_b0": (timm_model, "tf_efficientnet_b0", 64, IMAGENET),
        "timm_inception_v3": (timm_model, "inception_v3", 128, HALF),
        "timm_vit_base_patch16_224": (timm_model, "vit_base_patch16_224", 32, HALF),
    })


def settle(model, size, batch=None):
    """Batch norm's statistics become those of some batch (None: of noise), so that signals neither grow nor vanish."""
    norms = [m for m in model.modules() if isinstance(m, torch.nn.modules.batchnorm._BatchNorm)]
    for module in model.modules():
        if isinstance(module, torchvision.ops.StochasticDepth):
            module.p = 0.0
    for norm in norms:
        norm.momentum = 1.0
    if norms:
        kept = {n: getattr(model, n) for n in ("aux_logits", "AuxLogits") if hasattr(model, n)}
        for name in kept:  # they want larger pictures while training
            setattr(model, name, None)
        model.train()
        with torch.no_grad():
            model(torch.randn(4, 3, size, size) if batch is None else batch)
        for name, value in kept.items():
            setattr(model, name, value)
    return model.eval()


def heads_of(model):
    return [m for m in model.modules() if isinstance(m, torch.nn.Linear) and m.out_features == CLASSES]


def centred(logits):
    return logits.double() - logits.double().mean()


def answer_of_mien(library, path, picture):
    """log probabilities [CLASSES] for one picture [size, size, 3] uint8"""
    model, session, row = ctypes.c_void_p(), ctypes.c_void_p(), (ctypes.c_float * (1 + CLASSES))()
    compute = Compute(ctypes.sizeof(Compute), b"cpu", 1, 0, None, None)  # f32
    paths = (ctypes.c_char_p * 1)(str(path).encode())
    size = picture.shape[0]
    failed = (library.mien_model_open(ctypes.byref(model), paths, 1, ctypes.byref(compute)) or
              library.mien_session_open(ctypes.byref(session), model, None) or
              library.mien_predict_rgb(row, len(row), session, picture.numpy().tobytes(), 1, size, size))
    library.mien_session_free(session)
    library.mien_model_free(model)
    if failed:
        raise RuntimeError(library.mien_error().decode())
    return torch.tensor(list(row)[1:], dtype=torch.float64).log()


def run_import(weights, arch, size, out):
    done = subprocess.run([os.environ["MIEN"], "import", weights, "--arch", arch, "--size", str(size), "--out", out], capture_output=True,
                          text=True)
    told = [line for line in done.stderr.splitlines() if "its tensors do not tell" not in line]
    assert done.returncode == 0 and not told, done.stdout + done.stderr


def check(name, library, folder):
    make, arch, size, (mean, std) = CASES[name]
    torch.manual_seed(11)
    model = settle(make(name, size), size)
    for head in heads_of(model):  # torchvision begins with a ViT head of zeros, which would answer the same whatever came before
        torch.nn.init.normal_(head.weight, std=0.02)
    picture = torch.randint(0, 256, (size, size, 3), dtype=torch.uint8)
    with torch.no_grad():
        x = (picture.double() / 255 - torch.tensor(mean)) / torch.tensor(std)
        x = x.permute(2, 0, 1)[None].float()
        scale = model(x).std()  # of six random classes; far above 1 the others' probabilities would be 0
        for head in heads_of(model):
            head.weight /= scale
            head.bias /= scale
        own = centred(model(x)[0])
        wanted = centred(model.double()(x.double())[0])
        model.float()
        tolerance = max(TOLERANCE, 2 * ((own - wanted).norm() / wanted.norm()).item())
    weights, out = folder / "weights.pth", folder / "model.safetensors"
    error = {}
    for form in ("zip", "legacy", "moved"):
        state = ported_names(model.state_dict()) if make is ported_model else model.state_dict()
        if form == "moved":
            moved = next(n for n, t in state.items() if t.dim() == 4)
            state[moved] = state[moved] * 1.01
        beside = {"args": argparse.Namespace(arch=name, out=folder), "best": numpy.float64(0.5), "seen": numpy.arange(3),
                  "device": torch.device("cpu")}
        torch.save({"state_dict": state, **beside}, weights, _use_new_zipfile_serialization=form != "legacy")
        run_import(weights, arch, size, out)
        error[form] = ((centred(answer_of_mien(library, out, picture)) - wanted).norm() / wanted.norm()).item()
        if form == "zip" and make in (lite0_model, ported_model):
            lite0.efficientnet_lite0(CLASSES).load_state_dict(read(out), strict=True)
        if form == "zip" and make is torchvision_model:
            options = {"aux_logits": False, "init_weights": False} if name in ("googlenet", "inception_v3") else {}
            options.update({"image_size": size} if name == "vit_b_16" else {})
            getattr(torchvision.models, name)(num_classes=CLASSES, **options).load_state_dict(read(out), strict=True)
    is_good = max(error["zip"], error["legacy"]) <= tolerance < error["moved"]
    print(f"{name:28} zip {error['zip']:.1e}  legacy {error['legacy']:.1e}  one weight moved {error['moved']:.1e}  tolerance {tolerance:.1e}  "
          f"{'ok' if is_good else 'FAILED'}", flush=True)
    return is_good


def check_imagenet(folder):
    """The weights that `tools/setup --imagenet` fetches: the five likeliest classes, and their probabilities."""
    source = pathlib.Path(os.environ["MIEN"]).parent / "deps" / "imagenet" / "efficientnet_lite0.pth"
    if not source.is_file():
        print(f"skipped: {source} is not there (tools/setup --imagenet fetches it)")
        return True
    state, model = torch.load(source), lite0.tf_efficientnet_lite0(1000).eval()
    model.load_state_dict({name: state[ported] for name, ported in zip(model.state_dict(), ported_names(model.state_dict()))})
    out, picture = folder / "imagenet.safetensors", folder / "picture.png"
    subprocess.run([os.environ["MIEN"], "import", source, "--arch", "tf_efficientnet_lite0", "--classes",
                    ",".join(f"c{i}" for i in range(1000)), "--out", out], check=True, capture_output=True)
    torch.manual_seed(3)
    coarse = torch.rand(1, 3, 14, 14)  # blobs, which look like more things than noise does
    pixels = (torch.nn.functional.interpolate(coarse, size=224, mode="bicubic").clamp(0, 1) * 255).round().to(torch.uint8)[0]
    torchvision.io.write_png(pixels, str(picture))
    with torch.no_grad():
        wanted = torch.softmax(model((pixels[None].float() / 255 - 0.5) / 0.5).double(), 1)[0]
    told = subprocess.run([os.environ["MIEN"], "predict", out, picture, "--precision", "f32"], check=True, capture_output=True, text=True)
    header, row = (line.split(",") for line in told.stdout.splitlines())
    found = torch.tensor([float(row[header.index(f"c{i}")]) for i in range(1000)])
    off = (found - wanted).abs().max().item()
    is_good = found.topk(5)[1].tolist() == wanted.topk(5)[1].tolist() and off < 1e-5 < wanted.max().item()
    print(f"ImageNet weights: classes {wanted.topk(5)[1].tolist()}, probabilities within {off:.1e}  {'ok' if is_good else 'FAILED'}", flush=True)
    return is_good


def main():
    library = ctypes.CDLL(os.environ["MIEN_LIBRARY"])
    library.mien_error.restype = ctypes.c_char_p
    library.mien_model_free.argtypes = library.mien_session_free.argtypes = [ctypes.c_void_p]
    library.mien_session_open.argtypes = [ctypes.c_void_p] * 3
    library.mien_predict_rgb.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int64, ctypes.c_int,
                                         ctypes.c_int]
    print(f"PyTorch {torch.__version__}, torchvision {torchvision.__version__}, timm {timm.__version__ if timm else 'not installed'}")
    with tempfile.TemporaryDirectory() as folder:
        results = [check(name, library, pathlib.Path(folder)) for name in sys.argv[1:] or CASES]
        results.append(check_imagenet(pathlib.Path(folder)))
    sys.exit(not all(results))


if __name__ == "__main__":  # check_export.py takes its networks from here
    main()
