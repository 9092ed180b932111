"""Meta's .pth files: what torch wrote comes back number for number, and nothing that a file asks for is run.

HOSTILE is the table: a file, and what the refusal must name. A child process opens them all, so that a crash, a
hang or gigabytes of memory show as a failing test. The files of tests/golden were written by torch itself.
"""

import io
import json
import os
import pickle
import random
import re
import shutil
import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

from llama_np.pth import map_pth
from tests.oracle import oracle_module
from tests.pickles import (
    NUMBERS,
    ORDERED_DICT,
    REBUILD_TENSOR,
    Member,
    call,
    dictionary,
    doubled,
    fill,
    imported,
    integer,
    integers,
    model,
    nested,
    pair,
    program,
    short_text,
    storage,
    tensor,
    text,
    write_archive,
)

ROOT = Path(__file__).parents[1]
GOLDEN = Path(__file__).parent / "golden"
MEMORY, SECONDS = 150_000_000, 30

# If a file could run anything, it would leave a file of this name.
MARKER = "it_was_run"
COMMAND = f"echo > {MARKER}"
ATTACK = call(imported("os", "system"), text(COMMAND))


def weights(**items):
    return model(dictionary(**items))


def raw(data):
    return lambda path: path.write_bytes(data)


def claims_directory_of(size):
    return lambda path: write_archive(path, weights(a=tensor()), directory_size=size)


def cut(part):
    """The first part of a good file."""
    data = (GOLDEN / "plain.pth").read_bytes()
    return raw(data[: int(len(data) * part)])


def many_entries(path):
    """A directory as large as may be, of members that take no room in the file."""
    write_archive(path, [*weights(a=tensor()), *(Member(f"model/data/{i}", offset=0) for i in range(1, 6_000))])


def changed(index, **changes):
    """A good file, but for one member. The members are data.pkl and data/0."""
    members = weights(a=tensor())
    members[index] = members[index]._replace(**changes)
    return members


NAMES = {
    "os_system": (weights(a=ATTACK), "'os.system'"),
    "os_system_alone": (model(ATTACK), "'os.system'"),
    "os_system_hung_on": (model(dictionary(a=tensor()) + dictionary(b=ATTACK) + b"b"), "'os.system'"),
    "builtins_eval": (weights(a=call(imported("builtins", "eval"), text(COMMAND))), "'builtins.eval'"),
    "python_2_builtins": (weights(a=call(imported("__builtin__", "exec"), text(COMMAND))), "'__builtin__.exec'"),
    "numpy_scalar": (weights(a=imported("numpy.core.multiarray", "scalar")), "'numpy.core.multiarray.scalar'"),
    "protocol_4": (model(pickle.dumps({"a": map_pth}, 4)), "'llama_np.pth.map_pth'"),
    "stack_global": (
        model(
            short_text("os") + short_text("system") + b"\x93",
        ),
        "'os.system'",
    ),
    "stack_global_attribute": (
        model(short_text("collections") + short_text("OrderedDict.fromkeys") + b"\x93"),
        "'collections.OrderedDict.fromkeys'",
    ),
    "attribute_of_the_admitted": (
        weights(a=imported("torch._utils", "_rebuild_tensor_v2.__globals__")),
        "'torch._utils._rebuild_tensor_v2.__globals__'",
    ),
    "admitted_of_elsewhere": (weights(a=imported("os", "_rebuild_tensor_v2")), "'os._rebuild_tensor_v2'"),
    "storage_of_elsewhere": (weights(a=imported("os", "FloatStorage")), "'os.FloatStorage'"),
    "other_tensors": (weights(a=imported("torch._utils", "_rebuild_qtensor")), "'torch._utils._rebuild_qtensor'"),
    "name_without_end": (weights(a=imported("os", "x" * 100_000)), "'os.xxx"),
    "name_of_two_lines": (model(short_text("os") + short_text("sys\ntem") + b"\x93"), r"'os\.sys\\ntem'"),
}

