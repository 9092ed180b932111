"""Chapter 14: one thread for each core that this process may use.

Threads help because NumPy lets go of Python's lock while it computes.
"""

import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cache

from threadpoolctl import ThreadpoolController

from llama_np.cgroup import cgroup_folders


def on_every_core(work):
    """Call work() in a thread for each core, with BLAS at one thread meanwhile: it would start threads of its own."""
    with _blas().limit(limits=1, user_api="blas"):
        for done in [_threads().submit(work) for _ in range(usable_cores())]:
            done.result()


@cache
def _blas():
    return ThreadpoolController()


@cache
def _threads():
    return ThreadPoolExecutor(usable_cores(), thread_name_prefix="llama_np")


@cache
def usable_cores():
    """How many cores this process may use: LLAMA_NP_THREADS if it is set, or else what the system grants.

    Raises ValueError if LLAMA_NP_THREADS is not a whole number from 1 up.
    """
    if asked := os.environ.get("LLAMA_NP_THREADS"):
        if not asked.isdecimal() or int(asked) == 0:
            raise ValueError(f"LLAMA_NP_THREADS is {asked!r}; set it to the number of threads, 1 or more")
        return int(asked)
    granted = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min([granted, *_cgroup_cores()]))


def _cgroup_cores():
    """What the limit of each group grants, in whole cores."""
    for folder in cgroup_folders("cpu"):
        with suppress(OSError, ValueError):  # version 2: "200000 100000", or "max 100000" for no limit
            quota, period = (folder / "cpu.max").read_text(encoding="utf-8").split()
            yield int(quota) // int(period)
        with suppress(OSError, ValueError):  # version 1: -1 for no limit
            quota, period = (int((folder / f"cpu.cfs_{name}_us").read_text("utf-8")) for name in ("quota", "period"))
            if quota > 0:
                yield quota // period
