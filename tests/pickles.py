"""Writes pickles instruction by instruction, and zip archives that may lie; and watches what opening them costs.

Run as a module with a folder, it opens every .pth file in it with map_pth, and prints a line of JSON for each.
"""

import copyreg
import json
import os
import struct
import sys
import time
import zlib
from pathlib import Path
from typing import NamedTuple

from llama_np.pth import map_pth

try:
    import resource
except ImportError:  # Windows
    resource = None

# Pickles. Each function returns the bytes of the instructions that put a value on the stack.


def text(value):
    data = value.encode()
    return b"X" + struct.pack("<I", len(data)) + data


def short_text(value):
    return b"\x8c" + bytes([len(value)]) + value.encode()


def integer(value):
    if 0 <= value < 256:
        return b"K" + bytes([value])
    data = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
    return b"\x8a" + bytes([len(data)]) + data


def pair(*items):
    """A tuple, of any length."""
    return b"(" + b"".join(items) + b"t"


def integers(values):
    return pair(*map(integer, values))


def dictionary(**items):
    return b"}" + fill(**items)


def fill(**items):
    return b"(" + b"".join(text(key) + value for key, value in items.items()) + b"u"


def imported(module, name):
    return f"c{module}\n{name}\n".encode()


def call(function, *arguments):
    return function + pair(*arguments) + b"R"


ORDERED_DICT = imported("collections", "OrderedDict")
REBUILD_TENSOR = imported("torch._utils", "_rebuild_tensor_v2")


FLOATS = imported("torch", "FloatStorage")
KEY_0 = text("0")
KIND = text("storage")
NUMBERS = struct.pack("<6f", *range(6))


def storage(numel=6, key=KEY_0, kind=KIND, dtype=FLOATS):
    return pair(kind, dtype, key, text("cpu"), integer(numel)) + b"Q"


def tensor(size=(2, 3), stride=(3, 1), offset=0, data=None, extra=()):
    """A tensor over storage 0, which in `model` is 0 1 2 3 4 5 in float32. Integers, or instructions that push any."""
    size, stride = (value if isinstance(value, bytes) else integers(value) for value in (size, stride))
    offset = offset if isinstance(offset, bytes) else integer(offset)
    hooks = call(ORDERED_DICT)
    return call(REBUILD_TENSOR, storage() if data is None else data, offset, size, stride, b"\x89", hooks, *extra)


def program(value, protocol=2):
    return b"\x80" + bytes([protocol]) + value + b"."


def nested(depth):
    """A tuple in a tuple in a tuple …"""
    return b")" + b"\x85" * depth


def doubled(times):
    """A tuple of twice the same tuple, of twice the same tuple …: 2**times ends, if one counts them."""
    return b")" + b"".join(b"q%ch%c\x86" % (index, index) for index in range(100, 100 + times))


# Archives


class Member(NamedTuple):
    """A member of an archive. What is None is told truly.

    hole: zeros after data, which take no room on the disk. shift: how far data begins from a multiple of 64.
    """

    name: str
    data: bytes = b""
    method: int = 0
    flags: int = 0
    size: int | None = None
    inflated: int | None = None
    offset: int | None = None
    signature: bytes = b"PK\3\4"
    hole: int = 0
    shift: int = 0
    version: int = 45


def model(value, *more, folder="model", numbers=NUMBERS):
    """The members of a file that torch might have written: data.pkl, storage 0, and more."""
    body = value if value[:1] == b"\x80" else program(value)
    return [Member(f"{folder}/data.pkl", body), Member(f"{folder}/data/0", numbers), *more]


def write_archive(path, members, directory_size=None):
    """Write an archive with 64-byte aligned members, offsets and sizes in zip64 where they need it."""
    with path.open("wb") as file:
        directory = b"".join(_write_member(file, member) for member in members)
        start = file.tell()
        file.write(directory)
        if directory_size is not None:  # zeros, which take no room on the disk
            file.seek(start + directory_size)
        _write_end(file, len(members), directory_size or len(directory), start)


def _write_member(file, member):
    """Returns the member's entry in the directory."""
    name = member.name.encode()
    size = len(member.data) + member.hole if member.size is None else member.size
    inflated = size if member.inflated is None else member.inflated
    offset = file.tell() if member.offset is None else member.offset
    padding = (member.shift - file.tell() - 30 - len(name) - 4) % 64
    extra = b"FB" + struct.pack("<H", padding) + b"Z" * padding
    checksum = zlib.crc32(member.data)
    common = struct.pack("<HHHHHI", member.version, member.flags, member.method, 0, 0, checksum)
    file.write(member.signature + common + struct.pack("<IIHH", 0, 0, len(name), len(extra)) + name + extra)
    file.write(member.data)
    file.seek(file.tell() + member.hole)
    extra = struct.pack("<HHQQQ", 1, 24, inflated, size, offset)
    sizes = struct.pack("<IIHHHHHII", 2**32 - 1, 2**32 - 1, len(name), len(extra), 0, 0, 0, 0, 2**32 - 1)
    return b"PK\1\2" + struct.pack("<H", 45) + common + sizes + name + extra


def _write_end(file, count, size, start):
    end64 = file.tell()
    file.write(b"PK\6\6" + struct.pack("<QHHIIQQQQ", 44, 45, 45, 0, 0, count, count, size, start))
    file.write(b"PK\6\7" + struct.pack("<IQI", 0, end64, 1))
    file.write(b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, 2**16 - 1, 2**16 - 1, 2**32 - 1, 2**32 - 1, 0))


# What torch.save would write

PICKLED = {"bfloat16": "BFloat16Storage", "float16": "HalfStorage"}
PICKLED |= {"float32": "FloatStorage", "float64": "DoubleStorage"}


def write_pth(path, weights):
    """A .pth file as torch.save makes it. Arrays that are one object share a storage."""
    storages, entries = {}, {}
    for name, array in weights.items():
        key, _ = storages.setdefault(id(array), (str(len(storages)), array))
        kind = imported("torch", PICKLED[array.dtype.name])
        stored = storage(array.size, text(key), dtype=kind)
        strides = [stride // array.itemsize for stride in array.strides]
        entries[name] = tensor(array.shape, strides, data=stored)
    members = [Member("consolidated/data.pkl", program(dictionary(**entries)))]
    for key, array in storages.values():
        numbers = (array.T if array.strides[0] < array.strides[-1] else array).tobytes()
        members.append(Member(f"consolidated/data/{key}", numbers))
    write_archive(path, members)


# The watcher


def watch(path):
    """Open a file. Returns the error's type and text, or "opened", the seconds and the bytes of memory it took."""
    start, before = time.process_time(), _peak()
    try:
        kind, message = "opened", str(list(map_pth(path)))
    except Exception as error:
        kind, message = type(error).__name__, str(error)
    seconds, memory = time.process_time() - start, _peak() - before
    return {"name": path.stem, "kind": kind, "message": message, "seconds": seconds, "memory": memory}


def _peak():
    """The most memory this process ever had, in bytes. 0 where the system does not say."""
    if resource is None:
        return 0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def main(folder):
    for code in (1, 300, 70_000):  # what EXT1, EXT2 and EXT4 would import
        copyreg.add_extension("os", f"system{code}", code)
    os.chdir(folder)
    for path in sorted(Path().glob("*.pth")):
        print(json.dumps(watch(path)), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