INSTRUCTIONS = {
    "inst": (model(b"(" + text(COMMAND) + b"ios\nsystem\n"), "INST 'os system'"),
    "inst_of_the_admitted": (model(b"(icollections\nOrderedDict\n"), "INST 'collections OrderedDict'"),
    "obj": (model(b"(" + ORDERED_DICT + b"o"), "instruction OBJ,"),
    "newobj": (model(ORDERED_DICT + b")\x81"), "instruction NEWOBJ,"),
    "newobj_ex": (model(ORDERED_DICT + b")}\x92"), "instruction NEWOBJ_EX,"),
    "ext1": (model(b"\x82\x01"), "instruction EXT1 1,"),
    "ext2": (model(b"\x83" + struct.pack("<H", 300)), "instruction EXT2 300,"),
    "ext4": (model(b"\x84" + struct.pack("<I", 70_000)), "instruction EXT4 70000,"),
    "persid": (model(b"P0\n"), "instruction PERSID '0'"),
    "put_as_text": (model(b"}p-1\n"), "instruction PUT -1"),
    "get_as_text": (model(b"}q\x00g0\n"), "instruction GET 0"),
    "list": (weights(a=tensor(), optimizer=b"]"), "instruction EMPTY_LIST,"),
    "nested_lists": (model(b"]" * 500_000 + b"a" * 499_999), "instruction EMPTY_LIST,"),
    "set": (weights(a=b"\x8f"), "instruction EMPTY_SET,"),
    "float": (weights(a=b"G" + bytes(8)), r"instruction BINFLOAT 0\.0"),
    "bytes": (weights(a=b"C\x01x"), "instruction SHORT_BINBYTES b'x'"),
    "pop": (model(b"}}0"), "instruction POP,"),
    "out_of_band": (model(b"\x97"), "instruction NEXT_BUFFER,"),
    "text_of_exabytes": (model(b"\x8d" + struct.pack("<Q", 2**60)), "data.pkl .*expected 1152921504606846976 bytes"),
    "bytes_of_exabytes": (model(b"\x8e" + struct.pack("<Q", 2**60)), "data.pkl .*expected 1152921504606846976 bytes"),
    "bytearray_of_exabytes": (model(b"\x96" + struct.pack("<Q", 2**60)), "data.pkl .* 1152921504606846976 bytes"),
    "text_of_gigabytes": (model(b"X" + struct.pack("<I", 2**32 - 1)), "data.pkl .* 4294967295 bytes"),
    "integer_of_gigabytes": (model(b"\x8b" + struct.pack("<i", 2**31 - 1)), "data.pkl .*long4"),
    "integer_of_many_digits": (model(b"I" + b"9" * 900_000 + b"\n"), "data.pkl .*"),
    "frame_of_exabytes": (model(b"\x80\x04\x95" + struct.pack("<Q", 2**60)), "data.pkl .*before seeing STOP"),
    "not_an_instruction": (model(b"\xff"), "data.pkl .*unknown"),
    "empty_pickle": (changed(0, data=b""), "data.pkl .*before seeing STOP"),
    "cut_pickle": (model(b"\x80\x02" + dictionary(a=tensor())), "data.pkl .*before seeing STOP"),
    "not_utf8": (model(b"X\x01\x00\x00\x00\xff"), "data.pkl .*UnicodeDecodeError"),
    "reduce_of_nothing": (model(b"R"), "data.pkl .*IndexError"),
    "reduce_below_a_mark": (model(b"}(0R"), "data.pkl "),
    "tuple_without_a_mark": (model(b"t"), "data.pkl .*IndexError"),
    "mark_above_the_stack": (model(b"}(KK\x85\x85\x86\x87t"), "data.pkl .*IndexError"),
    "get_of_nothing": (model(b"h\x07"), "data.pkl .*KeyError: '7'"),
    "two_values": (model(b"}}"), "data.pkl .*ValueError"),
    "call_of_text": (model(call(text("os system"), text(COMMAND))), "data.pkl .*'str' object is not callable"),
    "call_of_a_tensor": (model(call(tensor())), "data.pkl .*not callable"),
    "call_without_a_tuple": (model(ORDERED_DICT + b"K\x01R"), "data.pkl .*TypeError"),
    "fills_a_tuple": (model(b")" + fill(a=tensor())), "data.pkl .*only a dict is filled"),
    "fills_a_function": (model(REBUILD_TENSOR + fill(a=tensor())), "data.pkl .*only a dict is filled"),
    "key_without_a_value": (model(b"}(" + text("a") + b"u"), "data.pkl .*ValueError"),
    "stack_global_of_tuples": (model(b"))\x93"), "data.pkl .*TypeError"),
    "ordered_dict_of_pairs": (model(call(ORDERED_DICT, pair(pair(text("a"), tensor())))), "data.pkl .*TypeError"),
    "state_of_a_class": (
        model(REBUILD_TENSOR + pair(b"N", dictionary(__new__=ORDERED_DICT)) + b"b"),
        "holds one type",
    ),
    "state_of_a_function": (
        model(ORDERED_DICT + pair(b"N", dictionary(__defaults__=b")")) + b"b"),
        "holds one function",
    ),
}

