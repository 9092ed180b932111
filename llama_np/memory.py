"""Chapter 13: how much memory the weights may take, and getting them into it before the first token.

Left out: locking pages in memory; the operating system decides what stays.
"""

import os
import random
import time
from contextlib import suppress

import psutil
from tqdm import tqdm

from llama_np.cgroup import cgroup_folders

_BLOCK = 16 * 1024 * 1024
_SAMPLES = 200


def available_memory():
    """How many bytes this process can fill before others must give way: the machine's, or its cgroup's if fewer.

    Pages of files count as free, since the operating system can drop them.
    """
    return min([psutil.virtual_memory().available, *_cgroup_memory()])


def _cgroup_memory():
    """What the limit of each group leaves free, in bytes."""
    for folder in cgroup_folders("memory"):
        for limit, in_use in (("memory.max", "anon"), ("memory.limit_in_bytes", "rss")):  # versions 2 and 1
            with suppress(OSError, ValueError, KeyError):  # no such limit here, or the word "max"
                most = int((folder / limit).read_text(encoding="utf-8"))
                lines = (folder / "memory.stat").read_text(encoding="utf-8").splitlines()
                yield max(0, most - int(dict(line.split() for line in lines)[in_use]))


def warm_up(files):
    """Read the weight files from end to end, so that the first token need not wait for the disk page by page.

    files: paths, as Model.files has them. Shows a progress bar on stderr. Returns the seconds it took, or None where
    there was nothing to do: the files are in memory already, or they do not fit, and reading on would push out what
    was read before.
    """
    total = sum(file.stat().st_size for file in files)
    if total > available_memory() or all(_in_memory(file) for file in files):
        return None
    start = time.perf_counter()
    with tqdm(total=total, unit="B", unit_scale=True, desc="warming up", leave=False) as progress:
        for path in files:
            _read_through(path, progress)
    return time.perf_counter() - start


def _read_through(path, progress):
    block = bytearray(_BLOCK)
    with path.open("rb", buffering=0) as file:
        while n := file.readinto(block):
            progress.update(n)


def _in_memory(path):
    """Whether pages picked at random can be read without waiting. Systems that cannot tell say False."""
    if not hasattr(os, "RWF_NOWAIT"):  # Linux alone has it
        return False
    page = bytearray(1)
    places = random.Random(0).choices(range(path.stat().st_size), k=_SAMPLES)
    with path.open("rb", buffering=0) as file:
        try:
            return all(os.preadv(file.fileno(), [page], place, os.RWF_NOWAIT) for place in places)
        except OSError:  # not there yet, or a file system that cannot say
            return False
