"""What plain pytest does with the chapters: it runs them and compares all that they print. Tried on a small one."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from tests.notebooks import ROOT, code, sample

SHOW = "from IPython.display import display\ndisplay({{{mime!r}: {data!r}, 'text/plain': '<a picture>'}}, raw=True)"


def shows(mime, stored, made):
    """A cell with a picture stored that makes another one."""
    cell = code(SHOW.format(mime=mime, data=made))
    cell.outputs = [nbformat.v4.new_output("display_data", {mime: stored, "text/plain": "<a picture>"})]
    return cell


def loses_its_picture():
    cell = shows("image/png", "aGk=", "")
    cell.source = "None"
    return cell


CELLS = {
    "same": code("print('a', 1)", "a 1\n"),
    "other": code("print('a', 2)", "a 1\n"),
    "silent": code("x = 1", "a 1\n"),
    "warns": code("import sys\nprint('a', 1)\nprint('old', file=sys.stderr)", "a 1\n"),
    "stops": code("1 / 0"),
    "ignored": code("print('a', 2)", "a 1\n", tags=["nbval-ignore-output"]),
    "ignored_stops": code("1 / 0", tags=["nbval-ignore-output"]),
    "png": shows("image/png", "aGk=", "YWhh"),
    "gif": shows("image/gif", "R0lGODlhAQ==", "R0lGODlhAg=="),
    "no_picture": loses_its_picture(),
    "its_own_environment": code(
        "import os, sys, pathlib\n"
        "pathlib.Path('seen.json').write_text(__import__('json').dumps([sys.executable, os.getcwd(),"
        "os.environ.get('LLAMA_NP_MODEL'), os.environ.get('MPLBACKEND', 'unset')]))",
        tags=["nbval-ignore-output"],
    ),
}
PASS = {"same", "ignored", "png", "gif", "its_own_environment"}


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A project with our settings and a notebook of the cells above, and what pytest reported in it."""
    folder = tmp_path_factory.mktemp("project")
    for name in ("conftest.py", "pyproject.toml", "tests/nbval_sanitize.cfg"):
        (folder / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    (folder / "chapters").mkdir()
    nbformat.write(sample(*CELLS.values()), folder / "chapters" / "01_all.ipynb")
    environment = os.environ | {"LLAMA_NP_MODEL": "/nowhere", "MPLBACKEND": "agg"}
    command = [sys.executable, "-m", "pytest", "-q", "-rA", "--color=no", "-p", "no:cacheprovider"]
    report = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, encoding="utf-8")
    return folder, report.stdout


@pytest.mark.parametrize("name", CELLS)
def test_outputs_are_compared(project, name):
    said = "PASSED" if name in PASS else "FAILED"
    plain = project[1].replace(" - ", "\n")
    assert f"{said} chapters/01_all.ipynb::Cell {list(CELLS).index(name)}\n" in plain, project[1]


def test_the_kernel_is_this_environment_and_the_model_data_tiny(project):
    folder, _ = project
    executable, place, model, backend = json.loads((folder / "chapters" / "seen.json").read_text(encoding="utf-8"))
    assert Path(executable).samefile(sys.executable)
    assert Path(place).samefile(folder / "chapters")
    assert model is None and "inline" in backend
