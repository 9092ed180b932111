"""The benchmark's command, on the smallest model, and that its contenders do the same work."""

import numpy as np
import pytest

from llama_np import forward, load
from llama_np.checkpoint import TINY
from tests.oracle import oracle_module
from tests.synthetic import shape_like

bench = oracle_module("tests.bench")  # which imports torch and transformers


@pytest.fixture(autouse=True)
def without_openblas_settings(monkeypatch):
    monkeypatch.delenv("OPENBLAS_CORETYPE", raising=False)
    monkeypatch.delenv("OPENBLAS_L2_SIZE", raising=False)


def test_the_plain_numpy_contender_computes_what_forward_does():
    tiny = load(TINY)
    ids = tiny.tokenizer.encode("the answer is ", bos=True)
    expected = forward(tiny.weights, tiny.params, ids)
    assert np.allclose(bench.numpy_by_heads(tiny.weights, tiny.params, ids), expected, atol=1e-3)


def test_it_prints_a_row_for_each_contender_and_length(capsys):
    assert bench.main(["--rounds", "1", "--tokens", "1", "2"]) == 0
    out = capsys.readouterr().out
    rows = [line.split(" | ")[:2] for line in out.splitlines() if line.startswith("| ") and line[2].isdigit()]
    assert rows[:2] == [["| 1", "llama_np"], ["| 1", "transformers, bf16"]]
    assert ["| 2", "llama_np"] in rows and ["| 2", "transformers, bf16"] in rows
    assert "OpenBLAS kernel" in out and "GB/s of reading" in out


def test_who_is_slow_runs_once(monkeypatch):
    """Slow is more than 5 s and more than 4 times llama_np's; a round that warms up is not counted."""
    taken = {"llama_np": 2.0, "three times": 6.0, "five times": 10.0}
    monkeypatch.setattr(bench, "seconds", lambda run: run())
    monkeypatch.setattr(bench, "_REST", 0)
    passes = {name: lambda ids, name=name: taken[name] for name in taken}
    times = bench.measure(passes, shape_like("tiny"), rounds=2, lengths=[1, 4])
    twice = {(name, T): 2 * [taken[name]] for name in ("llama_np", "three times") for T in (1, 4)}
    assert times == twice | {("five times", 1): [10.0]}


def test_quick_ones_all_run_even_if_llama_np_is_quicker(monkeypatch):
    monkeypatch.setattr(bench, "seconds", lambda run: run())
    monkeypatch.setattr(bench, "_REST", 0)
    passes = {"llama_np": lambda ids: 0.01, "other": lambda ids: 0.1}
    assert bench.measure(passes, shape_like("tiny"), 1, [1]) == {("llama_np", 1): [0.01], ("other", 1): [0.1]}


def test_a_quick_call_is_repeated_for_a_fifth_of_a_second_and_its_mean_is_told(monkeypatch):
    now, calls = [10.0], []

    def call(takes):
        calls.append(takes)
        now[0] += takes

    monkeypatch.setattr(bench.time, "perf_counter", lambda: now[0])
    cold_first = iter([0.09, 0.02, 0.02, 0.02, 0.02, 0.02, 0.02])
    assert bench.seconds(lambda: call(next(cold_first))) == pytest.approx(0.21 / 7) and len(calls) == 7
    assert bench.seconds(lambda: call(3.0)) == pytest.approx(3.0) and len(calls) == 8


def test_it_writes_a_model_of_the_asked_shape_where_there_is_none(tmp_path, capsys):
    command = [str(tmp_path), "--like", "tiny", "--layers", "2", "--rounds", "1", "--tokens", "1"]
    assert bench.main(command) == 0
    assert "n_layers=2" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments, message",
    [(["--like", "8b"], "--like needs DIR"), (["no/such/folder"], "no/such/folder")],
)
def test_what_it_cannot_do_it_says_in_a_line(arguments, message, capsys):
    assert bench.main(arguments) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1


def test_it_does_not_measure_a_hampered_numpy(monkeypatch, capsys):
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Haswell")
    assert bench.main([]) == 2
    assert "OPENBLAS_CORETYPE changes NumPy's speed; unset it" in capsys.readouterr().err
