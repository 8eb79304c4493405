#!/usr/bin/env python3
"""Compares what tests/parity/test_model.c computed with torchvision: check_model.py ARCHITECTURE FOLDER

FOLDER/start.safetensors holds parameters, buffers, images and labels before a training pass, end.safetensors the gradients,
moved buffers, logits and loss after it. The same pass runs here in float64, which is the reference, and in float32, which
says how much error is usual: where rounding turns a ReLU or a maximum the other way, whole gradients move, and which ones turn
is chance. So PyTorch computes in float32 several times, with different kernels and from weights that differ by a rounding, and its
own error is the largest of all.
Per tensor, the norm of the difference over the norm of the reference is at most 1e-4, or twice PyTorch's own. Tensors that
are zero in theory (a bias before batch norm) are compared with the norm of all gradients.
Exit code 1, and a line a tensor, where something differs.
"""
import json
import pathlib
import struct
import sys

import numpy
import torch
import torchvision

TYPES = {"F32": numpy.float32, "U8": numpy.uint8, "I32": numpy.int32, "I64": numpy.int64}
MEAN, STD, SMOOTHING, CLASSES = (0.5, 0.4, 0.3), (0.25, 0.2, 0.3), 0.1, 6
PLAIN = {"aux_logits": False, "transform_input": False, "init_weights": False}
OPTIONS = {"googlenet": PLAIN, "inception_v3": PLAIN}
LEAST, ZERO = 1e-4, 1e-6
ROUNDED = 6  # passes from weights that differ by a rounding


def read(path):
    raw = numpy.memmap(path, numpy.uint8, "r")
    begin = 8 + struct.unpack("<Q", raw[:8].tobytes())[0]
    tensors = {}
    for name, entry in json.loads(raw[8:begin].tobytes()).items():
        if name != "__metadata__":
            first, last = entry["data_offsets"]
            values = numpy.frombuffer(raw[begin + first:begin + last].tobytes(), TYPES[entry["dtype"]])
            tensors[name] = torch.from_numpy(values.reshape(entry["shape"]).copy())
    return tensors


def build(arch):
    model = getattr(torchvision.models, arch)(num_classes=CLASSES, **OPTIONS.get(arch, {}))
    for module in model.modules():
        if isinstance(module, (torch.nn.Dropout, torchvision.ops.StochasticDepth)):
            module.p = 0.0
    return model


def rounded_otherwise(start, seed):
    """The weights, each moved by at most the last bit of a float32."""
    torch.manual_seed(seed)
    return {name: t * (1 + (torch.rand_like(t) - 0.5) * 2 ** -23) if t.is_floating_point() else t for name, t in start.items()}


def training_pass(arch, start, dtype, layout=torch.contiguous_format, with_onednn=True):
    """{name: gradient, moved buffer, logits or loss}, all float64"""
    with torch.backends.mkldnn.flags(enabled=with_onednn):
        return training_pass_now(arch, start, dtype, layout)


def training_pass_now(arch, start, dtype, layout):
    model = build(arch)
    model.load_state_dict({name: t for name, t in start.items() if name not in ("images", "labels")})
    model = model.to(dtype, memory_format=layout).train()
    mean, std = torch.tensor(MEAN, dtype=torch.float32).to(dtype), torch.tensor(STD, dtype=torch.float32).to(dtype)
    images = ((start["images"].to(dtype) / 255 - mean) / std).permute(0, 3, 1, 2).contiguous(memory_format=layout)
    logits = model(images)
    loss = torch.nn.functional.cross_entropy(logits, start["labels"].long(), label_smoothing=SMOOTHING)
    loss.backward()
    result = {name: p.grad for name, p in model.named_parameters()}
    result.update({name: b for name, b in model.named_buffers() if not name.endswith("num_batches_tracked")})
    result.update(logits=logits, loss=loss)
    return {name: t.detach().double() for name, t in result.items()}


def norm(tensor):
    return float(torch.linalg.vector_norm(tensor.double()))


def main():
    arch, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    start, ours = read(folder / "start.safetensors"), read(folder / "end.safetensors")
    size = start["images"].shape[1]
    if arch.startswith("vit"):
        OPTIONS[arch] = {"image_size": size}
    exact = training_pass(arch, start, torch.float64)
    usual = [training_pass(arch, start, torch.float32), training_pass(arch, start, torch.float32, torch.channels_last),
             training_pass(arch, start, torch.float32, with_onednn=False)]
    usual += [training_pass(arch, rounded_otherwise(start, seed), torch.float32) for seed in range(ROUNDED)]
    everything = sum(norm(exact[name]) ** 2 for name in exact) ** 0.5
    failed, worst, worst_name = 0, 0.0, ""
    for name, wanted in exact.items():
        scale = norm(wanted)
        is_zero = scale < 1e-9 * everything
        scale = everything if is_zero else scale
        off, own = norm(ours[name] - wanted) / scale, max(norm(u[name] - wanted) for u in usual) / scale
        allowed = ZERO if is_zero else max(LEAST, 2 * own)
        if not off <= allowed:
            failed += 1
            if failed <= 10:
                print(f"{arch}: {name}: off by {off:.3g} (allowed {allowed:.3g}, PyTorch's own {own:.3g})", file=sys.stderr)
        if off / allowed > worst:
            worst, worst_name = off / allowed, f"{name}, off by {off:.2g}, PyTorch's own {own:.2g}"
    print(f"{arch} at {size}, torchvision {torchvision.__version__}: {len(exact)} tensors, {failed} off; the worst is "
          f"{worst_name}", flush=True)
    return 1 if failed else 0


sys.exit(main())
