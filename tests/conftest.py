"""Fixtures that several test files share."""

import os
from pathlib import Path

import pytest

from llama_np.tokenizer import Tokenizer


@pytest.fixture(scope="session")
def llama3_path():
    """Meta's tokenizer.model, which is not part of this project: see LLAMA_NP_TOKENIZER."""
    beside = Path(__file__).parents[2] / "shared" / "llama-3-tokenizer"
    path = Path(os.environ.get("LLAMA_NP_TOKENIZER") or beside) / "tokenizer.model"
    if not path.is_file():
        pytest.skip("no Llama 3 tokenizer.model: set LLAMA_NP_TOKENIZER to the folder that holds it")
    return path


@pytest.fixture(scope="session")
def llama3(llama3_path):
    """Meta's tokenizer, read once."""
    return Tokenizer(llama3_path)
