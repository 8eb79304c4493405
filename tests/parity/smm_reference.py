"""SMM-EmotionNet and its baseline in plain PyTorch: a region is a convolution of its own over a copy of the map that its attention
brightens, the sign space is torch.nn.TransformerEncoderLayer. Parameters have mien's names and layouts; nothing is dropped.
"""
import math

import torch
import torch.nn.functional as F
import torchvision
from torch.nn.utils.stateless import functional_call

from reference import LAYOUTS, MEAN, OPTIONS, STD, finished, rounded_otherwise

REGIONS, D = 17, 16
# what each is: classes, numbers whose correlation counts, yes or no, numbers
HEADS = {"expression": "class", "va": "ccc", "au": "binaries", "au_intensity": "regression", "blendshapes": "regression",
         "pose": "regression"}
SIGN = ("au", "au_intensity")
CHILDREN = {
    "efficientnet_b0": ["features"],
    "inception_v3": ["Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3", "maxpool1", "Conv2d_3b_1x1", "Conv2d_4a_3x3", "maxpool2",
                     "Mixed_5b", "Mixed_5c", "Mixed_5d", "Mixed_6a", "Mixed_6b", "Mixed_6c", "Mixed_6d", "Mixed_6e"],
}


class Backbone(torch.nn.Module):
    """torchvision's children up to the map."""

    def __init__(self, arch):
        super().__init__()
        model = getattr(torchvision.models, arch)(**OPTIONS.get(arch, {}))
        for name in CHILDREN[arch]:
            self.add_module(name, getattr(model, name))
        for module in self.modules():
            if isinstance(module, torchvision.ops.StochasticDepth):
                module.p = 0.0

    def forward(self, x):
        for child in self.children():
            x = child(x)
        return x


def own(t, r):
    """Region r's part of what lies side by side."""
    return t[r * D:(r + 1) * D]


def cayley(w):
    skew, one = (w - w.transpose(1, 2)) / 2, torch.eye(D, dtype=w.dtype)
    return torch.linalg.solve(one + skew, one - skew)


def ccc_loss(x, t):
    """Sum over columns of 1 - CCC, by variances and covariance over n - 1."""
    dx, dt = x - x.mean(0), t - t.mean(0)
    n = len(x) - 1
    distance = dx.square().sum(0) / n + dt.square().sum(0) / n + (x.mean(0) - t.mean(0)).square()
    return (1 - 2 * (dx * dt).sum(0) / n / (distance + 1e-8)).sum()


