"""What every way of running pytest here shares: how notebooks are run and compared."""

import os
from pathlib import Path
from unittest import mock

import matplotlib.font_manager  # noqa: F401 (makes its list of fonts now; made in a notebook, it says so there)
import pytest

ROOT = Path(__file__).parent


def pytest_configure(config):
    """Compare what a picture cell prints, but not the picture: matplotlib's next version draws it a little differently.

    nbval leaves PNG and JPEG out by itself.
    """
    if getattr(config.option, "nbval", False) and config.option.nbval_sanitize_with is None:
        config.option.nbval_sanitize_with = str(ROOT / "tests" / "nbval_sanitize.cfg")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item):
    """Start a notebook's kernel as a newcomer's shell would: what is stored was made with data/tiny."""
    if item.path.suffix != ".ipynb":
        return (yield)
    with mock.patch.dict(os.environ):
        for name in ("LLAMA_NP_MODEL", "MPLBACKEND", "PYTHONWARNINGS"):
            os.environ.pop(name, None)
        return (yield)