BOMBS = {
    "memo_index": (weights(a=b"}r\xff\xff\xff\x7f"), "'a' is of type dict"),
    "memo_indices": (
        weights(a=b"}" + b"".join(b"r" + struct.pack("<I", 200_000 * i) for i in range(20_000))),
        "'a' is of type dict",
    ),
    "deep_key": (model(b"}" + nested(1_000_000) + b"K\x01s"), "keys are text"),
    "deep_value": (weights(a=nested(300_000)), "'a' is of type tuple"),
    "deep_dict": (model(b"}" + (text("a") + b"}") * 100_000 + b"s" * 100_000), "'a' is of type dict"),
    "deep_arguments": (model(ORDERED_DICT + nested(100_000) + b"R"), "data.pkl .*TypeError"),
    "deep_name": (model(nested(100_000) + text("system") + b"\x93"), "data.pkl .*TypeError"),
    "deep_storage": (weights(a=tensor(data=nested(100_000))), "'a' is built on no sound storage"),
    "deep_storage_key": (weights(a=tensor(data=storage(key=nested(100_000)))), "'a' is built on no sound storage"),
    "deep_storage_type": (weights(a=tensor(data=storage(dtype=nested(100_000)))), "'a' is built on no sound storage"),
    "deep_size": (weights(a=tensor(size=nested(100_000))), "'a' has an offset, size or stride that is none"),
    "doubled_key": (model(b"}" + doubled(60) + b"K\x01s"), "keys are text"),
    "doubled_value": (weights(a=doubled(60)), "'a' is of type tuple"),
    "doubled_name": (model(text("os") + doubled(60) + b"\x93"), "data.pkl .*TypeError"),
    "doubled_storage_key": (weights(a=tensor(data=storage(key=doubled(60)))), "'a' is built on no sound storage"),
    "doubled_storage_type": (weights(a=tensor(data=storage(dtype=doubled(60)))), "'a' is built on no sound storage"),
    "doubled_storage_kind": (weights(a=tensor(data=storage(kind=doubled(60)))), "'a' is built on no sound storage"),
    "doubled_offset": (weights(a=tensor(offset=doubled(60))), "'a' has an offset, size or stride that is none"),
    "dict_in_itself": (model(b"}q\x00" + text("a") + b"h\x00s"), "'a' is of type dict"),
    "million_dicts": (model(b"}" * 1_000_000), "data.pkl .*ValueError"),
    "marks": (model(b"(" * 300_000), "data.pkl "),
    "storages": (model(storage()[:-1] + b"q\x00Q" + b"h\x00Q" * 100_000), "data.pkl .*ValueError"),
    "one_tensor_in_many_entries": (
        model(dictionary(a=tensor() + b"q\x00") + fill(**{str(i): b"h\x00" for i in range(30_000)}, last=b"N")),
        "'last' is of type NoneType",
    ),
}

VALUES = {
    "whole_number": (weights(a=tensor(), step=integer(3)), "'step' is of type int"),
    "text": (weights(a=text("b")), "'a' is of type str"),
    "none": (weights(a=b"N"), "'a' is of type NoneType"),
    "dict_of_dicts": (weights(model=dictionary(a=tensor())), "'model' is of type dict"),
    "name_of_two_lines": (model(b"}" + text("a\nb") + b"Ns"), r"'a\\nb' is of type NoneType"),
    "storage_itself": (weights(a=storage()), "'a' is of type Storage"),
    "key_of_a_number": (model(b"}K\x01" + tensor() + b"s"), "keys are text"),
    "one_tensor": (model(tensor()), "holds one Tensor, not a dict"),
    "tuple_of_tensors": (model(pair(tensor(), tensor())), "holds one tuple, not a dict"),
    "nothing_in_it": (model(b"N"), "holds one NoneType, not a dict"),
    "too_few_arguments": (weights(a=call(REBUILD_TENSOR, storage(), integer(0))), "data.pkl .*TypeError"),
    "too_many_arguments": (weights(a=tensor(extra=[b"N", b"N"])), "data.pkl .*TypeError"),
    "parameter_of_nothing": (weights(a=call(imported("torch._utils", "_rebuild_parameter"))), "data.pkl .*TypeError"),
    "negated": (weights(a=tensor(extra=[dictionary(neg=b"\x88")])), "'a' is to be negated"),
    "whole_numbers": (
        weights(a=tensor(data=storage(dtype=imported("torch", "LongStorage")))),
        "'a' is stored as 'torch.LongStorage'",
    ),
    "odd_storage": (
        weights(a=tensor(data=storage(dtype=imported("torch", "os.Storage")))),
        "'a' is stored as 'torch.os.Storage'",
    ),
    "persistent_number": (weights(a=tensor(data=integer(0) + b"Q")), "data.pkl .*TypeError"),
    "persistent_pair": (weights(a=tensor(data=pair(text("storage"), text("0")) + b"Q")), "data.pkl .*TypeError"),
    "persistent_module": (weights(a=tensor(data=storage(kind=text("module")))), "'a' is built on no sound storage"),
    "storage_is_a_tuple": (weights(a=tensor(data=storage()[:-1])), "'a' is built on no sound storage"),
    "storage_is_missing": (weights(a=tensor(data=storage(key=text("7")))), "'a' lies in 'data/7'"),
    "storage_elsewhere": (
        weights(a=tensor(data=storage(key=text("../data.pkl")))),
        r"'a' lies in 'data/\.\./data.pkl'",
    ),
    "storage_too_small": (weights(a=tensor(data=storage(7))), "'a' needs 7 float32 of 'data/0', which has 24 bytes"),
    "storage_too_large": (weights(a=tensor(data=storage(5))), "'a' needs 5 float32 of 'data/0', which has 24 bytes"),
    "storage_negative": (weights(a=tensor(data=storage(-6))), "'a' needs -6 float32"),
    "size_too_large": (weights(a=tensor(size=(2, 4))), "'a' has size .* past the 6 numbers"),
    "offset_too_large": (weights(a=tensor(offset=1)), "'a' has size .* past the 6 numbers"),
    "stride_too_large": (weights(a=tensor(stride=(4, 1))), "'a' has size .* past the 6 numbers"),
    "offset_negative": (weights(a=tensor(offset=-1)), "'a' has an offset"),
    "stride_negative": (weights(a=tensor(offset=5, stride=(-3, -1))), "'a' has an offset"),
    "size_negative": (weights(a=tensor(size=(-2, -3))), "'a' has an offset"),
    "size_is_a_number": (weights(a=tensor(size=integer(6))), "'a' has an offset"),
    "size_is_text": (weights(a=tensor(size=pair(text("2"), text("3")))), "'a' has an offset"),
    "size_is_true": (weights(a=tensor(size=pair(b"\x88", b"\x88"))), "'a' has an offset"),
    "stride_is_short": (weights(a=tensor(stride=(1,))), "'a' has an offset"),
    "offset_is_none": (weights(a=tensor(offset=b"N")), "'a' has an offset"),
    "dimensions_without_end": (
        weights(a=tensor(size=b"(" + integer(2**2000) + b"q\x00" + b"h\x00" * 400_000 + b"tq\x01", stride=b"h\x01")),
        "'a' has an offset",
    ),
    "expanded": (weights(a=tensor(size=(2**40,), stride=(0,))), "'a' has size .* past the 6 numbers"),
    "stride_wraps": (weights(a=tensor(size=(2,), stride=(2**62,))), "'a' has size .* past the 6 numbers"),
    "size_wraps": (weights(a=tensor(size=(2**32 + 1, 2**32), stride=(2**30, 0))), "'a' has size .* past the 6 numbers"),
    "offset_wraps": (weights(a=tensor(size=(), stride=(), offset=2**62)), "'a' has size .* past the 6 numbers"),
    "stride_past_64_bits": (weights(a=tensor(size=(1,), stride=(2**70,))), "'a' has size .*, which no array can have"),
    "stride_past_all": (weights(a=tensor(size=(1,), stride=(2**2000,))), "'a' has size .*, which no array can have"),
    "size_past_all": (weights(a=tensor(size=(0, 2**2000), stride=(1, 1))), "'a' has size .*, which no array can have"),
    "empty_past_64_bits": (
        weights(a=tensor(size=(0, 2**62, 2**62), stride=(0, 0, 0))),
        "'a' has size .*, which no array can have",
    ),
}

