"""Writes NAME.txt beside itself: every entry of torchvision's state dict, "name dims...", a line each (torchvision 0.14 and newer agree).

    python3 tests/nn/make_names.py
"""
import pathlib
import torchvision

WITHOUT_HEADS = {"aux_logits": False, "init_weights": False}  # mien builds no auxiliary heads

for arch, options in {"resnet50": {}, "efficientnet_b0": {}, "googlenet": WITHOUT_HEADS, "inception_v3": WITHOUT_HEADS,
                      "vit_b_16": {}}.items():
    state = getattr(torchvision.models, arch)(num_classes=1000, **options).state_dict()
    lines = [" ".join([name, *map(str, tensor.shape)]) for name, tensor in state.items()]
    out = pathlib.Path(__file__).parent / "fixtures" / f"{arch}.txt"
    out.write_text("\n".join(lines) + "\n")
