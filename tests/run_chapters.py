"""`python -m tests.run_chapters [DIR]`: run the chapters on a model folder; how long each takes, and how much memory.

The notebooks in the folder stay as they are. Processor seconds are those of all cores together, and the same on a busy
machine. Own memory is what the kernel asked for; resident memory has the mapped
weights in it too, which the operating system takes back when it needs room.
"""

import argparse
import os
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from llama_np.command_line import Parser, run
from tests.notebooks import CHAPTERS, chapter_paths, read


@dataclass
class Run:
    """What running a chapter took, and the error that ended it, or None. Memory in bytes."""

    seconds: float
    processor_seconds: float
    own: int
    resident: int
    error: str | None


class _Watch(threading.Thread):
    """Looks at a process ten times a second and keeps the most memory it had."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.process, self.done = psutil.Process(pid), threading.Event()
        self.own = self.resident = 0
        self.processor_seconds = 0.0

    def run(self):
        try:
            while not self.done.wait(0.1):
                self._look()
            self._look()
        except psutil.Error:  # the kernel has ended
            return

    def _look(self):
        memory, times = self.process.memory_info(), self.process.cpu_times()
        self.resident = max(self.resident, memory.rss)
        self.own = max(self.own, memory.rss - getattr(memory, "shared", 0))
        self.processor_seconds = times.user + times.system


def run_chapter(path, model=None, timeout=3600):
    """Run a notebook in a kernel of its own. model: what LLAMA_NP_MODEL names (None: data/tiny). Returns Run."""
    environment = {name: value for name, value in os.environ.items() if name not in ("LLAMA_NP_MODEL", "MPLBACKEND")}
    if model:
        environment["LLAMA_NP_MODEL"] = str(Path(model).resolve())
    notebook = read(path)
    client = NotebookClient(
        notebook, kernel_name="python3", timeout=timeout, resources={"metadata": {"path": str(CHAPTERS)}}
    )
    start, error = time.perf_counter(), None
    with client.setup_kernel(env=environment, stderr=subprocess.DEVNULL):
        watch = _Watch(client.km.provisioner.pid)
        watch.start()
        try:
            for n, cell in enumerate(notebook.cells):
                client.execute_cell(cell, n)
        except CellExecutionError as stopped:
            error = f"cell {n}: {stopped.ename}: {stopped.evalue}"
        finally:
            watch.done.set()
            watch.join()
    return Run(time.perf_counter() - start, watch.processor_seconds, watch.own, watch.resident, error)


def main(arguments=None):
    parser = Parser(prog="python -m tests.run_chapters", description="Run the chapters on a model folder.")
    parser.add_argument("model", nargs="?", metavar="DIR", help="the folder (default: $LLAMA_NP_MODEL, or data/tiny)")
    parser.add_argument("--only", metavar="NN", help="one chapter, by its number", type=_number)
    return run("tests.run_chapters", _run_all, parser.parse_args(arguments))


def _number(text):
    if not any(path.name.startswith(f"{text}_") for path in chapter_paths()):
        raise argparse.ArgumentTypeError(f"there is no chapter {text!r}")
    return text


def _run_all(options):
    model = options.model or os.environ.get("LLAMA_NP_MODEL")
    print("| chapter | seconds | processor seconds | own memory, GB | resident, GB | |")
    print("| --- | ---: | ---: | ---: | ---: | --- |")
    failed = 0
    for path in chapter_paths():
        if options.only and not path.name.startswith(f"{options.only}_"):
            continue
        done = run_chapter(path, model)
        failed += done.error is not None
        took = f"{done.seconds:.0f} | {done.processor_seconds:.0f} | {done.own / 1e9:.2f} | {done.resident / 1e9:.2f}"
        print(f"| {path.stem} | {took} | {done.error or ''} |", flush=True)
    if failed:
        raise ValueError(f"{failed} chapters stopped before their end")


if __name__ == "__main__":
    sys.exit(main())