ARCHIVES = {
    "pickle_deflated": (changed(0, method=8), "'model/data.pkl' is compressed or encrypted"),
    "storage_deflated": (changed(1, method=8), "'model/data/0' is compressed or encrypted"),
    "storage_encrypted": (changed(1, flags=1), "'model/data/0' is compressed or encrypted"),
    "zip_of_the_future": (changed(1, version=100), r"not a whole .pth file \(zip file version 10\.0\)"),
    "sizes_disagree": (changed(1, inflated=48), "'model/data/0' is compressed or encrypted"),
    "bomb_deflated": (
        changed(0, data=zlib.compress(bytes(10**7)), method=8, inflated=10**10),
        "'model/data.pkl' is compressed or encrypted",
    ),
    "pickle_of_half_a_gigabyte": (changed(0, hole=5 * 10**8), "data.pkl has 5000[0-9]{5} bytes"),
    "directory_of_half_a_gigabyte": (claims_directory_of(5 * 10**8), "its directory has 500000000 bytes"),
    "pickle_past_the_limit": (changed(0, hole=2**20), "data.pkl has 1048[0-9]{3} bytes, more than 1048576"),
    "directory_past_the_limit": (claims_directory_of(2**20 + 1), "its directory has 1048577 bytes"),
    "directory_of_many": (many_entries, "'model/data/1' overlaps"),
    "member_twice": ([*weights(a=tensor()), Member("model/data/0", bytes(24))], "'model/data/0' stands in .* twice"),
    "pickle_twice": ([*weights(a=tensor()), *weights(a=tensor())], "'model/data.pkl' stands in .* twice"),
    "second_folder": ([*weights(a=tensor()), Member("other/data.pkl")], "'other/data.pkl' lies outside"),
    "no_folder": ([Member("data.pkl", program(dictionary(a=tensor())))], "'data.pkl' lies outside"),
    "folder_above": ([*weights(a=tensor()), Member("../evil")], r"'\.\./evil' lies outside"),
    "folder_above_all": (model(dictionary(a=tensor()), folder=".."), r"'\.\./data.pkl' lies outside"),
    "folder_above_within": ([*weights(a=tensor()), Member("model/../evil")], r"'model/\.\./evil' lies outside"),
    "absolute": ([*weights(a=tensor()), Member("/etc/passwd")], "'/etc/passwd' lies outside"),
    "absolute_all": (model(dictionary(a=tensor()), folder=""), "'/data.pkl' lies outside"),
    "overlap": ([*weights(a=tensor()), Member("model/data/1", offset=0)], "'model/.*' overlaps"),
    "size_past_the_next": (changed(0, size=200), "'model/data/0' overlaps"),
    "size_past_the_end": (changed(1, size=10**6), "'model/data/0' is not where .* cut off"),
    "size_past_64_bits": (changed(1, size=2**64 - 1), "'model/data/0' is not where .* cut off"),
    "offset_past_the_end": (changed(1, offset=10**6), "'model/data/0' .*past the end"),
    "offset_past_64_bits": (changed(1, offset=2**64 - 1), "'model/data/0' .*past the end"),
    "offset_in_the_directory": (changed(1, offset=300), "'model/data/0' is not where"),
    "no_local_header": (changed(1, signature=b"PK\0\0"), "'model/data/0' is not where"),
    "no_pickle": (weights(a=tensor())[1:], "holds no data.pkl"),
    "no_members": ([], "holds no data.pkl"),
    "big_endian": ([*weights(a=tensor()), Member("model/byteorder", b"big")], "'byteorder' is not little"),
    "torchscript": ([*weights(a=tensor()), Member("model/constants.pkl")], "a TorchScript program"),
    "torchscript_code": ([*weights(a=tensor()), Member("model/code/a.py", method=8)], "a TorchScript program"),
    "before_torch_1_6": (raw(program(b"\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19")), "as torch wrote before 1.6"),
    "bare_pickle": (raw(pickle.dumps(os.system)), "a pickle without a zip"),
    "empty_file": (raw(b""), "not a whole .pth file"),
    "text_file": (raw(b"version https://git-lfs.github.com/spec/v1\n"), "not a whole .pth file"),
    "only_an_end": (raw(b"PK\5\6" + bytes(18)), "holds no data.pkl"),
    "end_of_nothing": (raw(b"PK\6\7" + bytes(16) + b"PK\5\6" + bytes(18)), "not a whole .pth file"),
    "cut_in_the_middle": (cut(0.5), "not a whole .pth file"),
    "cut_at_the_end": (cut(0.99), "not a whole .pth file"),
}

