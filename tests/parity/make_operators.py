#!/usr/bin/env python3
"""Writes operators.safetensors: what PyTorch computes for the operator cases of tests/graph/op_cases.c.

Needs PyTorch (Debian: python3-torch). Run it where the table changed: `python3 tests/parity/make_operators.py`.
Every case's inputs and parameters are drawn here and stored in f32; outputs and gradients are computed in f64. Images
and activations are stored NHWC, weights in PyTorch's own order. tests/graph/test_pytorch.c replays the file.
"""

import json
import pathlib
import struct
import zlib

import torch
import torch.nn.functional as F

CLASSES = 5


def conv(out, window, stride=(1, 1), pad=(0, 0, 0, 0), dilation=1, groups=1, bias=False, norm=None, residual=False,
         act=None):
    """conv2d [-> batch_norm] [-> add a second convolution] [-> activation]; pad: top, left, bottom, right"""

    def describe(case, x):
        def one(name):
            c = x.shape[1] // groups
            w = case.param(f"{name}.weight", (out, c, *window), scale=(c * window[0] * window[1]) ** -0.5)
            b = case.param(f"{name}.bias", (out,), scale=0.3) if bias else None
            padded = F.pad(x, (pad[1], pad[3], pad[0], pad[2]))
            return F.conv2d(padded, w, b, stride, 0, dilation, groups)

        y = one("conv")
        if norm:
            y = batch_norm(case, y, norm, 1e-3)
        if residual:
            y = y + one("residual")
        return act(y) if act else y

    return describe


def batch_norm(case, x, kind, eps):
    c = (x.shape[1],)
    weight = case.param("bn.weight", c, scale=0.1, mean=1)
    bias = case.param("bn.bias", c, scale=0.3)
    mean = case.buffer("bn.running_mean", torch.randn(c) * 0.3)
    var = case.buffer("bn.running_var", torch.rand(c) + 0.5)
    return F.batch_norm(x, mean, var, weight, bias, kind == "batch", 0.1, eps)


def norm(kind, residual=False, act=None):
    def describe(case, x):
        y = batch_norm(case, x, kind, 1e-5)
        if residual:
            y = y + torch.sigmoid(x)
        return act(y) if act else y

    return describe


def linear(out, bias):
    def describe(case, x):
        return case.linear("y", x, out, bias)

    return describe


def concat(out):
    def describe(case, x):
        w = case.param("c.weight", (out, x.shape[1], 1, 1), scale=x.shape[1] ** -0.5)
        return torch.cat([x, F.silu(x), F.conv2d(x, w)], 1)

    return describe


