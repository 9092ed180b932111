"""Chapter 13: Meta's .pth files, mapped without torch.

torch.save writes a zip archive: one uncompressed member for the numbers of each storage, and a pickle, data.pkl,
that says which tensor lies where. A pickle is a program for a small machine with a stack. Its instructions can
import any function and call it, so unpickling a file hands the computer to whoever wrote it. Weights need some
twenty of them. This module runs those itself: none imports anything, and none calls anything but _STAND_INS.

Why not pickle.Unpickler with a find_class that admits a few names? It would call nothing foreign, but still run
every instruction: tuples nested a million deep, used as a key, overflow the C stack; tuples that double, 300 bytes
of them, take for ever to hash; one memo index takes 4 GB. Here a key must be text, and the memo is a dict.

Left out: files from before torch 1.6, whole numbers, expanded tensors, and checksums, which would read all 16 GB.
"""

import io
import math
import pickletools
import reprlib
import zipfile
from collections import namedtuple
from pathlib import Path
from pickle import UnpicklingError

import ml_dtypes
import numpy as np

_DTYPES = {
    "torch BFloat16Storage": np.dtype(ml_dtypes.bfloat16),
    "torch HalfStorage": np.dtype(np.float16),
    "torch FloatStorage": np.dtype(np.float32),
    "torch DoubleStorage": np.dtype(np.float64),
}

# The most bytes of the zip's directory, and of data.pkl. Llama 3 405B has 1,137 tensors, which need an eighth of
# it; each byte of a hostile file can cost some 80 bytes of memory, so 80 MB in all.
_LIMIT = 2**20

_COPY = "copy it again from where the model came from"
_SAVE = "where torch is at hand, save the tensors alone: torch.save(model.state_dict(), path)"
_DISTRUST = "nothing in it was run; get it from a source you trust, or if it is yours save the tensors alone"

# What the pickle says of a storage, and the arguments it gives torch's _rebuild_tensor_v2. The fields may hold
# anything until _storage_bytes and _check_layout have looked at them.
_Storage = namedtuple("Storage", "kind type key location numel")
_Tensor = namedtuple("Tensor", "storage offset size stride requires_grad hooks metadata", defaults=[None])

# All that a pickle may call, under the names it asks for. None does more than hold on to its arguments.
_STAND_INS = {
    "collections OrderedDict": lambda: {},
    "torch._utils _rebuild_tensor_v2": _Tensor,
    "torch._utils _rebuild_parameter": lambda tensor, requires_grad, hooks: tensor,
}


def map_pth(path):
    """Map every tensor of a file that torch.save wrote (torch 1.6 or later), without reading its numbers.

    Returns a dict from name to read-only array of bfloat16, float16, float32 or float64.
    Raises FileNotFoundError or ValueError with one line that says what is wrong with the file, and what to do.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file; a model folder needs its weights")
    try:
        infos = _read_directory(path)
        members = _map_members(infos, np.memmap(path, dtype=np.uint8, mode="r"))
        tensors = _unpickle(_pickle_of(members))
        return {name: _map_named_tensor(name, tensor, members) for name, tensor in tensors.items()}
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


# The archive


class _BoundedFile(io.FileIO):
    """A file for zipfile, which would read a directory as large as the archive claims it to be."""

    def read(self, size=-1):
        if size > _LIMIT:
            raise ValueError(f"its directory has {size} bytes, more than {_LIMIT}")
        return super().read(size)


def _read_directory(path):
    """What the archive says of its members: a list of ZipInfo, their names checked."""
    with _BoundedFile(path) as file:
        try:
            infos = zipfile.ZipFile(file).infolist()
        except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
            file.seek(0)
            if file.read(1) == b"\x80":  # a pickle's first byte
                raise ValueError(f"a pickle without a zip around it, as torch wrote before 1.6; {_SAVE}") from None
            raise ValueError(f"not a whole .pth file ({error}); {_COPY}") from None
    _check_names([info.filename for info in infos])
    return infos


def _check_names(names):
    """All members of the archive lie in one folder, whose name is free: consolidated.00/data.pkl and so on."""
    folder = names[0].partition("/")[0] if names else ""
    known = set()
    for name in names:
        if not folder or not name.startswith(f"{folder}/") or ".." in name.split("/"):
            raise ValueError(f"{name[:100]!r} lies outside the archive's one folder; {_DISTRUST}")
        if name in known:
            raise ValueError(f"{name[:100]!r} stands in the archive twice; {_DISTRUST}")
        known.add(name)
    if f"{folder}/constants.pkl" in known or any(name.startswith(f"{folder}/code/") for name in names):
        raise ValueError(f"a TorchScript program (code/, constants.pkl), not weights; {_SAVE}")
    if f"{folder}/data.pkl" not in known:
        raise ValueError("holds no data.pkl, so torch.save did not write it; name a file of weights")


def _map_members(infos, file):
    """Map each member. Returns a dict from its name within the folder to its bytes: [size] uint8."""
    members, end = {}, 0
    for info in sorted(infos, key=lambda info: info.header_offset):
        start, end = _find_member(info, file, end)
        members[info.filename.partition("/")[2]] = file[start:end]
    return members


def _find_member(info, file, previous_end):
    """Where a member's bytes begin and end. They follow its local header, whose length the directory omits."""
    name = info.filename[:100]
    if info.compress_type != zipfile.ZIP_STORED or info.compress_size != info.file_size or info.flag_bits & 1:
        raise ValueError(f"{name!r} is compressed or encrypted, so it cannot be mapped; {_COPY}")
    if not previous_end <= info.header_offset <= len(file):
        raise ValueError(f"{name!r} overlaps another member, or lies past the end of the file; {_COPY}")
    header = file[info.header_offset : info.header_offset + 30].tobytes()
    name_length, extra_length = (int.from_bytes(header[at : at + 2], "little") for at in (26, 28))
    start = info.header_offset + 30 + name_length + extra_length
    end = start + info.file_size
    if header[:4] != b"PK\3\4" or end > len(file):
        raise ValueError(f"{name!r} is not where the directory says, or is cut off; {_COPY}")
    return start, end