HOSTILE = {
    f"{group}-{name}": case
    for group, table in [
        ("name", NAMES),
        ("instruction", INSTRUCTIONS),
        ("bomb", BOMBS),
        ("value", VALUES),
        ("archive", ARCHIVES),
    ]
    for name, case in table.items()
}


def write(path, content):
    """content: members of an archive, or a function that writes the file."""
    if callable(content):
        content(path)
    else:
        write_archive(path, content)
    return path


def open_all(folder):
    """Let a child process open every file in a folder. Returns its reports by name."""
    command = [sys.executable, "-m", "tests.pickles", str(folder)]
    try:
        child = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", timeout=240)
        status, lines = child.returncode, child.stdout
    except subprocess.TimeoutExpired as error:
        status, lines = "hangs", (error.stdout or b"").decode()
    reports = {report["name"]: report for report in map(json.loads, lines.splitlines())}
    left = sorted(path.name for path in folder.iterdir())
    stuck = next((name for name in left if name.removesuffix(".pth") not in reports), None)
    reports["the child"] = {"status": status, "left": left, "stuck": stuck}
    return reports


@pytest.fixture(scope="module")
def reports(tmp_path_factory):
    """What became of every file of HOSTILE."""
    folder = tmp_path_factory.mktemp("hostile")
    for name, (content, _) in HOSTILE.items():
        write(folder / f"{name}.pth", content)
    reports = open_all(folder)
    shutil.rmtree(folder)
    return reports


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_refused_by_name(name, reports):
    assert name in reports, f"the process did not get through: {reports['the child']}"
    report = reports[name]
    assert report["kind"] == "ValueError", report
    assert report["message"].startswith(f"{name}.pth: "), report
    assert re.search(HOSTILE[name][1], report["message"]), report
    assert "\n" not in report["message"] and len(report["message"]) < 600
    assert "; " in report["message"]  # and then what to do
    assert report["memory"] < MEMORY and report["seconds"] < SECONDS, report


def test_nothing_was_run(reports):
    assert reports["the child"]["status"] == 0
    assert reports["the child"]["left"] == sorted(f"{name}.pth" for name in HOSTILE)


def test_the_attack_is_a_real_one(tmp_path, monkeypatch):
    """Else the marker would say nothing."""
    monkeypatch.chdir(tmp_path)
    pickle.loads(program(dictionary(a=ATTACK)))
    assert (tmp_path / MARKER).exists()


def test_a_narrow_find_class_is_not_enough():
    """What the head of pth.py says of pickle.Unpickler: it hashes a tuple for as long as the file wants."""

    class Narrow(pickle.Unpickler):
        def find_class(self, module, name):
            raise pickle.UnpicklingError(f"{module}.{name}")

    def seconds(times):
        start = time.process_time()
        Narrow(io.BytesIO(program(b"}" + doubled(times) + b"K\x01s"))).load()
        return time.process_time() - start

    assert seconds(20) > 50 * seconds(10)


def test_a_missing_file_and_a_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.pth: no such file; a model folder"):
        map_pth(tmp_path / "none.pth")
    with pytest.raises(FileNotFoundError, match="no such file"):
        map_pth(tmp_path)


# Good files


def numbers(*shape, dtype=np.float32):
    """What make_golden_pth stored: 0, 1, 2 … less one half, in a shape."""
    return (np.arange(np.prod(shape, dtype=int)) - 0.5).astype(dtype).reshape(shape)


BASE = numbers(4, 6)

