"""The files of parameters that sk reads and writes: float32 tensors by name."""
import array
import json
import struct


def write(path, tensors):
    """tensors: by name, a pair of shape and values (array of floats, row by row)."""
    header, at = {}, 0
    for name in sorted(tensors):
        shape, values = tensors[name]
        header[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [at, at + 4 * len(values)]}
        at += 4 * len(values)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text)
        for name in sorted(tensors):
            f.write(tensors[name][1].tobytes())


def read(path):
    """By name, a pair of shape and values."""
    with open(path, "rb") as f:
        size, = struct.unpack("<Q", f.read(8))
        header = json.loads(f.read(size))
        header.pop("__metadata__", None)
        found = {}
        for name, tensor in header.items():
            start, end = tensor["data_offsets"]
            f.seek(8 + size + start)
            values = array.array("f")
            values.frombytes(f.read(end - start))
            found[name] = (tensor["shape"], values)
    return found