def _pickle_of(members):
    """The bytes of data.pkl."""
    if "byteorder" in members and members["byteorder"][:7].tobytes() != b"little":
        raise ValueError("'byteorder' is not little; save it again on a machine with an Intel or ARM processor")
    if len(members["data.pkl"]) > _LIMIT:
        raise ValueError(f"data.pkl has {len(members['data.pkl'])} bytes, more than {_LIMIT}; {_DISTRUST}")
    return members["data.pkl"].tobytes()


# The pickle


def _unpickle(program):
    """The dict that data.pkl describes. Its keys are text; its values may still be anything."""
    try:
        (value,) = _run(program)
    except UnpicklingError as error:
        raise ValueError(f"data.pkl asks for {error}, which Llama's weights do not need; {_DISTRUST}") from None
    except (IndexError, KeyError, TypeError, ValueError) as error:
        reason = f"{type(error).__name__}: {str(error)[:100]!r}"
        raise ValueError(f"data.pkl is no sound pickle of weights ({reason}); {_COPY}") from None
    if type(value) is not dict:
        raise ValueError(f"holds one {type(value).__name__}, not a dict of tensors by name; {_SAVE}")
    return value


def _run(program):
    """Run a pickle's instructions. Returns the stack they leave: one value, if the pickle is sound."""
    stack, marks, memo = [], [], {}
    for instruction, argument, _ in pickletools.genops(program):
        match instruction.name:
            case "PROTO" | "FRAME" | "STOP":
                pass
            case "MARK":
                marks.append(len(stack))
            case "BINPUT" | "LONG_BINPUT" | "MEMOIZE":
                memo[len(memo) if argument is None else argument] = stack[-1]
            case "BINGET" | "LONG_BINGET":
                stack.append(memo[argument])
            case name if name in _PUSHES:
                stack.append(_PUSHES[name](argument))
            case name if name in _MAKES:
                count, make = _MAKES[name]
                values = _pop(stack, len(stack) - marks.pop() + count if name in _TO_MARK else count)
                stack.append(make(*values))
            case name:
                raise UnpicklingError(f"the instruction {name} {reprlib.repr(argument)}".removesuffix(" None"))
    return stack


def _pop(stack, count):
    start = len(stack) - count
    if not 0 <= start <= len(stack):
        raise IndexError("an instruction takes more than the stack holds")
    values = stack[start:]
    del stack[start:]
    return values


def _stand_in(name):
    """What stands for a name that the pickle wants imported. name: module, a space, the name in it."""
    if name in _STAND_INS:
        return _STAND_INS[name]
    if name.startswith("torch ") and name.endswith("Storage"):
        return name
    raise UnpicklingError(repr(name.replace(" ", ".", 1)[:100]))


def _fill(target, *items):
    """Put items, a key, a value, a key, … into the dict target. Returns target."""
    if type(target) is not dict or any(type(key) is not str for key in items[::2]):
        raise TypeError("only a dict is filled, and its keys are text")
    target.update(zip(items[::2], items[1::2], strict=True))
    return target