class SmmTraining:
    """The network at the parameters of START."""
    momentum = 0.1

    def __init__(self, what, start, dtype, layout="contiguous", with_onednn=True, is_bf16=False, seed=None, is_training=True):
        if seed is not None:
            start = rounded_otherwise(start, seed)
        arch, self.kind = what.split("+")
        self.start, self.dtype, self.layout = start, dtype, LAYOUTS[layout]
        self.with_onednn, self.is_bf16, self.is_training = with_onednn, is_bf16, is_training
        self.backbone = Backbone(arch)
        self.backbone.load_state_dict({name[len("backbone."):]: t for name, t in start.items() if name.startswith("backbone.")})
        self.backbone = self.backbone.to(dtype, memory_format=self.layout).train(is_training)
        self.p = {name: t.detach().clone().to(dtype) for name, t in start.items() if "." in name and not name.startswith("backbone.")}
        for name, t in self.p.items():
            t.requires_grad_("running" not in name and "num_batches" not in name)

    def batch_norm(self, name, x, r=None):
        part = (lambda t: t) if r is None else (lambda t: own(t, r))
        mean, var, weight, bias = (part(self.p[f"{name}.{key}"]) for key in ("running_mean", "running_var", "weight", "bias"))
        return F.batch_norm(x, mean, var, weight, bias, self.is_training, self.momentum, 1e-5)

    def conv(self, name, x, padding=0):
        return F.conv2d(x, self.p[f"{name}.weight"], self.p[f"{name}.bias"], padding=padding)

    def attention(self, f):
        x = F.relu(self.batch_norm("attention.bn1", self.conv("attention.conv1", f, padding=1)))
        x = F.relu(self.batch_norm("attention.bn2", self.conv("attention.conv2", x)))
        return torch.sigmoid(self.conv("attention.conv3", x))

    def embedding(self, f, maps, r):
        first = self.p["regions.conv1.weight"][:, :, r * D:(r + 1) * D].permute(2, 3, 0, 1)
        second = own(self.p["regions.conv2.weight"], r)[:, :, None, None]
        x = F.conv2d(f * (1 + maps[:, r:r + 1]), first, own(self.p["regions.conv1.bias"], r), padding=1)
        x = F.relu(self.batch_norm("regions.bn1", x, r))
        x = F.conv2d(x, second, own(self.p["regions.conv2.bias"], r))
        x = F.relu(self.batch_norm("regions.bn2", x, r)).mean((2, 3))
        return F.linear(x, own(self.p["regions.linear.weight"], r), own(self.p["regions.linear.bias"], r))

    def sign_space(self, e):
        place, pair = torch.arange(REGIONS)[:, None], torch.arange(0, D, 2)
        angle = place * torch.exp(pair.double() * (-math.log(10000) / D))
        positions = torch.stack([angle.sin(), angle.cos()], 2).flatten(1).float().to(self.dtype)
        layer = torch.nn.TransformerEncoderLayer(D, 8, 1024, 0.0, "gelu", batch_first=True)
        return functional_call(layer, {name: self.p[f"sign.{name}"] for name, _ in layer.named_parameters()}, e + positions)

    def message_space(self, e):
        w = self.p["message.weight"].reshape(REGIONS, D, D)
        return torch.einsum("nri,rji->nrj", e, cayley(w) if self.kind == "orthogonal" else w)

    def read(self, name, x):
        return F.linear(x, self.p[f"heads.{name}.weight"], self.p[f"heads.{name}.bias"])

    def read_units(self, name, tokens):
        """Token k says unit k, by weights of its own."""
        w = self.p[f"heads.{name}.weight"]
        return (tokens[:, :len(w)] * w).sum(2) + self.p[f"heads.{name}.bias"]

    def each_head(self, x):
        """{head: logits [n, size], or [n, regions, size] before their mean}"""
        f = self.backbone(x)
        if self.kind == "baseline":
            largest = f.amax((2, 3))
            features = {name: F.relu(F.linear(largest, self.p[f"features.{name}.weight"], self.p[f"features.{name}.bias"]))
                        for name in HEADS}
            return {name: self.read_units(name, t.unflatten(1, (-1, D))) if name in SIGN else self.read(name, t)
                    for name, t in features.items()}
        maps = self.attention(f)
        e = torch.stack([self.embedding(f, maps, r) for r in range(REGIONS)], 1)
        tokens, messages = self.sign_space(e), self.message_space(e)
        return {name: self.read_units(name, tokens) if name in SIGN else self.read(name, messages) for name in HEADS}

    def batch(self, k):
        mean, std = (torch.tensor(x, dtype=torch.float32).to(self.dtype) for x in (MEAN, STD))
        return (self.start["images"][k].to(self.dtype) / 255 - mean) / std

    def heads(self, x):
        x = x.permute(0, 3, 1, 2).contiguous(memory_format=self.layout)
        with torch.autocast("cpu", torch.bfloat16, enabled=self.is_bf16):
            return {name: t.to(self.dtype) for name, t in self.each_head(x).items()}

    def loss(self, name, x, k):
        """Over what is known: whole rows of classes and of va, single numbers of the others, as smm_subject.c's is_known has it."""
        t = self.start[name][k].to(self.dtype)
        weights = 1 + 0.5 * (torch.arange(x.shape[1]) % 3).to(self.dtype)
        rows = 3 * torch.arange(len(x))
        if HEADS[name] in ("class", "ccc"):
            known = rows % 4 != 0
            x, t = x[known], t[known]
            return F.cross_entropy(x, t[:, 0].long(), weights) if HEADS[name] == "class" else ccc_loss(x, t)
        known = (rows[:, None] + torch.arange(x.shape[1])) % 4 != 0
        if HEADS[name] == "binaries":
            return F.binary_cross_entropy_with_logits(x, t, pos_weight=weights, reduction="none")[known].mean()
        return F.mse_loss(x[known], t[known])

    def statistics(self):
        moved = {f"backbone.{name}": b for name, b in self.backbone.named_buffers()}
        moved.update({name: t for name, t in self.p.items() if not t.requires_grad})
        return {name: t for name, t in moved.items() if not name.endswith("num_batches_tracked")}

    def gradients(self):
        return {**{f"backbone.{name}": p.grad for name, p in self.backbone.named_parameters()},
                **{name: t.grad for name, t in self.p.items() if t.requires_grad}}

    def run_pass(self, k):
        """Gradients of parameters and pictures, moved statistics, each head's logits and the sum of the losses, of batch k."""
        x = self.batch(k).requires_grad_()
        with torch.backends.mkldnn.flags(enabled=self.with_onednn):
            logits = {name: t.mean(1) if t.dim() == 3 else t for name, t in self.heads(x).items()}
            loss = sum(self.loss(name, t, k) for name, t in logits.items())
            loss.backward()
        return finished({**self.gradients(), **self.statistics(), **{f"logits.{name}": t for name, t in logits.items()},
                         "loss": loss, "input.grad": x.grad})

    def predict(self, ensemble):
        """{"output.NAME": what batch 0 is predicted as}"""
        outputs = {}
        with torch.no_grad():
            for name, t in self.heads(self.batch(0)).items():
                mean = t.mean(1) if t.dim() == 3 else t
                if HEADS[name] == "class":
                    by_softmax = ensemble == "softmax" and t.dim() == 3
                    outputs[name] = torch.softmax(t, 2).mean(1) if by_softmax else torch.softmax(mean, 1)
                elif HEADS[name] == "binaries":
                    outputs[name] = torch.sigmoid(mean)
                else:
                    outputs[name] = mean.clamp(-1, 1) if name == "va" else mean
        return {f"output.{name}": t.double() for name, t in outputs.items()}
