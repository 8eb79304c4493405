"""Writes files as torch.save does, without PyTorch: what a pickle names are stand-ins under PyTorch's names."""
import collections
import io
import json
import pickle
import struct
import sys
import types
import zipfile

CLASSES = {"F32": "FloatStorage", "F16": "HalfStorage", "BF16": "BFloat16Storage", "F64": "DoubleStorage", "I64": "LongStorage",
           "I32": "IntStorage", "U8": "ByteStorage"}
BYTES = {"F32": 4, "F16": 2, "BF16": 2, "F64": 8, "I64": 8, "I32": 4, "U8": 1}


def stand_in(module, name, value):
    value.__module__, value.__qualname__, value.__name__ = module, name, name
    for at in (i for i, letter in enumerate(module) if letter == "."):
        sys.modules.setdefault(module[:at], types.ModuleType(module[:at]))
    setattr(sys.modules.setdefault(module, types.ModuleType(module)), name, value)
    return value


def _rebuild(*_):
    raise AssertionError("only its name is wanted")


REBUILD = stand_in("torch._utils", "_rebuild_tensor_v2", _rebuild)
STORAGES = {dtype: stand_in("torch", name, type(name, (), {})) for dtype, name in CLASSES.items()}


class Storage:
    def __init__(self, dtype, raw):
        self.dtype, self.raw = dtype, raw


class Tensor:
    """A contiguous tensor of raw little-endian bytes; or a view of any strides, which may be of a storage that others show too."""

    def __init__(self, dtype, shape, raw, strides=None, storage=None, offset=0):
        self.dtype, self.shape, self.raw, self.strides, self.storage, self.offset = dtype, tuple(shape), raw, strides, storage, offset

    def __reduce__(self):
        strides, step = [], 1
        for size in reversed(self.shape):
            strides.insert(0, step)
            step *= size
        storage = self.storage or Storage(self.dtype, self.raw)
        return REBUILD, (storage, self.offset, self.shape, tuple(self.strides or strides), False, collections.OrderedDict())


class Pickler(pickle.Pickler):
    def __init__(self, stream, is_legacy):
        super().__init__(stream, 2)
        self.storages, self.is_legacy = [], is_legacy

    def persistent_id(self, value):
        if not isinstance(value, Storage):
            return None
        if value not in self.storages:
            self.storages.append(value)
        count = len(value.raw) // BYTES[value.dtype]
        found = ("storage", STORAGES[value.dtype], str(self.storages.index(value)), "cpu", count)
        return found + (None,) if self.is_legacy else found


def dump(value, is_legacy=False):
    stream = io.BytesIO()
    pickler = Pickler(stream, is_legacy)
    pickler.dump(value)
    return stream.getvalue(), pickler.storages


def repeated(dtype, shape):
    """A tensor of any shape that shows one zero everywhere, and takes no room."""
    return Tensor(dtype, shape, bytes(BYTES[dtype]), [0 for _ in shape])


def as_views(tensors):
    """The same numbers, but all float tensors lie in one storage, and those of more than one dimension transposed."""
    whole, views = Storage("F32", b""), {}
    parts, at = [], 0
    for name, t in tensors.items():
        if t.dtype != "F32":
            views[name] = t
            continue
        raw, strides = t.raw, None
        if len(t.shape) > 1:
            rows = t.shape[0]
            columns = len(raw) // 4 // rows
            values = memoryview(raw).cast("f")
            raw = b"".join(values[c::columns].tobytes() for c in range(columns))  # [columns, rows]
            strides, step = [], rows
            for size in reversed(t.shape[1:]):
                strides.insert(0, step)
                step *= size
            strides.insert(0, 1)
        views[name] = Tensor("F32", t.shape, raw, strides, whole, at)
        parts.append(raw)
        at += len(raw) // 4
    whole.raw = b"".join(parts)
    return views


def save_zip(path, value, pickled=None, change=None):
    """pickled: the bytes of data.pkl, where they are not to be those of value; change: called with the archive at its end."""
    data, storages = dump(value)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", data if pickled is None else pickled)
        for i, storage in enumerate(storages):
            archive.writestr(f"archive/data/{i}", storage.raw)
        archive.writestr("archive/version", "3\n")
        if change:
            change(archive)


def save_legacy(path, value, pickled=None):
    data, storages = dump(value, True)
    parts = [pickle.dumps(0x1950A86A20F9469CFC6C, 2), pickle.dumps(1001, 2),
             pickle.dumps({"protocol_version": 1001, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}, 2),
             data if pickled is None else pickled, pickle.dumps([str(i) for i in range(len(storages))], 2)]
    parts += [struct.pack("<q", len(s.raw) // BYTES[s.dtype]) + s.raw for s in storages]
    path.write_bytes(b"".join(parts))


def read_safetensors(path):
    """({name: Tensor}, metadata)"""
    raw = path.read_bytes()
    begin = 8 + struct.unpack("<Q", raw[:8])[0]
    head = json.loads(raw[8:begin])
    metadata = head.pop("__metadata__", {})
    return {name: Tensor(e["dtype"], e["shape"], raw[begin + e["data_offsets"][0]:begin + e["data_offsets"][1]])
            for name, e in head.items()}, metadata


def write_safetensors(path, tensors, metadata):
    head, at = {"__metadata__": metadata}, 0
    for name, t in tensors.items():
        head[name] = {"dtype": t.dtype, "shape": list(t.shape), "data_offsets": [at, at + len(t.raw)]}
        at += len(t.raw)
    text = json.dumps(head).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(t.raw for t in tensors.values()))


def rewrite(source, path, **changes):
    """A copy of a model file whose metadata says something else."""
    raw = source.read_bytes()
    begin = 8 + struct.unpack("<Q", raw[:8])[0]
    head = json.loads(raw[8:begin])
    about = {**json.loads(head["__metadata__"]["mien"]), **changes}
    head["__metadata__"]["mien"] = json.dumps(about)
    text = json.dumps(head).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + raw[begin:])
    return path
