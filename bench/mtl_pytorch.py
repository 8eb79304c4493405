#!/usr/bin/env python3
"""PyTorch's side of compare_mtl.py: the published multi-task step, written to be fast there. mtl_pytorch.py --help lists its modes.

Inception v3 up to Mixed_6e under SMM-EmotionNet. A step is three batches (action units, expressions, valence and arousal), each of
fresh random pictures: forward no further than its own task needs, loss, backward at once, so that the activations of one batch live
at a time; then one SGD update. The regions lie side by side as groups of channels; their first layer, a 3x3 convolution of the map
as each region's attention brightens it, has four ways (EMBEDDINGS), which a start compares with each other.
"""
import argparse
import contextlib
import json
import resource
import statistics
import time

import torch
import torch.nn.functional as F
import torchvision
from torch import nn

WARM_UP = 2
REGIONS, D, CHANNELS = 17, 16, 768
EXPRESSIONS, UNITS = 8, 12
CHILDREN = ["Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3", "maxpool1", "Conv2d_3b_1x1", "Conv2d_4a_3x3", "maxpool2", "Mixed_5b",
            "Mixed_5c", "Mixed_5d", "Mixed_6a", "Mixed_6b", "Mixed_6c", "Mixed_6d", "Mixed_6e"]


# --- the regions' first layer: f [n, c, h, w], maps [n, R, h, w], weight [R D, c, 3, 3] -> [n, R D, h, w] ---------------
def embed_plain(f, maps, weight, bias):
    """A convolution a region, of a copy of the map."""
    parts = zip(maps.split(1, 1), weight.split(D), bias.split(D))
    return torch.cat([F.conv2d(f * (1 + a), w, b, padding=1) for a, w, b in parts], 1)


def products_of(f, weight):
    """One product for all taps: [n, 3, 3, R, D, h, w], row and column of the tap first."""
    flat = weight.permute(2, 3, 0, 1).reshape(9 * REGIONS * D, -1, 1, 1)
    return F.conv2d(f, flat).unflatten(1, (3, 3, REGIONS, D))


def embed_slices(f, maps, weight, bias):
    products = F.pad(products_of(f, weight) * (1 + maps)[:, None, None, :, None], (1, 1, 1, 1))
    h, w = f.shape[2:]
    taps = [products[:, i, j, ..., i:i + h, j:j + w] for i in range(3) for j in range(3)]
    return torch.stack(taps).sum(0).flatten(1, 2) + bias[:, None, None].to(products.dtype)


def embed_fold(f, maps, weight, bias):
    """A product goes to where its tap, turned round, puts it."""
    flat = weight.flip(2, 3).permute(0, 2, 3, 1).reshape(REGIONS * D * 9, -1, 1, 1)
    products = F.conv2d(f, flat).unflatten(1, (REGIONS, D * 9)) * (1 + maps)[:, :, None]
    return F.fold(products.flatten(1, 2).flatten(2), f.shape[2:], 3, padding=1) + bias[:, None, None].to(products.dtype)


class ShiftAndAdd(torch.autograd.Function):
    """Taps shifted, scaled and added in place, and backward likewise: no padded or scaled copy of the products."""

    @staticmethod
    def windows(h, w):
        """(row, column, where y is, where its products are) of each tap"""
        for i in range(3):
            for j in range(3):
                to = (slice(max(0, 1 - i), h - max(0, i - 1)), slice(max(0, 1 - j), w - max(0, j - 1)))
                at = (slice(max(0, i - 1), h - max(0, 1 - i)), slice(max(0, j - 1), w - max(0, 1 - j)))
                yield i, j, (..., *to), (..., *at)

    @staticmethod
    def forward(ctx, products, maps):
        ctx.save_for_backward(products, maps)
        scale = (1 + maps)[:, :, None]
        y = products[:, 1, 1] * scale
        for i, j, to, at in ShiftAndAdd.windows(*maps.shape[2:]):
            if (i, j) != (1, 1):
                y[to].addcmul_(products[:, i, j][at], scale[at])
        return y

    @staticmethod
    def backward(ctx, dy):
        products, maps = ctx.saved_tensors
        scale, dproducts = (1 + maps)[:, :, None], torch.zeros_like(products)
        dmaps = torch.zeros_like(maps, dtype=torch.promote_types(maps.dtype, torch.float32))
        for i, j, to, at in ShiftAndAdd.windows(*maps.shape[2:]):
            torch.mul(dy[to], scale[at], out=dproducts[:, i, j][at])
            dmaps[at] += (dy[to] * products[:, i, j][at]).sum(2)
        return dproducts, dmaps.to(maps.dtype)


def embed_in_place(f, maps, weight, bias):
    y = ShiftAndAdd.apply(products_of(f, weight), maps)
    return y.flatten(1, 2) + bias[:, None, None].to(y.dtype)


EMBEDDINGS = {"plain": embed_plain, "slices": embed_slices, "fold": embed_fold, "in-place": embed_in_place}


def check_embeddings():
    """All ways give the same, forward and backward."""
    shapes = ((2, 8, 5, 4), (2, REGIONS, 5, 4), (REGIONS * D, 8, 3, 3), (REGIONS * D,))
    inputs = [torch.randn(shape, dtype=torch.float64, requires_grad=True) for shape in shapes]
    dy = torch.randn(2, REGIONS * D, 5, 4, dtype=torch.float64)
    wanted = None
    for name, embed in EMBEDDINGS.items():
        y = embed(*inputs)
        got = [y, *torch.autograd.grad(y, inputs, dy)]
        wanted = wanted or got
        for a, b in zip(got, wanted):
            torch.testing.assert_close(a, b, msg=f"embedding {name} differs from plain")