EXPECTED = {
    "plain": {
        "tok_embeddings.weight": numbers(5, 4, dtype=ml_dtypes.bfloat16),
        "norm.weight": numbers(4, dtype=ml_dtypes.bfloat16),
        "half": numbers(2, 3, dtype=np.float16),
        "single": numbers(2, 3, 2),
        "double": numbers(3, dtype=np.float64),
    },
    "state_dict": {
        "embeddings.weight": numbers(3, 4),
        "output.weight": numbers(3, 4),
        "output.bias": numbers(3),
    },
    "views": {
        "base": BASE,
        "transposed": BASE.T,
        "rows": BASE[1:3],
        "every_other": BASE[1::2, ::3],
        "permuted": BASE.reshape(2, 2, 6).transpose(2, 0, 1),
        "once": BASE[2],
        "again": BASE[2],
    },
    "odd": {
        "scalar": np.array(2.5, np.float32),
        "empty": np.zeros((0, 3), np.float32),
        "empty_view": np.zeros(0, np.float32),
        "parameter": numbers(2, dtype=ml_dtypes.bfloat16),
    },
    "many": {f"layers.{layer}.weight": numbers(2) + layer for layer in range(30)} | {"long": numbers(300)},
}


def assert_same(arrays, expected):
    assert list(arrays) == list(expected)
    for name, array in arrays.items():
        assert array.dtype == expected[name].dtype, name
        assert array.shape == expected[name].shape, name
        assert array.tobytes() == expected[name].tobytes(), name


def mapping_of(array):
    """The whole file's mapping that an array looks into."""
    whole = None
    while array is not None:
        whole = array if isinstance(array, np.memmap) else whole
        array = getattr(array, "base", None)
    return whole


@pytest.mark.parametrize("name", EXPECTED)
def test_what_torch_wrote_comes_back(name):
    assert_same(map_pth(GOLDEN / f"{name}.pth"), EXPECTED[name])


def test_every_golden_file_is_known_and_small():
    files = list(GOLDEN.glob("*.pth"))
    assert {path.stem for path in files} == set(EXPECTED)
    assert all(path.stat().st_size < 12_000 for path in files)


@pytest.mark.parametrize("name", EXPECTED)
def test_nothing_is_copied_and_nothing_can_be_written(name):
    path = GOLDEN / f"{name}.pth"
    for array in map_pth(str(path)).values():
        assert mapping_of(array).nbytes == path.stat().st_size
        assert not array.flags.writeable
        with pytest.raises(ValueError):
            array[...] = 0


def test_tied_tensors_share_their_memory():
    arrays = map_pth(GOLDEN / "state_dict.pth")
    assert np.shares_memory(arrays["embeddings.weight"], arrays["output.weight"])
    arrays = map_pth(GOLDEN / "views.pth")
    assert all(np.shares_memory(arrays["base"], array) for array in arrays.values())


def test_the_numbers_are_where_the_file_has_them(tmp_path):
    """Change a number in the file, and the array that is mapped already changes with it."""
    path = write(tmp_path / "a.pth", weights(a=tensor()))
    array = map_pth(path)["a"]
    data = path.read_bytes()
    at = data.index(NUMBERS)
    with path.open("r+b") as file:
        file.seek(at + 4)
        file.write(struct.pack("<f", 99.0))
    assert array.tolist() == [[0, 99, 2], [3, 4, 5]]


@pytest.mark.skipif(os.name != "posix", reason="elsewhere a hole in a file is written out")
def test_sixteen_gigabytes_open_at_once(tmp_path):
    """An 8B's file, all zeros but for the last number; offsets past 4 GB stand in the zip64 fields."""
    numel = 4 * 2**30
    bf16 = imported("torch", "BFloat16Storage")
    large = tensor(size=(2**16, 2**17), stride=(2**17, 1), data=storage(2 * numel, dtype=bf16))
    small = tensor(data=storage(key=text("1")))
    members = [
        Member("model/data/0", hole=4 * numel),
        Member("model/data.pkl", program(dictionary(large=large, small=small))),
        Member("model/data/1", NUMBERS),
    ]
    path = write(tmp_path / "model.pth", members)
    assert path.stat().st_size > 16 * 2**30
    reports = open_all(tmp_path)
    report = reports["model"]
    assert report["message"] == "['large', 'small']" and report["seconds"] < 5
    assert report["memory"] < 10_000_000
    arrays = map_pth(path)
    assert arrays["large"][-1, -1] == 0 and arrays["small"].tolist() == [[0, 1, 2], [3, 4, 5]]


@pytest.mark.parametrize("shift", [1, 2, 3])
def test_numbers_that_are_not_aligned(tmp_path, shift):
    """As other programs pack a zip: a number may begin at any byte."""
    bf16 = np.arange(6).astype(ml_dtypes.bfloat16)
    value = dictionary(a=tensor(data=storage(dtype=imported("torch", "BFloat16Storage"))), b=tensor())
    members = model(value, numbers=bf16.tobytes())
    members[1] = members[1]._replace(shift=shift)
    with pytest.raises(ValueError, match="'b' needs 6 float32"):
        map_pth(write(tmp_path / "a.pth", members))
    value = dictionary(a=tensor(data=storage(dtype=imported("torch", "BFloat16Storage"))))
    arrays = map_pth(write(tmp_path / "a.pth", [members[0]._replace(data=program(value)), members[1]]))
    assert_same(arrays, {"a": bf16.reshape(2, 3)})
    assert arrays["a"].astype(np.float32).tolist() == [[0, 1, 2], [3, 4, 5]]


