"""Writes fixtures/positions.safetensors: position embeddings as torchvision interpolates them, "FROM" and "FROM-TO" for sides
of grids.

    python3 tests/nn/make_positions.py
"""
import json
import pathlib
import struct

import torch
from torchvision.models.vision_transformer import interpolate_embeddings

DIM, PATCH = 3, 16
tensors = {}
for side, others in ((14, (1, 2, 4, 13, 18, 24)), (3, (2, 7)), (1, (3,))):
    torch.manual_seed(side)
    start = torch.randn(1, 1 + side * side, DIM)
    tensors[f"{side}"] = start
    for other in others:
        state = interpolate_embeddings(other * PATCH, PATCH, {"encoder.pos_embedding": start})
        tensors[f"{side}-{other}"] = state["encoder.pos_embedding"]

header, data = {"__metadata__": {"made_with": f"PyTorch {torch.__version__}"}}, b""
for name, tensor in tensors.items():
    raw = struct.pack(f"<{tensor.numel()}f", *tensor.flatten().tolist())
    header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": [len(data), len(data) + len(raw)]}
    data += raw
text = json.dumps(header, separators=(",", ":")).encode()
text += b" " * (-len(text) % 8)
path = pathlib.Path(__file__).parent / "fixtures" / "positions.safetensors"
path.write_bytes(struct.pack("<Q", len(text)) + text + data)