# --- the network --------------------------------------------------------------------------------------------------------
class Network(nn.Module):
    def __init__(self, embedding):
        super().__init__()
        inception = torchvision.models.inception_v3(aux_logits=False, init_weights=False)
        self.backbone = nn.Sequential(*(getattr(inception, name) for name in CHILDREN))
        self.attention = nn.Sequential(nn.Conv2d(CHANNELS, 4 * REGIONS, 3, padding=1), nn.BatchNorm2d(4 * REGIONS), nn.ReLU(True),
                                       nn.Conv2d(4 * REGIONS, REGIONS, 1), nn.BatchNorm2d(REGIONS), nn.ReLU(True),
                                       nn.Conv2d(REGIONS, REGIONS, 1), nn.Sigmoid())
        self.embed, self.first = EMBEDDINGS[embedding], nn.Conv2d(CHANNELS, REGIONS * D, 3)
        wide = REGIONS * D
        self.regions = nn.Sequential(nn.BatchNorm2d(wide), nn.ReLU(True), nn.Conv2d(wide, wide, 1, groups=REGIONS),
                                     nn.BatchNorm2d(wide), nn.ReLU(True), nn.AdaptiveAvgPool2d(1),
                                     nn.Conv2d(wide, wide, 1, groups=REGIONS))
        place, pair = torch.arange(REGIONS)[:, None], torch.arange(0, D, 2)
        angle = place * 10000 ** (-pair / D)
        self.register_buffer("positions", torch.stack([angle.sin(), angle.cos()], 2).flatten(1))
        self.positioned = nn.Dropout(0.3)
        self.encoder = nn.TransformerEncoderLayer(D, 8, 1024, 0.1, "gelu", batch_first=True)
        self.unit_weight, self.unit_bias = nn.Parameter(torch.randn(UNITS, D) / D), nn.Parameter(torch.zeros(UNITS))
        self.message = nn.Parameter(torch.randn(REGIONS, D, D) / D)
        self.expression, self.va = nn.Linear(D, EXPRESSIONS), nn.Linear(D, 2)

    def forward(self, x, task):
        f = self.backbone(x)
        e = self.regions(self.embed(f, self.attention(f), self.first.weight, self.first.bias)).unflatten(1, (REGIONS, D)).flatten(2)
        if task == "au":
            tokens = self.encoder(self.positioned(e + self.positions))[:, :UNITS]
            return (tokens * self.unit_weight).sum(2) + self.unit_bias
        message = torch.einsum("nri,rji->nrj", e, self.message)
        return (self.expression if task == "expression" else self.va)(message).mean(1)


# --- losses --------------------------------------------------------------------------------------------------------------
UNIT_WEIGHTS = torch.tensor([4.5, 10.8, 4.1, 2.4, 1.5, 1.7, 2.9, 41, 33.7, 19.7, 0.46, 8.6])
EXPRESSION_WEIGHTS = torch.tensor([1.04, 5.46, 7.84, 7.96, 1.37, 3.27, 4.75, 1])


def au_loss(x):
    return F.binary_cross_entropy_with_logits(x, torch.randint(0, 2, x.shape).float(), pos_weight=UNIT_WEIGHTS)


def expression_loss(x):
    return F.cross_entropy(x, torch.randint(0, EXPRESSIONS, (len(x),)), EXPRESSION_WEIGHTS)


def va_loss(x):
    t = torch.rand_like(x) * 2 - 1
    dx, dt, n = x - x.mean(0), t - t.mean(0), len(x) - 1
    apart = (dx.square().sum(0) + dt.square().sum(0)) / n + (x.mean(0) - t.mean(0)).square()
    return (1 - 2 * (dx * dt).sum(0) / n / (apart + 1e-8)).sum()


LOSSES = {"au": au_loss, "expression": expression_loss, "va": va_loss}


# --- the step ------------------------------------------------------------------------------------------------------------
def peak_bytes():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--size", type=int, default=299)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--embedding", choices=list(EMBEDDINGS), default="slices")
    parser.add_argument("--bf16", action="store_true", help="autocast")
    parser.add_argument("--channels-last", action="store_true")
    parser.add_argument("--compile", action="store_true", help="torch.compile")
    args = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(args.threads)
    imported = peak_bytes()
    check_embeddings()
    layout = torch.channels_last if args.channels_last else torch.contiguous_format
    model = Network(args.embedding).train().to(memory_format=layout)
    network = torch.compile(model) if args.compile else model
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9)
    mean, std = (torch.tensor(x)[:, None, None] * 255 for x in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))

    def step():
        optimizer.zero_grad(set_to_none=True)
        for task, loss_of in LOSSES.items():
            pictures = torch.randint(0, 256, (args.batch, args.size, args.size, 3), dtype=torch.uint8).permute(0, 3, 1, 2)
            pictures = ((pictures - mean) / std).contiguous(memory_format=layout)
            with torch.autocast("cpu", dtype=torch.bfloat16) if args.bf16 else contextlib.nullcontext():
                logits = network(pictures, task)
            loss_of(logits.float()).backward()
        optimizer.step()

    seconds = []
    for i in range(WARM_UP + args.steps):
        start = time.perf_counter()
        step()
        if i >= WARM_UP:
            seconds.append(time.perf_counter() - start)
    print(json.dumps({"seconds": statistics.median(seconds), "peak_bytes": peak_bytes(), "imported_bytes": imported,
                      "version": torch.__version__, "capability": torch.backends.cpu.get_cpu_capability()}))


if __name__ == "__main__":
    main()
