#!/usr/bin/env python3
"""Writes deviation.safetensors: two optimizer steps of a deviation model of EfficientNet-B0, by PyTorch in f64.

Needs PyTorch and torchvision (Debian: python3-torchvision). Parameters and pictures are a formula of their names, which
tests/nn/test_deviation.c knows too, so that the file holds results alone. Both copies are in eval mode, `identity` without
gradient; the loss is weighted and label-smoothed; Adam's steps are told by their losses (its first ones turn gradients that
are almost zero into whole steps), SGD's by parameters too.
"""
import json
import pathlib
import struct

import numpy
import torch
import torchvision

BATCH, SIZE, CLASSES, STEPS = 4, 32, 6, 2
MEAN, STD = 0.5, 0.25
WEIGHTS = [1.0, 3, 5, 1, 1, 1]
KEPT = ["head.weight", "head.bias", "face.features.0.0.weight", "face.features.0.1.weight", "face.features.0.1.bias",
        "face.features.3.0.block.2.fc1.bias", "face.features.8.1.weight"]


def draw(name, count):
    """[count] numbers in [-1, 1)"""
    seed = 2166136261
    for byte in name.encode():
        seed = (seed ^ byte) * 16777619 % 2**32
    x = (numpy.arange(count, dtype=numpy.uint64) + seed) * 2654435761 % 2**32
    x = (x ^ (x >> 15)) * 0x2C1B3C6D % 2**32
    x ^= x >> 12
    return x / 2**31 - 1


def fill(name, tensor):
    u = torch.from_numpy(draw(name, tensor.numel())).reshape(tensor.shape)
    if tensor.dim() > 1:
        value = u * (6 / tensor[0].numel()) ** 0.5
    elif name.endswith(".running_var"):
        value = 1 + 0.5 * u
    elif name.endswith(".weight"):
        value = 1 + 0.1 * u
    else:
        value = 0.1 * u
    tensor.copy_(value.float())


class Deviation(torch.nn.Module):
    def __init__(self):
        super().__init__()
        nets = [torchvision.models.efficientnet_b0() for _ in range(2)]
        for net in nets:
            del net.classifier
        self.identity, self.face = nets
        self.head = torch.nn.Linear(1280, CLASSES)

    @staticmethod
    def features(net, x):
        return net.avgpool(net.features(x)).flatten(1)

    def forward(self, x):
        with torch.no_grad():
            identity = self.features(self.identity, x)
        return self.head(self.features(self.face, x) - identity + 1e-6)


def run(make_optimizer):
    """Logits of the first step, losses of all, and the parameters after them."""
    model = Deviation().double()
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            if tensor.is_floating_point():
                fill(name, tensor)
    model.identity.eval()
    model.face.eval()
    optimizer = make_optimizer([*model.face.parameters(), *model.head.parameters()])
    loss_of = torch.nn.CrossEntropyLoss(torch.tensor(WEIGHTS).double(), label_smoothing=0.2)
    labels = torch.arange(BATCH) * 2 % CLASSES
    losses, logits = [], []
    for step in range(STEPS):
        pixels = ((draw(f"images{step}", BATCH * SIZE * SIZE * 3) + 1) * 128).astype(numpy.uint8)
        x = torch.from_numpy(pixels.reshape(BATCH, SIZE, SIZE, 3)).permute(0, 3, 1, 2).double() / 255
        logits.append(model((x - MEAN) / STD))
        losses.append(loss_of(logits[-1], labels))
        optimizer.zero_grad()
        losses[-1].backward()
        optimizer.step()
    return logits[0], torch.stack(losses), model.state_dict()


def main():
    logits, losses, after = run(lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9))
    tensors = {"logits": logits, "sgd.losses": losses, **{f"sgd.{name}": after[name] for name in KEPT}}
    tensors["adam.losses"] = run(lambda p: torch.optim.Adam(p, lr=1e-4))[1]
    print({name: tensor.detach().flatten()[:4].tolist() for name, tensor in tensors.items()})
    header, data = {"__metadata__": {"made_with": f"PyTorch {torch.__version__}"}}, b""
    for name, tensor in tensors.items():
        raw = tensor.detach().float().numpy().tobytes()
        header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    pathlib.Path(__file__).with_name("deviation.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + data)


if __name__ == "__main__":
    main()
