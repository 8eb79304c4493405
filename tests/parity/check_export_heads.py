#!/usr/bin/env python3
"""Models of several heads as `mien export` writes them, run by ONNX Runtime and read by PyTorch: check_export_heads.py [ARCHITECTURE]

SMM-EmotionNet by both ensembles of its regions, with orthogonal matrices, its baseline, and an ensemble of two, of random weights: every
head's output in ONNX Runtime is that of `mien predict` in f32 to 1e-4, for one picture and for three; of another picture, and with one
weight in the file moved by a hundredth, some head's is not. smm_reference.py, given the tensors of the .safetensors, answers the same.
Environment: MIEN the command, PARITY_SUBJECT smm_subject. Exit code 77 where something is missing, as check_export.py.
"""
import json
import pathlib
import sys
import tempfile
import time

from check_export import PICTURES, TOLERANCE, Pictures, draw, inputs_of, mien, move_a_weight, open_file
from check_models import subject
from reference import MEAN, STD, read
from smm_reference import HEADS, SIGN, SmmTraining

import numpy
import safetensors.torch
import torch

SIZES = {"efficientnet_b0": 64, "inception_v3": 139}
SETTLING = 32  # pictures that statistics are of, those that are asked about among them: others are far outside to random weights
SPREAD = {"va": 2.0}  # deviation of logits: some are to be clipped; else
USUAL_SPREAD = 0.5
KINDS = {"class": "class", "ccc": "regression", "regression": "regression", "binaries": "binaries"}
# NAME: (smm_subject's kind, how expressions are predicted)
MODELS = {"softmax": ("smm", "softmax"), "logits": ("smm", "logits"), "orthogonal": ("orthogonal", "softmax"), "baseline": ("baseline", None)}


def stacked(pictures):
    return torch.from_numpy(numpy.stack([numpy.asarray(image) for image in pictures]))[None]


def settle(network):
    """Statistics become those of the pictures, and what tells them apart in a head's logits is brought to its spread."""
    network.momentum = 1.0
    for module in network.backbone.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 1.0
    with torch.no_grad():
        network.heads(network.batch(0))
        network.is_training = False
        network.backbone.eval()
        for name, logits in network.heads(network.batch(0)).items():
            logits = logits.mean(1) if logits.dim() == 3 else logits
            weight, bias = network.p[f"heads.{name}.weight"], network.p[f"heads.{name}.bias"]
            scale = (logits - logits.mean(0)).std() / SPREAD.get(name, USUAL_SPREAD)
            bias.copy_((bias - logits.mean(0)) / scale)
            weight /= scale


def columns_of(name, count):
    return [f"{name}_{i}" for i in range(count)]


def describe(kind, ensemble, arch, size, sizes):
    """The metadata of a model file."""
    options = {"map": {"efficientnet_b0": "features", "inception_v3": "Mixed_6e"}[arch]}
    if kind != "baseline":
        options.update(orthogonal=kind == "orthogonal", expr_ensemble=ensemble)
    heads = [{"name": name, "kind": KINDS[what], "loss": None, "metric": None, "columns": columns_of(name, sizes[name])}
             for name, what in HEADS.items()]
    heads[list(HEADS).index("au")]["thresholds"] = [0.25] * sizes["au"]
    return {"version": 1, "task": "mtl", "arch": arch, "variant": "torchvision", "kind": "baseline" if kind == "baseline" else "smm",
            "options": options, "classes": columns_of("expression", sizes["expression"]), "heads": heads, "image_size": size,
            "mean": MEAN, "std": STD, "licence": None, "metrics": None}


def make(name, arch, folder):
    """(model file, sizes of its heads)"""
    kind, ensemble = MODELS[name]
    size, start_path = SIZES[arch], folder / "start"
    subject("draw", f"{arch}+{kind}", size, 1, 1, start_path)
    start = {**read(start_path), "images": stacked([draw(i, size) for i in range(SETTLING)])}
    network = SmmTraining(f"{arch}+{kind}", start, torch.float32)
    settle(network)
    tensors = {**{f"backbone.{n}": t for n, t in network.backbone.state_dict().items()}, **{n: t.detach() for n, t in network.p.items()}}
    tensors = {n: (t.long() if n.endswith("num_batches_tracked") else t.float()).contiguous() for n, t in tensors.items()}
    sizes = {head: len(tensors[f"heads.{head}.bias"]) for head in HEADS}
    path = folder / f"{arch}-{name}.safetensors"
    safetensors.torch.save_file(tensors, path, {"mien": json.dumps(describe(kind, ensemble, arch, size, sizes))})
    return path, sizes


