"""EfficientNet-Lite0 in PyTorch, which Debian's torchvision lacks, under timm's names: timm 0.9.16's efficientnet_lite0 and
tf_efficientnet_lite0 give the same numbers (`python3 tests/parity/lite0.py` compares, where timm is installed).
"""
import torch
from torch import nn
from torchvision.ops import StochasticDepth

STAGES = ((1, 3, 1, 16, 1), (6, 3, 2, 24, 2), (6, 5, 2, 40, 2), (6, 3, 2, 80, 3), (6, 5, 1, 112, 3), (6, 5, 2, 192, 4), (6, 3, 1, 320, 1))


def relu6(x):
    """PyTorch 1.13 has no gradient of its own relu6 in bf16."""
    return x.clamp(0, 6) if x.dtype == torch.bfloat16 else nn.functional.relu6(x)


class Conv(nn.Conv2d):
    """is_same: TensorFlow's padding, whose odd pixel comes after"""

    def __init__(self, inputs, outputs, kernel, stride=1, groups=1, is_same=False):
        super().__init__(inputs, outputs, kernel, stride, 0 if is_same else (kernel - 1) // 2, groups=groups, bias=False)
        self.is_same = is_same

    def forward(self, x):
        if self.is_same:
            pads = []
            for size, kernel, stride in zip(x.shape[:1:-1], self.kernel_size, self.stride):
                total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
                pads += [total // 2, total - total // 2]
            x = nn.functional.pad(x, pads)
        return super().forward(x)


class Block(nn.Module):
    def __init__(self, inputs, outputs, kernel, stride, expand, depth, options):
        super().__init__()
        eps, is_same = options
        wide = inputs * expand
        steps = [("conv_pw", Conv(inputs, wide, 1))] if expand > 1 else []
        steps.append(("conv_dw", Conv(wide, wide, kernel, stride, wide, is_same)))
        steps.append(("conv_pwl" if expand > 1 else "conv_pw", Conv(wide, outputs, 1)))
        self.steps = []
        for i, (name, conv) in enumerate(steps, 1):
            self.add_module(name, conv)
            self.add_module(f"bn{i}", nn.BatchNorm2d(conv.out_channels, eps))
            self.steps.append((name, f"bn{i}"))
        self.depth = StochasticDepth(depth, "row") if stride == 1 and inputs == outputs else None

    def forward(self, x):
        y = x
        for conv, bn in self.steps:
            y = getattr(self, bn)(getattr(self, conv)(y))
            if (conv, bn) != self.steps[-1]:
                y = relu6(y)
        return self.depth(y) + x if self.depth else y


class Lite0(nn.Module):
    def __init__(self, num_classes=1000, is_tensorflow=False):
        super().__init__()
        options = eps, is_same = (1e-3, True) if is_tensorflow else (1e-5, False)
        self.conv_stem, self.bn1 = Conv(3, 32, 3, 2, is_same=is_same), nn.BatchNorm2d(32, eps)
        self.blocks, inputs, index = nn.Sequential(), 32, 0
        for stage, (expand, kernel, stride, outputs, repeats) in enumerate(STAGES):
            blocks = nn.Sequential()
            for i in range(repeats):
                blocks.append(Block(inputs, outputs, kernel, stride if i == 0 else 1, expand, 0.2 * index / 16, options))
                inputs, index = outputs, index + 1
            self.blocks.append(blocks)
        self.conv_head, self.bn2 = Conv(inputs, 1280, 1), nn.BatchNorm2d(1280, eps)
        self.dropout, self.classifier = nn.Dropout(0.2), nn.Linear(1280, num_classes)

    def forward(self, x):
        x = self.blocks(relu6(self.bn1(self.conv_stem(x))))
        x = relu6(self.bn2(self.conv_head(x))).mean((2, 3))
        return self.classifier(self.dropout(x))


def efficientnet_lite0(num_classes):
    return Lite0(num_classes)


def tf_efficientnet_lite0(num_classes):
    return Lite0(num_classes, is_tensorflow=True)


def compare_with_timm():
    import timm

    for make in (efficientnet_lite0, tf_efficientnet_lite0):
        name = make.__name__
        theirs, ours = timm.create_model(name).eval().double(), make(1000).eval().double()
        ours.load_state_dict(theirs.state_dict())
        x = torch.rand(2, 3, 97, 130).double()
        print(f"{name}: largest difference {float((theirs(x) - ours(x)).abs().max()):.1e}")


if __name__ == "__main__":
    compare_with_timm()
