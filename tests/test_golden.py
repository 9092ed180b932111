"""The whole model against stored logits of transformers' Llama: parity where torch is not installed."""

import json
from pathlib import Path

import ml_dtypes  # noqa: F401 (safetensors needs it for bfloat16)
import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file

from llama_np import forward
from llama_np.params import Params, weight_shapes
from tests.oracle import oracle_module

GOLDEN = sorted((Path(__file__).parent / "golden").glob("*.safetensors"))


def golden(path):
    """Read a file of make_golden. Returns weights, params, ids and transformers' logits."""
    tensors = load_file(path)
    with safe_open(path, framework="numpy") as file:
        case = json.loads(file.metadata()["case"])
    logits = tensors.pop("logits")
    weights = {name.removeprefix("weights/"): array for name, array in tensors.items()}
    weights.setdefault("output.weight", weights["tok_embeddings.weight"])
    return weights, Params(**case["params"]), case["ids"], logits


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_logits_agree_with_the_stored_ones(path):
    weights, params, ids, reference = golden(path)
    assert {name: array.shape for name, array in weights.items()} == weight_shapes(params)
    assert reference.shape == (len(ids), params.vocab_size)
    assert reference.std() > 0.1
    np.testing.assert_allclose(forward(weights, params, ids), reference, rtol=0, atol=1e-4)


def test_the_stored_models_come_in_every_shape():
    cases = [golden(path) for path in GOLDEN]
    all_params = [params for _, params, _, _ in cases]
    assert len(cases) == 4
    assert any(p.n_kv_heads == 1 < p.n_heads for p in all_params)
    assert any(1 < p.n_kv_heads < p.n_heads for p in all_params)
    assert any(1 < p.n_kv_heads == p.n_heads for p in all_params)
    assert any(len(ids) == 1 for _, _, ids, _ in cases)
    assert any(weights["output.weight"] is weights["tok_embeddings.weight"] for weights, _, _, _ in cases)
    assert {weights["norm.weight"].dtype.name for weights, _, _, _ in cases} == {"bfloat16", "float32"}
    assert all(path.stat().st_size < 150_000 for path in GOLDEN)


def test_a_missing_oracle_skips_unless_it_is_asked_for(monkeypatch):
    monkeypatch.delenv("LLAMA_NP_ORACLE", raising=False)
    with pytest.raises(pytest.skip.Exception, match="no_such_oracle is not installed"):
        oracle_module("no_such_oracle")
    monkeypatch.setenv("LLAMA_NP_ORACLE", "1")
    with pytest.raises(ModuleNotFoundError):
        oracle_module("no_such_oracle")
