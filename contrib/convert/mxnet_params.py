"""Files of parameters that MXNet writes (mx.nd.save): a list of arrays and their names.

Little endian: u64 0x112, u64 0, u64 number of arrays; for each array u32 magic,
i32 storage type (0: dense), u32 number of dimensions, i64 each, i32 device type,
i32 device, i32 type of numbers, the numbers row by row; then u64 number of names,
for each u64 length and bytes. Names begin with `arg:` or `aux:`.
"""
import array
import struct

MAGIC = 0x112
ARRAY_MAGICS = (0xF993FAC9, 0xF993FACA)
FORMATS = {0: "f", 1: "d", 2: "e", 3: "B", 4: "i", 5: "b", 6: "q"}


class Damaged(Exception):
    """The file is not what it should be."""


def read(path):
    """By name, a pair of shape and float32 values."""
    with open(path, "rb") as f:
        def take(form):
            size = struct.calcsize("<" + form)
            data = f.read(size)
            if len(data) != size:
                raise Damaged("it ends too early")
            return struct.unpack("<" + form, data)

        if take("QQ")[0] != MAGIC:
            raise Damaged("no file of parameters of MXNet")
        arrays = []
        for _ in range(take("Q")[0]):
            magic, storage = take("Ii")
            if magic not in ARRAY_MAGICS or storage != 0:
                raise Damaged(f"array {len(arrays)} is of a kind that is not known (magic {magic:#x}, storage {storage})")
            shape = take(f"{take('I')[0]}q")
            kind = take("iii")[2]
            if kind not in FORMATS:
                raise Damaged(f"array {len(arrays)} has numbers of a type that is not known ({kind})")
            count = 1
            for n in shape:
                count *= n
            if FORMATS[kind] == "f":
                values = array.array("f")
                values.frombytes(f.read(4 * count))
                if len(values) != count:
                    raise Damaged("it ends too early")
            else:
                values = array.array("f", take(f"{count}{FORMATS[kind]}"))
            arrays.append((shape, values))
        names = [f.read(take("Q")[0]).decode() for _ in range(take("Q")[0])]
    if len(names) != len(arrays):
        raise Damaged(f"{len(arrays)} arrays have {len(names)} names")
    return {name.split(":", 1)[-1]: tensor for name, tensor in zip(names, arrays)}
