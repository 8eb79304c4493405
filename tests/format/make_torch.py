"""Writes torch/: small files of torch.save, and wanted.safetensors with what they hold, each tensor contiguous.

    python3 tests/format/make_torch.py [VERSION]

VERSION (default "1.13") names the files: zip_VERSION.pth and legacy_VERSION.pth. Both were made with PyTorch 1.13 (Debian 12) and,
as "2.15", with PyTorch 2.15, which adds the types that 1.13 has not; wanted.safetensors is of the newer one.
"""
import collections
import json
import pathlib
import struct
import sys
import torch

version = sys.argv[1] if len(sys.argv) > 1 else "1.13"
out = pathlib.Path(__file__).parent / "torch"
TYPES = {torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16", torch.float64: "F64", torch.int64: "I64", torch.int32: "I32",
         torch.int16: "I16", torch.int8: "I8", torch.uint8: "U8", torch.bool: "BOOL", torch.complex64: "C64"}
for name, dtype in (("uint16", "U16"), ("uint32", "U32"), ("uint64", "U64"), ("float8_e4m3fn", "F8_E4M3"), ("float8_e5m2", "F8_E5M2")):
    if hasattr(torch, name):
        TYPES[getattr(torch, name)] = dtype

count = torch.arange(24, dtype=torch.float32)
state = collections.OrderedDict()
for dtype, name in TYPES.items():
    state[f"type.{name}"] = torch.arange(5).to(dtype)
state["scalar"] = torch.tensor(7, dtype=torch.int64)
state["empty"] = torch.zeros(0, 3)
state["transposed"] = count.reshape(4, 6).t()
state["permuted"] = count.reshape(2, 3, 4).permute(2, 0, 1)
state["channels_last"] = count.reshape(2, 3, 2, 2).contiguous(memory_format=torch.channels_last)
state["sliced"] = count.reshape(4, 6)[1:3, 2:5]  # shares its storage with the next two
state["stepped"] = count[3::5]
state["column"] = count.reshape(4, 6)[:, 5]
state["expanded"] = torch.tensor([1.5, 2.5])[:, None].expand(2, 3)
state["rank_6"] = count.reshape(1, 2, 3, 1, 4, 1).transpose(1, 4)
state["parameter"] = torch.nn.Parameter(torch.tensor([0.25, -3.0]))
state["half_strided"] = torch.arange(6).reshape(2, 3).t().to(torch.float16).contiguous().t()
state["note"] = "no tensor, left out"
state._metadata = collections.OrderedDict([("", {"version": 1})])  # as torch.nn.Module.state_dict adds it

torch.save({"epoch": 3, "lr": 0.1, "big": 2 ** 70, "names": ("a", None, True), "state_dict": state}, out / f"zip_{version}.pth")
torch.save(state, out / f"legacy_{version}.pth", _use_new_zipfile_serialization=False)

head, data = {}, b""
for name, tensor in state.items():
    if not isinstance(tensor, torch.Tensor):
        continue
    flat = tensor.detach().contiguous().reshape(-1)
    raw = flat.view(torch.uint8).numpy().tobytes() if flat.numel() and flat.dtype != torch.complex64 else flat.numpy().tobytes()
    head[name] = {"dtype": TYPES[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [len(data), len(data) + len(raw)]}
    data += raw
text = json.dumps(head).encode()
text += b" " * (-len(text) % 8)
(out / "wanted.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + data)
(out / "VERSIONS").write_text(f"wanted.safetensors: PyTorch {torch.__version__}\n")
