"""Writes NAME.txt beside itself: every entry of torchvision's state dict, "name dims...", a line each (torchvision 0.14 and newer agree).

    python3 tests/nn/make_names.py

Where timm is installed (0.9.16 wrote what is there), also timm_NAME.txt of what mien imports.
"""
import pathlib
import torchvision
try:
    import timm
except ImportError:
    timm = None

WITHOUT_HEADS = {"aux_logits": False, "init_weights": False}  # mien builds no auxiliary heads

TIMM = ("resnet50", "vit_base_patch16_224", "efficientnet_b0", "inception_v3")  # tf_efficientnet_b0 has efficientnet_b0's names


def write(name, model):
    lines = [" ".join([entry, *map(str, tensor.shape)]) for entry, tensor in model.state_dict().items()]
    (pathlib.Path(__file__).parent / "fixtures" / f"{name}.txt").write_text("\n".join(lines) + "\n")


for arch, options in {"resnet50": {}, "efficientnet_b0": {}, "vit_b_16": {}, "googlenet": WITHOUT_HEADS, "inception_v3": WITHOUT_HEADS}.items():
    write(arch, getattr(torchvision.models, arch)(num_classes=1000, **options))
for arch in TIMM if timm else ():
    write(f"timm_{arch}", timm.create_model(arch))
