"""Where Linux keeps the limits that a container or a service was started with."""

from contextlib import suppress
from pathlib import Path

_ROOT = Path("/sys/fs/cgroup")
_OWN_GROUPS = Path("/proc/self/cgroup")


def cgroup_folders(controller):
    """Yield the folders with limits for this process: its own group's, then those around it, which limit it too.

    controller: "cpu" or "memory". Nothing is yielded where there are no such groups. Source: man 7 cgroups.
    """
    with suppress(OSError):
        for line in _OWN_GROUPS.read_text(encoding="utf-8").splitlines():
            _, controllers, group = line.split(":", 2)
            if controllers == "":  # version 2: one tree for all
                root = _ROOT
            elif controller in controllers.split(","):  # version 1: a tree for each
                root = _ROOT / controller
            else:
                continue
            own = root / group.lstrip("/")
            yield from [own, *(folder for folder in own.parents if folder.is_relative_to(root))]