def predict(models, pictures, sizes):
    """{head: [pictures, size]}"""
    rows = mien("predict", *models, *pictures.paths, "--precision", "f32", "--threads", 2, "--format", "jsonl").splitlines()
    rows = [json.loads(row) for row in rows]
    return {head: numpy.array([[row[c] for c in columns_of(head, size)] for row in rows]) for head, size in sizes.items()}


def run(file, inputs):
    """{head: [pictures, size]} of all pictures and of the first alone"""
    session = open_file(file)
    names = [output.name for output in session.get_outputs()]
    return [dict(zip(names, session.run(names, {name: x[:count] for name, x in inputs.items()}))) for count in (PICTURES, 1)]


def apart(a, b):
    assert a.keys() == b.keys()
    return max(numpy.abs(a[head] - b[head]).max() for head in a)


def report_of(models, file, sizes, *options):
    report = json.loads(mien("export", *models, "--out", file, *options, "--json"))
    assert report["outputs"] == [{"name": head, "type": "float32", "shape": ["batch", size], "columns": columns_of(head, size)}
                                 for head, size in sizes.items()]
    heads = json.loads(open_file(file).get_modelmeta().custom_metadata_map["heads"])
    assert [(h["name"], h["columns"]) for h in heads] == [(o["name"], o["columns"]) for o in report["outputs"]]
    assert {h["name"]: h.get("thresholds") for h in heads} == {head: [0.25] * size if head == "au" else None for head, size in sizes.items()}
    return report


def check(name, models, sizes, folder, size):
    pictures, others = Pictures(folder, size), Pictures(folder, size, PICTURES)
    wanted, other = predict(models, pictures, sizes), predict(models, others, sizes)
    spread = min(numpy.abs(t[:, None] - t[None]).max() for t in wanted.values())
    error, file = {}, folder / "model.onnx"
    for form, options in {"uint8": [], "raw": ["--raw"]}.items():
        report = report_of(models, file, sizes, *options)
        three, one = run(file, inputs_of(report, form, pictures))
        error[form] = max(apart(three, wanted), apart(one, {head: t[:1] for head, t in wanted.items()}))
    error["another picture"] = apart(three, other)
    move_a_weight(file, models[0])
    error["weight moved"] = apart(run(file, inputs_of(report, "raw", pictures))[0], wanted)
    is_good = max(error["uint8"], error["raw"]) <= TOLERANCE < min(error["another picture"], error["weight moved"])
    is_good &= spread > 100 * TOLERANCE  # or pictures would be all alike to a head
    is_good &= len(models) > 1 or numpy.abs(wanted["va"]).max() == 1  # something is clipped
    print(f"{name:24} {'  '.join(f'{what} {value:.1e}' for what, value in error.items())}  {'ok' if is_good else 'FAILED'}", flush=True)
    return is_good


def check_tensors(name, arch, model, sizes, folder, size):
    """The network in plain PyTorch of what the .safetensors holds, which has the model's names, answers as mien does."""
    kind, ensemble = MODELS[name]
    out, pictures = folder / "state.safetensors", Pictures(folder, size)
    mien("export", model, "--out", out)
    start = {**safetensors.torch.load_file(out), "images": stacked(pictures.images)}
    answers = SmmTraining(f"{arch}+{kind}", start, torch.float32, is_training=False).predict(ensemble)
    error = apart({head: answers[f"output.{head}"].numpy() for head in sizes}, predict([model], pictures, sizes))
    print(f"{name:24} PyTorch {error:.1e}  {'ok' if error <= TOLERANCE else 'FAILED'}", flush=True)
    return error <= TOLERANCE


def check_ensembles(made, sizes, folder, size):
    """The two ways to predict an expression differ by more than is allowed, or no file would be known for the other's."""
    pictures = Pictures(folder, size)
    difference = apart(*(predict([made[name]], pictures, {"expression": sizes["expression"]}) for name in ("softmax", "logits")))
    print(f"softmax beside logits    {difference:.1e}  {'ok' if difference > TOLERANCE else 'FAILED'}", flush=True)
    return difference > TOLERANCE


def main():
    arch, failed, begin, made = sys.argv[1] if len(sys.argv) > 1 else "efficientnet_b0", 0, time.time(), {}
    torch.set_num_threads(2)
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        for name in MODELS:
            made[name], sizes = make(name, arch, folder)
            failed += not check(name, [made[name]], sizes, folder, SIZES[arch])
            failed += not check_tensors(name, arch, made[name], sizes, folder, SIZES[arch])
        failed += not check_ensembles(made, sizes, folder, SIZES[arch])
        failed += not check("ensemble", [made["orthogonal"], made["baseline"]], sizes, folder, 91)
    print(f"{failed} failed, {time.time() - begin:.0f} s")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
