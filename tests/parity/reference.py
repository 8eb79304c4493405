"""PyTorch's side of the comparisons with torchvision: the passes and steps that tests/parity/subject.c runs, by torch.

Results are {name: float64 tensor}. A tensor of which a part is zero in theory and the rest is not (the bias of ViT's keys,
inside in_proj_bias) is taken apart, for whoever compares.
"""
import json
import re
import struct

import numpy
import torch
import torchvision

import lite0

TYPES = {"F32": numpy.float32, "U8": numpy.uint8, "I32": numpy.int32, "I64": numpy.int64, "BF16": numpy.uint16}
MEAN, STD, SMOOTHING, CLASSES = (0.5, 0.4, 0.3), (0.25, 0.2, 0.3), 0.1, 6
PLAIN = {"aux_logits": False, "transform_input": False, "init_weights": False}
OPTIONS = {"googlenet": PLAIN, "inception_v3": PLAIN}
LAYOUTS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}
VERSIONS = {"PyTorch": torch.__version__, "torchvision": torchvision.__version__,
            "its oneDNN": "".join(re.findall(r"DNN v([\d.]+)", torch.__config__.show())[:1]) or "unknown"}


def read(path):
    raw = numpy.memmap(path, numpy.uint8, "r")
    begin = 8 + struct.unpack("<Q", raw[:8].tobytes())[0]
    tensors = {}
    for name, entry in json.loads(raw[8:begin].tobytes()).items():
        if name != "__metadata__":
            first, last = entry["data_offsets"]
            values = numpy.frombuffer(raw[begin + first:begin + last].tobytes(), TYPES[entry["dtype"]]).reshape(entry["shape"])
            if entry["dtype"] == "BF16":
                values = (values.astype(numpy.uint32) << 16).view(numpy.float32)
            tensors[name] = torch.from_numpy(values.copy())
    return tensors


def take_apart(tensors):
    """in_proj_bias becomes its parts for queries, keys and values."""
    parts = {}
    for name, t in tensors.items():
        if name.endswith("in_proj_bias"):
            parts.update({f"{name}[{part}]": piece for part, piece in zip("qkv", t.chunk(3))})
        else:
            parts[name] = t
    return parts


def finished(tensors):
    return take_apart({name: t.detach().double() for name, t in tensors.items()})


def rounded_otherwise(start, seed):
    """The weights, each moved by at most the last bit of a float32."""
    torch.manual_seed(seed)
    return {name: t * (1 + (torch.rand_like(t) - 0.5) * 2 ** -23) if t.is_floating_point() else t for name, t in start.items()}


class Training:
    """One of torchvision's architectures at the parameters of START."""

    def __init__(self, arch, start, dtype, layout="contiguous", with_onednn=True, is_bf16=False, seed=None):
        """seed: from weights that differ by a rounding"""
        if seed is not None:
            start = rounded_otherwise(start, seed)
        self.start, self.dtype, self.layout = start, dtype, LAYOUTS[layout]
        self.with_onednn, self.is_bf16 = with_onednn, is_bf16
        options = {"image_size": start["images"].shape[2]} if arch.startswith("vit") else OPTIONS.get(arch, {})
        self.model = getattr(lite0 if arch in dir(lite0) else torchvision.models, arch)(num_classes=CLASSES, **options)
        for module in self.model.modules():
            if isinstance(module, (torch.nn.Dropout, torchvision.ops.StochasticDepth)):
                module.p = 0.0
        self.model.load_state_dict({name: t for name, t in start.items() if name not in ("images", "labels")})
        self.model = self.model.to(dtype, memory_format=self.layout).train()

    def batch(self, k):
        """Pictures, normalised, [batch, size, size, 3]"""
        mean, std = (torch.tensor(x, dtype=torch.float32).to(self.dtype) for x in (MEAN, STD))
        return (self.start["images"][k].to(self.dtype) / 255 - mean) / std

    def logits_and_loss(self, x, k):
        x = x.permute(0, 3, 1, 2).contiguous(memory_format=self.layout)
        with torch.autocast("cpu", torch.bfloat16, enabled=self.is_bf16):
            logits = self.model(x)
        logits = logits.to(self.dtype)
        labels = self.start["labels"][k].long()
        return logits, torch.nn.functional.cross_entropy(logits, labels, label_smoothing=SMOOTHING)

    def statistics(self):
        return {name: b for name, b in self.model.named_buffers() if not name.endswith("num_batches_tracked")}

    def gradients(self):
        return {name: p.grad for name, p in self.model.named_parameters()}

    def run_pass(self, k):
        """Gradients of parameters and pictures, moved statistics, logits and loss, of batch k."""
        x = self.batch(k).requires_grad_()
        with torch.backends.mkldnn.flags(enabled=self.with_onednn):
            logits, loss = self.logits_and_loss(x, k)
            loss.backward()
        return finished({**self.gradients(), **self.statistics(), "logits": logits, "loss": loss, "input.grad": x.grad})

    def run_steps(self, make_optimizer):
        """Parameters and moved statistics after a step for each batch, the loss of each, and the first step's gradients."""
        optimizer, losses, first = make_optimizer(self.model.parameters()), [], {}
        for k in range(len(self.start["images"])):
            optimizer.zero_grad()
            with torch.backends.mkldnn.flags(enabled=self.with_onednn):
                losses.append(self.logits_and_loss(self.batch(k), k)[1])
                losses[-1].backward()
            first = first or finished({name: t.clone() for name, t in self.gradients().items()})
            optimizer.step()
        return finished({**dict(self.model.named_parameters()), **self.statistics(), "loss": torch.stack(losses)}), first