def test_what_is_hung_on_the_dict_is_dropped(tmp_path):
    """BUILD is how torch stores versions. It could as well shadow the dict's own methods, or name its class."""
    state = dictionary(_metadata=dictionary(), keys=REBUILD_TENSOR, __class__=ORDERED_DICT, __setstate__=ORDERED_DICT)
    for hung in (state, pair(b"N", state), text("state"), b"N"):
        value = call(ORDERED_DICT) + fill(a=tensor()) + hung + b"b"
        arrays = map_pth(write(tmp_path / "a.pth", model(value)))
        assert type(arrays) is dict and list(arrays) == ["a"] and arrays["a"].tolist() == [[0, 1, 2], [3, 4, 5]]


def test_other_members_do_no_harm(tmp_path):
    """The folders of an archive that was packed anew, an older torch's fewer members, an odd folder's name."""
    for folder in ("model", "consolidated.00", "café", "a b"):
        more = [Member(f"{folder}/"), Member(f"{folder}/byteorder", b"little"), Member(f"{folder}/version", b"3\n")]
        path = write(tmp_path / "a.pth", model(dictionary(a=tensor()), *more, folder=folder))
        assert map_pth(path)["a"].shape == (2, 3)


def test_no_numbers_may_begin_anywhere(tmp_path):
    """As in a view of nothing, which torch stores with the offset it had."""
    value = dictionary(a=tensor(size=(0, 3), stride=(2**61, 1), offset=2**61), b=tensor(size=(3, 0), offset=7))
    arrays = map_pth(write(tmp_path / "a.pth", model(value)))
    assert_same(arrays, {"a": np.zeros((0, 3), np.float32), "b": np.zeros((3, 0), np.float32)})


def test_an_empty_dict_is_one(tmp_path):
    assert map_pth(write(tmp_path / "a.pth", model(b"}"))) == {}


# Files that broke on the way


def test_a_file_with_flipped_bits_is_read_or_refused(tmp_path):
    """300 files with 1 to 8 bytes changed, half of them in data.pkl or the directory, where they hurt."""
    outcomes = {dict: 0, ValueError: 0}
    for seed in range(300):
        rng = random.Random(seed)
        good = bytearray((GOLDEN / f"{rng.choice([*EXPECTED])}.pth").read_bytes())
        data = bytearray(good)
        spans = [
            (0, len(data)),
            (data.index(b"PK\1\2"), len(data)),
            (data.index(b"\x80\x02"), data.index(b"PK\x07\x08")),
        ]
        span = rng.choice(spans)
        for _ in range(rng.randint(1, 8)):
            data[rng.randrange(*span)] = rng.randrange(256)
        path = tmp_path / f"{seed}.pth"
        path.write_bytes(data)
        outcomes[_read_or_refuse(path)] += 1
    assert min(outcomes.values()) > 30  # some of each, or this has tested nothing


def test_a_file_cut_anywhere_is_refused(tmp_path):
    data = (GOLDEN / "odd.pth").read_bytes()
    for length in range(0, len(data), 7):
        path = tmp_path / f"{length}.pth"
        path.write_bytes(data[:length])
        assert _read_or_refuse(path) is ValueError


def test_random_instructions_are_run_or_refused(tmp_path):
    """Pickles of 40 instructions picked from those the module runs, and what they leave."""
    pieces = [text("a"), integer(1), integer(2**40), b")", b"}", b"N", b"\x88", b"(", b"t", b"\x85", b"\x86", b"\x87"]
    pieces += [b"s", b"u", b"R", b"Q", b"b", b"q\x00", b"h\x00", b"\x94", b"\x93", ORDERED_DICT, REBUILD_TENSOR]
    pieces += [storage(), tensor(), b"}" + text("a") + tensor() + b"s", integers((2, 3)), short_text("torch")]
    path = tmp_path / "a.pth"
    for seed in range(300):
        rng = random.Random(seed)
        _read_or_refuse(write(path, weights(a=b"".join(rng.choices(pieces, k=rng.randint(1, 40))))))


def _read_or_refuse(path):
    """The kind of outcome. Any other exception goes through."""
    try:
        arrays = map_pth(path)
    except ValueError as error:
        assert str(error).startswith(f"{path}: ") and "\n" not in str(error)
        return ValueError
    for name, array in arrays.items():
        assert type(name) is str and type(array) is np.ndarray and not array.flags.writeable
        array.tobytes()  # every number lies in the file
    return dict


# Torch writes, in this run


