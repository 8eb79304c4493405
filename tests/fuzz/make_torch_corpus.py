"""Writes the seeds of corpus/torch_zip and corpus/unpickle, and some of corpus/zip: small checkpoints of both of torch.save's formats,
their pickles, and what must be refused.

    python3 tests/fuzz/make_torch_corpus.py        (needs python3-torch)
"""
import argparse
import collections
import io
import pathlib
import numpy
import pickle
import torch
import zipfile

corpus = pathlib.Path(__file__).parent / "corpus"
files, pickles = corpus / "torch_zip", corpus / "unpickle"
for folder in (files, pickles):
    folder.mkdir(parents=True, exist_ok=True)


def saved(value, **more):
    stream = io.BytesIO()
    torch.save(value, stream, **more)
    return stream.getvalue()


count = torch.arange(6, dtype=torch.float32)
state = collections.OrderedDict(w=count.reshape(2, 3).t(), b=count[1:4:2], n=torch.tensor(3), h=torch.ones(2, dtype=torch.bfloat16),
                                p=torch.nn.Parameter(torch.ones(1)))
nested = {"state_dict": {"module.w": torch.ones(2, 1)}, "epoch": 1}
for name, value in (("state", state), ("nested", nested)):
    (files / f"{name}.pth").write_bytes(saved(value))
    (files / f"{name}_legacy.pth").write_bytes(saved(value, _use_new_zipfile_serialization=False))
    with zipfile.ZipFile(io.BytesIO(saved(value))) as archive:
        (pickles / name).write_bytes(archive.read("archive/data.pkl"))
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(saved(value))) as old, zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as new:
        for entry in old.namelist():
            new.writestr(entry, old.read(entry))
    (files / f"{name}_deflated.pth").write_bytes(stream.getvalue())

# What lies beside the weights, several dicts of weights, and a whole module.
beside = {"args": argparse.Namespace(out=pathlib.PurePosixPath("/tmp/run"), names={"a", "b"}), "best": numpy.float64(0.5),
          "seen": numpy.arange(3), "groups": collections.defaultdict(list, {"a": [1]}), "counts": collections.Counter("aab"),
          "device": torch.device("cpu"), "frozen": frozenset((1, 2)), "array": bytearray(b"xy"), "kind": torch.nn.functional.relu}
averages = {"state_dict": {"w": torch.zeros(2)}, "state_dict_ema": {"w": torch.ones(2)}, "model": {"net": {"w": torch.ones(1)}}}
for name, value in (("beside", {"model": {"w": torch.ones(2)}, **beside}), ("averages", averages), ("module", torch.nn.Linear(1, 1))):
    (files / f"{name}.pth").write_bytes(saved(value))
    if name != "module":  # which would hold its source text
        (files / f"{name}_legacy.pth").write_bytes(saved(value, _use_new_zipfile_serialization=False))
    with zipfile.ZipFile(io.BytesIO(saved(value))) as archive:
        (pickles / name).write_bytes(archive.read("archive/data.pkl"))
for protocol in (2, 4, 5):
    (pickles / f"beside_{protocol}").write_bytes(pickle.dumps(beside, protocol))
head = {"net.classifier.1.weight": torch.ones(1).expand(2, 1280), "net.classifier.1.bias": torch.ones(2),
        "student.fc.0.weight": torch.ones(1).expand(3, 2048), "student.fc.2.weight": torch.ones(1, 3),
        "encoder.head.1.weight": torch.ones(1).expand(2, 768)}
(files / "heads.pth").write_bytes(saved(head))
(corpus / "zip").mkdir(exist_ok=True)
for folder in (files, corpus / "zip"):  # what comes in a file's place
    (folder / "cut.pth").write_bytes(saved(head)[:400])
    (folder / "pointer").write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    (folder / "page").write_bytes(b"\xef\xbb\xbf\n<!DOCTYPE html><html></html>")

plain = {"a": 1, "b": (-2, 1.5, None, True, "text", b"bytes"), "c": [300, 2 ** 70, {"d": []}]}
for protocol in (2, 3, 4, 5):
    (pickles / f"plain_{protocol}").write_bytes(pickle.dumps(plain, protocol))


class Call:
    def __reduce__(self):
        import os
        return os.system, ("true",)


(pickles / "system").write_bytes(pickle.dumps(Call(), 2))
(pickles / "memo_never_stored").write_bytes(b"\x80\x02h\x07.")
(pickles / "long_text").write_bytes(b"\x80\x04\x8e" + (10 << 30).to_bytes(8, "little") + b"x.")
(pickles / "deep").write_bytes(b"\x80\x02" + b"(" * 2000)
(pickles / "v3").write_bytes(b"\x80\x02ctorch._utils\n_rebuild_tensor_v3\n((X\x07\0\0\0storagectorch.storage\nUntypedStorage\n"
                             b"X\x01\0\0\x000NK\x08tQK\0K\x04\x85K\x01\x85\x89}ctorch\nuint16\ntR.")
