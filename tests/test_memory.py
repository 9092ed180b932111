"""memory.py: how much is free, and files read before they are needed."""

import os
from collections import namedtuple

import psutil
import pytest

from llama_np import memory
from llama_np.memory import available_memory, warm_up
from tests.test_linear import groups  # noqa: F401

GIB = 2**30


@pytest.fixture
def free_memory(monkeypatch):
    """Sets what psutil says is available."""

    def set_it(n_bytes):
        monkeypatch.setattr(psutil, "virtual_memory", lambda: namedtuple("m", "available")(n_bytes))

    return set_it


@pytest.mark.parametrize(
    "own, files, free",
    [
        ("0::/\n", {}, 8 * GIB),
        ("0::/\n", {"memory.max": "max\n", "memory.stat": "anon 5\nfile 7\n"}, 8 * GIB),
        ("0::/\n", {"memory.max": f"{2 * GIB}\n", "memory.stat": f"anon {GIB}\nfile {GIB}\n"}, GIB),
        ("0::/a/b\n", {"a/memory.max": f"{GIB}\n", "a/memory.stat": "anon 0\n"}, GIB),
        ("0::/\n", {"memory.max": f"{GIB}\n", "memory.stat": f"anon {2 * GIB}\n"}, 0),
        (
            "4:memory:/x\n",
            {"memory/x/memory.limit_in_bytes": f"{3 * GIB}\n", "memory/x/memory.stat": f"cache 9\nrss {GIB}\n"},
            2 * GIB,
        ),
        ("4:cpu:/x\n", {"memory/x/memory.limit_in_bytes": "1\n", "memory/x/memory.stat": "rss 0\n"}, 8 * GIB),
    ],
)
def test_the_smallest_limit_counts(groups, free_memory, own, files, free):  # noqa: F811
    groups(own, files)
    free_memory(8 * GIB)
    assert available_memory() == free


@pytest.fixture
def files(tmp_path):
    paths = []
    for name, size in (("a", 40_000_000), ("b", 1)):
        path = tmp_path / name
        path.write_bytes(os.urandom(1000) * (size // 1000) or b"x")
        with path.open("rb") as file:
            os.fsync(file.fileno())
        paths.append(path)
    return paths


def forget(paths):
    """Drop the files from memory where the system can."""
    if not hasattr(os, "posix_fadvise"):
        pytest.skip("this system cannot be told to forget a file")
    for path in paths:
        with path.open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    if memory._in_memory(paths[0]):
        pytest.skip("the file system kept the file in memory")


def test_a_cold_file_is_read_once(files, capsys):
    forget(files)
    assert warm_up(files) > 0
    assert "warming up" in capsys.readouterr().err
    assert all(memory._in_memory(path) for path in files)
    assert warm_up(files) is None and capsys.readouterr().err == ""


def test_what_does_not_fit_is_not_read(files, free_memory, capsys):
    forget(files)
    free_memory(40_000_000)  # a byte too little
    assert warm_up(files) is None and capsys.readouterr().err == ""
    assert not memory._in_memory(files[0])


def test_one_cold_file_is_enough(files, monkeypatch):
    monkeypatch.setattr(memory, "_in_memory", lambda path: path == files[1])
    assert warm_up(files) > 0


def test_a_page_that_must_be_waited_for_is_not_in_memory(files, monkeypatch):
    def wait(*_):
        raise BlockingIOError

    monkeypatch.setattr(os, "RWF_NOWAIT", 8, raising=False)
    monkeypatch.setattr(os, "preadv", wait, raising=False)
    assert not memory._in_memory(files[0])


def test_a_system_that_cannot_tell_reads(files, monkeypatch):
    monkeypatch.delattr(os, "RWF_NOWAIT", raising=False)
    read = []
    monkeypatch.setattr(memory, "_read_through", lambda path, progress: read.append(path))
    assert warm_up(files) > 0 and read == files