def random_tensors(torch, seed):
    """A dict, or a module's state_dict, of tensors in random dtypes, shapes and layouts, some on one storage."""
    rng, generator = random.Random(seed), torch.Generator().manual_seed(seed)
    state = {} if seed % 2 else torch.nn.Module().state_dict()
    for index in range(rng.randint(1, 40)):
        dtype = rng.choice([torch.bfloat16, torch.float16, torch.float32, torch.float64])
        shape = [rng.choice([0, 1, 2, 3, 5, 8, 17]) if rng.random() < 0.9 else 300 for _ in range(rng.randint(0, 4))]
        tensor = torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype)
        for axis, length in enumerate(shape):
            if rng.random() < 0.3 and length > 1:
                start = rng.randrange(length)
                at = (slice(None),) * axis + (slice(start, rng.randint(start, length), rng.randint(1, 3)),)
                tensor = tensor[at]
        tensor = tensor.permute(rng.sample(range(tensor.dim()), tensor.dim()))
        if rng.random() < 0.2:
            tensor = torch.nn.Parameter(tensor)
        state[f"layers.{index}.weight"] = tensor
        if rng.random() < 0.2:
            state[f"layers.{index}.tied"] = tensor.detach()[..., :1] if tensor.dim() else tensor
    return state


@pytest.mark.parametrize("seed", range(24))
def test_what_torch_writes_now_comes_back(seed, tmp_path):
    torch = oracle_module("torch")
    state = random_tensors(torch, seed)
    options = {"pickle_protocol": random.Random(seed).choice([2, 2, 4, 5])}
    torch.save(state, tmp_path / "model.pth", **options)
    assert_same(map_pth(tmp_path / "model.pth"), {name: as_array(torch, value) for name, value in state.items()})


def as_array(torch, tensor):
    tensor = tensor.detach().clone(memory_format=torch.contiguous_format)
    if tensor.dtype == torch.bfloat16:
        return tensor.view(torch.uint16).numpy().view(ml_dtypes.bfloat16)
    return tensor.numpy()


def test_the_random_tensors_come_in_every_layout():
    torch = oracle_module("torch")
    tensors = [tensor for seed in range(24) for tensor in random_tensors(torch, seed).values()]
    assert {tensor.dtype for tensor in tensors} == {torch.bfloat16, torch.float16, torch.float32, torch.float64}
    assert {tensor.dim() for tensor in tensors} == {0, 1, 2, 3, 4}
    assert sum(not tensor.is_contiguous() for tensor in tensors) > 50
    assert sum(tensor.storage_offset() > 0 for tensor in tensors) > 20
    assert sum(tensor.numel() == 0 for tensor in tensors) > 20
    assert sum(isinstance(tensor, torch.nn.Parameter) for tensor in tensors) > 20
    assert len({tensor.untyped_storage().data_ptr() for tensor in tensors}) < len(tensors) - 20


@pytest.mark.parametrize(
    "name", ["integers", "complex", "float8", "sparse", "module", "nested", "expanded", "attribute"]
)
def test_what_torch_writes_besides_is_refused_by_name(name, tmp_path):
    torch = oracle_module("torch")
    value, culprit = {
        "integers": ({"a": torch.arange(3)}, "'a' is stored as 'torch.LongStorage'"),
        "complex": ({"a": torch.ones(2, dtype=torch.complex64)}, "'a' is stored as 'torch.ComplexFloatStorage'"),
        "float8": ({"a": torch.ones(2).to(torch.float8_e4m3fn)}, "'torch._utils._rebuild_tensor_v3'"),
        "sparse": ({"a": torch.eye(2).to_sparse()}, "'torch._utils._rebuild_sparse_tensor'"),
        "module": (torch.nn.Linear(2, 2), "'torch.nn.modules.linear.Linear'"),
        "nested": ({"model": {"a": torch.ones(2)}, "step": 3}, "'model' is of type dict"),
        "expanded": ({"a": torch.ones(1).expand(3)}, "past the 1 numbers of its storage"),
        "attribute": ({"a": _with_attribute(torch.ones(2))}, "'torch._tensor._rebuild_from_type_v2'"),
    }[name]
    torch.save(value, tmp_path / "model.pth")
    with pytest.raises(ValueError, match=re.escape(culprit)):
        map_pth(tmp_path / "model.pth")


def _with_attribute(tensor):
    tensor.note = "a number of its own"
    return tensor


def test_torch_before_1_6_and_torchscript_are_told_apart(tmp_path):
    torch = oracle_module("torch")
    path = tmp_path / "model.pth"
    torch.save({"a": torch.ones(2)}, path, _use_new_zipfile_serialization=False)
    with pytest.raises(ValueError, match=r"model.pth: a pickle without a zip .* before 1.6; where torch is at hand"):
        map_pth(path)
    torch.jit.trace(torch.nn.Linear(2, 2), torch.ones(2)).save(path)
    with pytest.raises(ValueError, match=r"model.pth: a TorchScript program \(code/, constants.pkl\), not weights"):
        map_pth(path)


def test_torch_reads_what_our_helpers_write(tmp_path):
    """The good file that HOSTILE breaks is one to torch as well: what is refused is refused for what was changed."""
    torch = oracle_module("torch")
    path = write(tmp_path / "model.pth", [*weights(a=tensor()), Member("model/version", b"3\n")])
    assert torch.load(path, weights_only=True)["a"].tolist() == [[0, 1, 2], [3, 4, 5]]