# Instructions that put one value on the stack, made from the argument in the instruction itself.
_LITERALS = ["BINUNICODE", "SHORT_BINUNICODE", "BININT", "BININT1", "BININT2", "LONG1"]
_PUSHES = dict.fromkeys(_LITERALS, lambda value: value) | {
    "NONE": lambda _: None,
    "NEWTRUE": lambda _: True,
    "NEWFALSE": lambda _: False,
    "EMPTY_TUPLE": lambda _: (),
    "EMPTY_DICT": lambda _: {},
    "GLOBAL": _stand_in,
}

# Instructions that take values off the stack and put back one: how many, and what it is. Those in _TO_MARK take all
# down to the last mark, and so many more.
_MAKES = {
    "TUPLE1": (1, lambda *values: values),
    "TUPLE2": (2, lambda *values: values),
    "TUPLE3": (3, lambda *values: values),
    "TUPLE": (0, lambda *values: values),
    "SETITEM": (3, _fill),
    "SETITEMS": (1, _fill),
    "STACK_GLOBAL": (2, lambda *names: _stand_in(" ".join(names))),
    "BINPERSID": (1, lambda fields: _Storage(*fields)),
    "REDUCE": (2, lambda function, arguments: function(*arguments)),  # one of _STAND_INS
    "BUILD": (2, lambda value, state: value),  # version numbers, which no tensor needs
}
_TO_MARK = {"TUPLE", "SETITEMS"}


# The tensors


def _map_named_tensor(name, tensor, members):
    try:
        return _map_tensor(tensor, members)
    except ValueError as error:
        raise ValueError(f"{name[:100]!r} {error}") from None


def _map_tensor(tensor, members):
    """Lay a tensor's shape over the bytes of its storage. Returns an array of shape tensor.size."""
    if type(tensor) is not _Tensor:
        raise ValueError(f"is of type {type(tensor).__name__}, not a tensor; {_SAVE}")
    if tensor.metadata is not None:
        raise ValueError(f"is to be negated or conjugated when read, which is not done here; {_SAVE}")
    numbers, dtype = _storage_bytes(tensor.storage, members)
    _check_layout(tensor)
    where = tensor.offset * dtype.itemsize, [step * dtype.itemsize for step in tensor.stride]
    if 0 in tensor.size:
        where = ()  # torch lets a tensor without numbers begin anywhere
    try:
        return np.ndarray(tensor.size, dtype, numbers, *where)
    except ValueError:  # a size or stride past 64 bits that is never used
        raise ValueError(f"has {_layout(tensor)}, which no array can have; {_COPY}") from None


def _storage_bytes(storage, members):
    """The bytes of a storage, [size] uint8, and the dtype of its numbers."""
    if type(storage) is not _Storage or [*map(type, storage)] != [str, str, str, str, int] or storage[0] != "storage":
        raise ValueError(f"is built on no sound storage; {_COPY}")
    if storage.type not in _DTYPES:
        known = ", ".join(dtype.name for dtype in _DTYPES.values())
        raise ValueError(f"is stored as {storage.type.replace(' ', '.')[:100]!r}; convert it to one of {known}")
    dtype, member = _DTYPES[storage.type], f"data/{storage.key}"
    if member not in members:
        raise ValueError(f"lies in {member[:100]!r}, which the archive does not hold; {_COPY}")
    numbers = members[member]
    if len(numbers) != storage.numel * dtype.itemsize:
        raise ValueError(f"needs {storage.numel} {dtype} of {member[:100]!r}, which has {len(numbers)} bytes; {_COPY}")
    return numbers, dtype


def _check_layout(tensor):
    """Refuse what reaches past the storage. Python's integers do not overflow; NumPy's would, and pass it."""
    offset, size, stride, numel = tensor.offset, tensor.size, tensor.stride, tensor.storage.numel
    is_pair = type(size) is type(stride) is tuple and len(size) == len(stride) <= 8
    if not is_pair or any(type(n) is not int or n < 0 for n in (offset, *size, *stride)):
        raise ValueError(f"has an offset, size or stride that is none; {_COPY}")
    last = offset + sum((n - 1) * step for n, step in zip(size, stride))
    if 0 not in size and (last >= numel or math.prod(size) > numel):
        raise ValueError(f"has {_layout(tensor)}, which is past the {numel} numbers of its storage; {_COPY}")


def _layout(tensor):
    return ", ".join(f"{field} {reprlib.repr(getattr(tensor, field))}" for field in ("size", "stride", "offset"))