def attend(qkv, heads):
    n, t, d = qkv.shape[0], qkv.shape[1], qkv.shape[2] // 3
    q, k, v = qkv.reshape(n, t, 3, heads, d // heads).permute(2, 0, 3, 1, 4)
    p = torch.softmax(q @ k.transpose(2, 3) / (d // heads) ** 0.5, -1)
    return (p @ v).transpose(1, 2).reshape(n, t, d)


def attention(heads, first=False):
    return lambda case, x: attend(x, heads)[:, 0] if first else attend(x, heads)


def layer_norm(case, x):
    c = x.shape[1] if x.dim() == 4 else x.shape[-1]
    weight = case.param("y.weight", (c,), scale=0.1, mean=1)
    bias = case.param("y.bias", (c,), scale=0.3)
    if x.dim() != 4:
        return F.layer_norm(x, (c,), weight, bias, 1e-6)
    return F.layer_norm(x.permute(0, 2, 3, 1), (c,), weight, bias, 1e-6).permute(0, 3, 1, 2)


def tokens(case, x):
    n, d, h, w = x.shape
    first = case.param("first", (1, 1, d), scale=0.3)
    position = case.param("position", (1, 1 + h * w, d), scale=0.3)
    return torch.cat([first.expand(n, -1, -1), x.permute(0, 2, 3, 1).flatten(1, 2)], 1) + position


def max_pool(window, stride, pad=(0, 0), ceil=False):
    return lambda case, x: F.max_pool2d(x, window, stride, pad, ceil_mode=ceil)


def mean_pool(window, stride, pad=(0, 0), ceil=False, count_pad=False):
    return lambda case, x: F.avg_pool2d(x, window, stride, pad, ceil_mode=ceil, count_include_pad=count_pad)


def plain(function):
    return lambda case, x: function(x)


class Case:
    """Collects a case's tensors; leaves are f64 copies of what is stored in f32."""

    def __init__(self, name):
        self.name, self.tensors, self.params, self.buffers = name, {}, {}, {}

    def leaf(self, value):
        return value.float().double()

    def param(self, name, shape, scale, mean=0):
        value = self.leaf(torch.randn(shape) * scale + mean).requires_grad_()
        self.params[name] = value
        self.tensors[name] = value.detach().clone()
        return value

    def buffer(self, name, value):
        value = self.leaf(value)
        self.buffers[name] = value
        self.tensors[name] = value.clone()
        return value

    def linear(self, name, x, out, bias=True):
        w = self.param(f"{name}.weight", (out, x.shape[-1]), scale=x.shape[-1] ** -0.5)
        return F.linear(x, w, self.param(f"{name}.bias", (out,), scale=0.3) if bias else None)

    def run(self, shape, describe, loss=None):
        loss = loss or {}
        x = self.leaf(torch.randn(shape)).requires_grad_()
        self.tensors["x"] = x.detach().clone()
        y = describe(self, x.permute(0, 3, 1, 2) if len(shape) == 4 else x)
        v = F.silu(y).mean((2, 3)) if y.dim() == 4 else y
        if y.dim() == 3:
            v = attend(self.linear("head.qkv", F.silu(y), 6), 1)[:, 0]
        classes = loss.get("classes", CLASSES)
        logits = self.linear("head", v, classes)
        rows = torch.arange(logits.shape[0])
        labels = (rows * 3 + 1) % classes
        if loss.get("absent"):
            labels[rows % 3 == 1] = -1
        if loss.get("soft"):
            labels = torch.zeros(len(rows), classes).double()
            share = 0.25 * (1 + rows % 3).double()
            labels[rows, (rows * 3 + 1) % classes] += share
            labels[rows, (rows * 5 + 2) % classes] += 1 - share
        weights = 1 + torch.arange(classes).double() % 3 if loss.get("weights") else None
        ignore = {} if loss.get("soft") else {"ignore_index": -1}
        value = F.cross_entropy(logits, labels, weights, label_smoothing=loss.get("smoothing", 0), **ignore)
        value.backward()
        if loss:
            y = torch.softmax(logits, 1)
        self.tensors["out.y"] = y.detach().permute(0, 2, 3, 1) if y.dim() == 4 else y.detach()
        self.tensors["out.loss"] = value.detach()
        self.tensors["out.dx"] = x.grad
        for name, p in self.params.items():
            self.tensors[f"out.{name}.grad"] = p.grad
        for name, b in self.buffers.items():
            self.tensors[f"out.{name}"] = b


P1, P2, P3 = (1, 1, 1, 1), (2, 2, 2, 2), (3, 3, 3, 3)
CASES = {
    "conv2d/1x1": ((2, 5, 6, 7), conv(9, (1, 1))),
    "conv2d/1x1_stride2": ((2, 7, 8, 16), conv(8, (1, 1), (2, 2))),
    "conv2d/3x3_bias": ((2, 6, 5, 4), conv(8, (3, 3), pad=P1, bias=True)),
    "conv2d/3x3_stride2_odd": ((2, 9, 7, 6), conv(7, (3, 3), (2, 2), P1)),
    "conv2d/3x3_stride2x1": ((1, 8, 6, 4), conv(4, (3, 3), (2, 1), P1)),
    "conv2d/3x3_asymmetric_padding": ((2, 6, 6, 5), conv(6, (3, 3), (2, 2), (0, 0, 1, 1))),
    "conv2d/3x3_dilation2": ((1, 8, 9, 4), conv(4, (3, 3), pad=P2, dilation=2)),
    "conv2d/3x3_wider_than_image": ((2, 1, 2, 8), conv(8, (3, 3), pad=P1)),
    "conv2d/1x7": ((1, 4, 9, 8), conv(8, (1, 7), pad=(0, 3, 0, 3))),
    "conv2d/7x1": ((1, 9, 4, 8), conv(8, (7, 1), pad=(3, 0, 3, 0))),
    "conv2d/groups2": ((2, 5, 5, 8), conv(6, (3, 3), pad=P1, groups=2, bias=True)),
    "conv2d/depthwise_3x3": ((2, 6, 7, 16), conv(16, (3, 3), pad=P1, groups=16)),
    "conv2d/depthwise_5x5_stride2": ((2, 9, 8, 24), conv(24, (5, 5), (2, 2), P2, groups=24)),
    "conv2d/batch_norm": ((3, 4, 5, 6), conv(8, (3, 3), pad=P1, norm="batch")),
    "conv2d/bias_batch_norm_relu": ((2, 5, 4, 8), conv(16, (1, 1), bias=True, norm="running", act=F.relu)),
    "conv2d/batch_norm_silu": ((2, 5, 4, 8), conv(16, (1, 1), norm="batch", act=F.silu)),
    "conv2d/batch_norm_add_relu": (
        (2, 6, 5, 8), conv(16, (3, 3), (2, 2), P1, norm="batch", residual=True, act=F.relu)),
    "linear/bias": ((3, 7), linear(5, True)),
    "linear/no_bias": ((4, 16), linear(3, False)),
    "batch_norm/batch": ((2, 3, 5, 7), norm("batch")),
    "batch_norm/running": ((2, 4, 3, 8), norm("running")),
    "batch_norm/one_channel": ((1, 2, 3, 1), norm("batch")),
    "batch_norm/one_pixel": ((5, 1, 1, 17), norm("batch")),
    "batch_norm/relu": ((2, 3, 3, 5), norm("batch", act=F.relu)),
    "batch_norm/silu": ((2, 3, 4, 16), norm("batch", act=F.silu)),
    "batch_norm/running_silu": ((1, 4, 3, 8), norm("running", act=F.silu)),
    "batch_norm/add_relu": ((2, 3, 4, 11), norm("batch", True, F.relu)),
    "batch_norm/add_silu": ((2, 4, 3, 8), norm("batch", True, F.silu)),
    "batch_norm/running_add_relu": ((2, 2, 3, 7), norm("running", True, F.relu)),
    "activation/relu": ((2, 3, 5, 3), plain(F.relu)),
    "activation/silu": ((1, 5, 3, 9), plain(F.silu)),
    "activation/sigmoid": ((3, 17), plain(torch.sigmoid)),
    "activation/gelu": ((5, 7), plain(F.gelu)),
    "add/two": ((2, 3, 5, 7), plain(lambda x: x + F.silu(x))),
    "sub/two": ((2, 3, 5, 7), plain(lambda x: F.silu(x) - x + 0.25)),
    "scale/excite": ((2, 3, 4, 5), plain(lambda x: x * torch.sigmoid(x.mean((2, 3), keepdim=True)))),
    "concat/uneven": ((2, 3, 2, 5), concat(3)),
    "pool/max_3x3_stride2": ((2, 8, 8, 5), max_pool(3, 2, 1)),
    "pool/max_ceil": ((2, 6, 7, 3), max_pool(3, 2, 0, ceil=True)),
    "pool/max_ceil_padding": ((1, 5, 4, 8), max_pool(2, 2, 1, ceil=True)),
    "pool/max_stride1_ceil": ((2, 4, 3, 19), max_pool(3, 1, 1, ceil=True)),
    "pool/max_hanging_over": ((2, 2, 5, 4), max_pool(3, 2, 0, ceil=True)),
    "pool/mean_2x2": ((2, 4, 6, 7), mean_pool(2, 2)),
    "pool/mean_3x3_count_padding": ((1, 5, 5, 8), mean_pool(3, 1, 1, count_pad=True)),
    "pool/mean_3x3_inside": ((1, 5, 4, 6), mean_pool(3, 2, 1)),
    "pool/mean_ceil_count_padding": ((1, 6, 5, 4), mean_pool((3, 2), (2, 3), (1, 0), ceil=True, count_pad=True)),
    "global_mean/odd": ((3, 5, 3, 7), plain(lambda x: x.mean((2, 3)))),
    "linear/tokens": ((2, 5, 8), linear(12, True)),
    "layer_norm/rows": ((3, 17), layer_norm),
    "layer_norm/tokens": ((2, 5, 16), layer_norm),
    "layer_norm/pixels": ((2, 3, 2, 5), layer_norm),
    "attention/two_heads": ((2, 5, 24), attention(2)),
    "attention/odd": ((1, 7, 9), attention(1)),
    "attention/first_alone": ((2, 6, 24), attention(2, True)),
    "tokens/map": ((2, 2, 3, 5), tokens),
    "first_token/row": ((2, 4, 7), plain(lambda x: x[:, 0])),
    "cross_entropy/plain": ((4, 9), plain(lambda x: x), {"classes": 6}),
    "cross_entropy/smoothing": ((5, 8), plain(lambda x: x), {"classes": 7, "smoothing": 0.2}),
    "cross_entropy/weights_smoothing_absent": (
        (7, 5), plain(lambda x: x), {"classes": 6, "smoothing": 0.1, "weights": True, "absent": True}),
    "cross_entropy/soft": ((5, 9), plain(lambda x: x), {"classes": 6, "soft": True}),
    "cross_entropy/soft_weights_smoothing": (
        (7, 5), plain(lambda x: x), {"classes": 6, "smoothing": 0.2, "weights": True, "soft": True}),
}

OPTIMIZERS = {
    "optimizer/adam": lambda p: torch.optim.Adam(p, lr=0.01, weight_decay=0.1),
    "optimizer/adamw": lambda p: torch.optim.AdamW(p, lr=0.01, weight_decay=0.1),
    "optimizer/sgd": lambda p: torch.optim.SGD(p, lr=0.01, momentum=0.9, weight_decay=0.1),
    "optimizer/sgd_plain": lambda p: torch.optim.SGD(p, lr=0.01),
}
STEPS, ELEMENTS = 4, 24


def optimizer_tensors(make):
    start, grads = torch.randn(ELEMENTS), torch.randn(STEPS, ELEMENTS)
    p = start.double().requires_grad_()
    optimizer = make([p])
    after = []
    for grad in grads.double():
        p.grad = grad.clone()
        optimizer.step()
        after.append(p.detach().clone())
    return {"values": start, "grads": grads, "out.values": torch.stack(after)}


def write_safetensors(path, tensors, metadata):
    header, data = {"__metadata__": metadata}, b""
    for name, tensor in tensors.items():
        values = tensor.detach().float().contiguous().flatten().tolist()
        raw = struct.pack(f"<{len(values)}f", *values)
        header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def seed_of(name):
    """A case's own, so that its numbers stay where others come or go."""
    return zlib.crc32(name.encode())


def main():
    tensors = {}
    for name, row in CASES.items():
        torch.manual_seed(seed_of(name))
        case = Case(name)
        case.run(*row)
        tensors.update({f"{name}:{key}": value for key, value in case.tensors.items()})
    for name, make in OPTIMIZERS.items():
        torch.manual_seed(seed_of(name))
        tensors.update({f"{name}:{key}": value for key, value in optimizer_tensors(make).items()})
    path = pathlib.Path(__file__).with_name("operators.safetensors")
    write_safetensors(path, tensors, {"made_with": f"PyTorch {torch.__version__}"})
    print(f"{path.name}: {len(CASES)} cases, {len(OPTIMIZERS)} optimizers, {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
